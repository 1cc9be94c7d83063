"""What has to be said beside a table of costs, where a grouping says less than it seems to; reads only."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from costs import selectors
from costs.caveats import Caveats
from costs.coverage import read_coverage
from costs.records import Origin
from costs.values import is_made
from dashboard import figures, labels
from dashboard.explore.report_context import ReportContext, lacking, why_no_tokens
from dashboard.explore.table import Table
from foundation.money import sum_usd
from integrations.models import Connection

if TYPE_CHECKING:
    from costs.selectors import Key

# What narrows a question to some connections, by the column that has it.
_OF_CONNECTIONS = {"connection": "pk", "origin": "origin", "cost_center": "cost_center"}
_ZERO = Decimal(0)
_NOTHING = frozenset({None, ""})
_WHO = frozenset({"api_key_id", "actor_id", "actor_type"})


def list_notes(context: ReportContext, built: Table, caveats: Caveats) -> list[str]:
    """Return the sentences that belong beside the table of a state."""
    return [
        *_untold(context),
        *_groupings(context, built),
        *_attribution(context),
        *_rates(context, built, caveats),
    ]


def _untold(context: ReportContext) -> list[str]:
    """Say that groups lack days whose report is still to come."""
    if not context.untold:
        return []
    said = lacking(context.untold)
    return [f"{said[0].upper()}{said[1:]} for every day yet: what it will name is in the line without one."]


def _attribution(context: ReportContext) -> list[str]:
    """Say how costs came to keys and people, where Anthropic's bill does not name them itself."""
    if not _WHO & {*context.state.group_by, *context.query.filters}:
        return []
    # The dimensions that are asked for choose the report; the attribution is read beside them.
    who = [name for name in (*context.state.group_by, *context.query.filters) if name in _WHO]
    sums = selectors.summarise(context.query, group_by=(who[0], "attribution"))
    by_method: defaultdict[str | None, list[Decimal]] = defaultdict(list)
    # Of what was charged: a credit is no part of it, and would make the parts more than the whole.
    for row in sums.rows:
        by_method[row.group["attribution"]].append(max(row.amount_usd, _ZERO))
    shared = {method: sum_usd(amounts) for method, amounts in by_method.items() if method is not None}
    total = sum_usd((*shared.values(), *by_method.get(None, [])))
    return [
        f"{figures.share(amount, total)} % of this: {labels.Names({}).label('attribution', method).lower()}. Anthropic's "
        "own bill of these days names neither key nor person."
        for method, amount in sorted(shared.items(), key=lambda each: -each[1])
        if amount
    ]


def _rates(context: ReportContext, built: Table, caveats: Caveats) -> list[str]:
    """Say where dollars lack their tokens, which makes a rate too high, and tokens their dollars, which makes it too low."""
    if not built.has_tokens:
        return [why_no_tokens(context)] if context.state.metric == "usd_per_million" else []
    notes = []
    if built.unpriced:
        notes.append(
            f"{figures.compact(built.unpriced.tokens or 0)} tokens have no amount: no report of cost has their "
            f"{_and(context.state.group_by)} in these days. The total counts them, so that its cost per million tokens is lower."
        )
    return notes + _days_apart(context, caveats)


def _and(names: Sequence[str]) -> str:
    return " and ".join(labels.inline(name) for name in names) or "group"


def _days_apart(context: ReportContext, caveats: Caveats) -> list[str]:
    """Say on which days only one of bill and usage is stored; a day without both is told as missing anyway."""
    of_usage = read_coverage(replace(context.scope, kind="usage"))
    usage, bill = {*of_usage.missing_days}, {*caveats.missing}
    return [
        f"Cost per million tokens is too {word}: {report} is not stored for every connection yet on {figures.day_list(days)}."
        for word, report, days in (
            ("high", "usage", sorted(usage - bill)),
            ("low", "the bill", sorted(bill - usage)),
        )
        if days
    ]


def _groupings(context: ReportContext, built: Table) -> list[str]:
    """Say where a grouping cannot say what it seems to say."""
    notes = []
    for place, name in enumerate(context.state.group_by):
        keys: Sequence[Key] = [row.key for row in built.rows if row.key]
        if keys and all(key[place] in _NOTHING or is_made(name, key[place]) for key in keys):
            notes.append(
                f"Nothing in this range has a value for {labels.inline(name)}: the reports that are "
                "read do not tell it apart."
            )
    if "api_key_id" in context.state.group_by and Origin.CLAUDE_AI in _origins(context):
        notes.append(
            "claude.ai (Enterprise) knows no API keys: its spend is in the line without one. Filter by origin to tell "
            "them apart."
        )
    return notes


def _origins(context: ReportContext) -> Collection[str]:
    """Return the origins that a report is about: those of the connections it is narrowed to."""
    found = Connection.objects.filter(account_id=context.subject.account_id)
    for name, column in _OF_CONNECTIONS.items():
        wanted = context.query.filters.get(name)
        if wanted:
            found = found.filter(**{f"{column}__in": [value for value in wanted if value is not None]})
    return {*found.values_list("origin", flat=True)}
