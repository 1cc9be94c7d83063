"""Filters that write numbers and moments; amounts always carry their exact value."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from costs.coverage import Gap, Reason
from dashboard import enum_labels, figures
from foundation.money import usd_text

register = template.Library()


@register.filter
def usd(amount: Decimal) -> SafeString:
    """Write an amount to the cent; its exact value is in `value` and in the title."""
    exact = usd_text(amount)
    return format_html(
        '<data value="{}" title="{} USD exactly">{}</data>', exact, exact, figures.dollars(amount)
    )


@register.filter
def plain_usd(amount: Decimal) -> str:
    """Write an amount to the cent without its exact value: for cells by the thousand, which the CSV has in full."""
    return figures.dollars(amount)


@register.filter
def measure(amount: Decimal | None, unit: figures.Unit) -> str:
    """Write an amount of a chart in its unit."""
    return figures.measure(amount, unit)


@register.filter
def rate(amount: Decimal | None) -> SafeString:
    """Write dollars per million tokens, as the chart does; every digit is in `value`. None: there are no tokens."""
    if amount is None:
        return mark_safe('<span title="no tokens are counted">–</span>')
    return format_html(
        '<data value="{}" title="{} USD per million tokens">{}</data>', amount, amount, figures.rate(amount)
    )


@register.filter
def tokens(value: int | None) -> SafeString:
    """Write a count in short; in full in the title. None: not counted."""
    if value is None:
        return mark_safe('<span title="not counted by this report">–</span>')
    return format_html(
        '<data value="{}" title="{}">{}</data>', value, figures.count(value), figures.compact(value)
    )


@register.filter
def signed_usd(amount: Decimal) -> SafeString:
    """Write a difference with its sign; its exact value is in `value` and in the title."""
    exact = usd_text(amount)
    sign = "+" if amount > 0 else ""
    return format_html(
        '<data value="{}" title="{} USD exactly">{}{}</data>', exact, exact, sign, figures.dollars(amount)
    )


@register.filter
def day_list(days: Sequence[dt.date]) -> str:
    """Write days as runs: `3 – 5 Nov 2026, 9 Nov 2026`; of many runs the first ones and how many more."""
    return figures.day_list(days)


@register.filter
def gap_lines(gaps: Sequence[Gap]) -> list[dict[str, object]]:
    """Gather gaps by reason: how many days, which, why, and what would fill them."""
    by_reason: dict[Reason, list[dt.date]] = {}
    for gap in gaps:
        by_reason.setdefault(gap.reason, []).extend(gap.days.days())
    return [
        {
            "count": len(days),
            "days": figures.day_list(days),
            "why": enum_labels.reason_words(reason),
            "remedy": enum_labels.reason_remedy(reason),
        }
        for reason, days in by_reason.items()
    ]


@register.filter
def day(value: dt.date) -> str:
    """Write a day."""
    return figures.day(value)


@register.filter
def last_day(value: dt.date) -> str:
    """Write the last day of a range from its exclusive end."""
    return figures.day(value - dt.timedelta(days=1))


@register.filter
def moment(value: dt.datetime, now: dt.datetime) -> SafeString:
    """Write a moment in UTC, exact to the second in the title."""
    exact = f"{value.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    return format_html('<time datetime="{}" title="{}">{}</time>', exact, exact, figures.moment(value, now))


@register.filter
def attempt(value: dt.datetime, now: dt.datetime) -> str:
    """Write a moment that may be seconds away: the time to the second, or the day and time of another day."""
    utc = value.astimezone(dt.UTC)
    return (
        f"{utc:%H:%M:%S} UTC" if utc.date() == now.astimezone(dt.UTC).date() else figures.moment(value, now)
    )


@register.filter
def exact_moment(value: dt.datetime) -> SafeString:
    """Write a moment in UTC to the second."""
    utc = value.astimezone(dt.UTC)
    return format_html(
        '<time datetime="{}">{}</time>', f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M:%S}"
    )


@register.filter
def report(source: str) -> str:
    """Say what a report tells."""
    return enum_labels.capability_words(source)


@register.filter
def family(name: str) -> str:
    """Say through which of Anthropic's APIs something is read."""
    return enum_labels.family_words(name)


@register.filter
def trigger(value: str) -> str:
    """Say why a run exists."""
    return enum_labels.trigger_words(value)
