"""What the page of usage shows for one state: tokens by kind over time, a table of groups, and what caching saved.

Reads through the selectors only; counts are exact, what caching saved is an estimate.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from costs import usage
from costs.caching import CacheEconomics, read_caching
from costs.caveats import Caveats, list_caveats
from costs.read_snapshots import read_snapshot
from costs.selectors import Key
from costs.usage import Counts, UsageRow
from costs.usage_records import TOKEN_COUNTS
from dashboard import figures, labels
from dashboard.chart import Amounts, Canvas, Chart, draw, split
from dashboard.explore.report_context import ReportContext, ReportRequest, prepare
from dashboard.explore.table import ALL_ROWS, MOST_ROWS
from dashboard.figures import Change
from dashboard.ranges import Period

_KINDS: Mapping[str, str] = {
    "uncached_input_tokens": "Input, not cached",
    "output_tokens": "Output",
    "cache_read_input_tokens": "Cache read",
    "cache_write_5m_tokens": "Cache write, 5 minutes",
    "cache_write_1h_tokens": "Cache write, 1 hour",
}
_INPUT = tuple(name for name in TOKEN_COUNTS if name != "output_tokens")


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One line of the table: a group, several together, or all; `key` None for the latter two."""

    key: Key | None
    labels: tuple[str, ...]
    counts: Counts
    previous: Counts | None
    link: str = ""

    @property
    def input_tokens(self) -> int:
        """All input, from the cache or not."""
        return sum(self.counts[name] or 0 for name in _INPUT)

    @property
    def written_tokens(self) -> int:
        """Tokens written to the cache, for however long."""
        return (self.counts["cache_write_5m_tokens"] or 0) + (self.counts["cache_write_1h_tokens"] or 0)

    @property
    def read_share(self) -> Decimal:
        """Which percentage of the input came from the cache."""
        return figures.share(Decimal(self.counts["cache_read_input_tokens"] or 0), Decimal(self.input_tokens))

    @property
    def change(self) -> Change | None:
        """All tokens against those of the period before."""
        if self.previous is None:
            return None
        return Change(Decimal(self.counts["total_tokens"] or 0), Decimal(self.previous["total_tokens"] or 0))


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Everything the page shows; the lines add up to the total."""

    context: ReportContext
    heads: tuple[str, ...]
    lines: list[UsageLine]
    rest: UsageLine | None
    total: UsageLine
    chart: Chart
    caveats: Caveats
    unknown: tuple[str, ...]
    unread: tuple[str, ...]

    @property
    def others(self) -> list[str]:
        """The names of the counts that this version does not know, and that no total holds."""
        return sorted(usage.others_of(self.total.counts))

    @property
    def period(self) -> Period:
        """The days shown, and those compared with."""
        return self.context.period

    @property
    def all_rows(self) -> str:
        """The address with every group on a line of its own."""
        return self.context.state.changed(all_rows=True).address

    @property
    def without_filters(self) -> str:
        """The address without any filter."""
        return self.context.state.changed(filters=()).address

    @property
    def groups_title(self) -> str:
        """What the table is of."""
        names = " and ".join(labels.inline(name) for name in self.context.state.group_by)
        return f"By {names}" if names else "In total"


@read_snapshot()
def read_usage(subject: ReportRequest, *, all_rows: int = ALL_ROWS) -> UsageReport:
    """
    Read the usage of one state of an account.

    Shape:   groups and filters that no report of usage knows are left out and named in `unknown`; `all_rows` groups
             have a line of their own where the state asks for all
    """
    asked = subject.state
    known = asked.changed(
        group_by=tuple(name for name in asked.group_by if name in usage.DIMENSIONS),
        filters=tuple(each for each in asked.filters if each[0] in usage.DIMENSIONS),
    )
    unknown = tuple(name for name in (*asked.group_by, *dict(asked.filters)) if name not in usage.DIMENSIONS)
    context = prepare(replace(subject, state=known))
    step = known.step(context.period)
    found = usage.summarise(context.query, group_by=known.group_by, granularity=step)
    before = None
    if context.compare:
        earlier = replace(context.query, days=context.before)
        before = usage.summarise(earlier, group_by=known.group_by)
    caveats = list_caveats(context.covered)
    most = all_rows if known.all_rows else MOST_ROWS
    lines, rest = _lines(context, found.rows, None if before is None else before.rows, most)
    return UsageReport(
        context=context,
        heads=tuple(labels.dimension(name) for name in known.group_by) or ("Usage",),
        lines=lines,
        rest=rest,
        total=UsageLine(None, ("Total",), found.totals, None if before is None else before.totals),
        chart=_chart(context, found.rows, caveats),
        caveats=caveats,
        unknown=unknown,
        unread=tuple(usage.list_unread(context.query)),
    )


def read_cache_economics(subject: ReportRequest) -> CacheEconomics:
    """Estimate what caching saved on the days and filters of a state."""
    state = subject.state
    known = state.changed(filters=tuple(each for each in state.filters if each[0] in usage.DIMENSIONS))
    return read_caching(known.query(subject.account_id, known.period(subject.today).days))


def _lines(
    context: ReportContext, rows: Sequence[UsageRow], before: Sequence[UsageRow] | None, most: int
) -> tuple[list[UsageLine], UsageLine | None]:
    now = _by_key(context, rows)
    earlier = None if before is None else _by_key(context, before)
    keys = sorted({**now, **(earlier or {})}, key=lambda key: (-(_total(now.get(key))), context.label(key)))
    shown, hidden = split(keys, most)

    def line(labels: tuple[str, ...], group: Sequence[Key], key: Key | None, link: str) -> UsageLine:
        return UsageLine(
            key,
            labels,
            usage.added(now[each] for each in group if each in now),
            None if earlier is None else usage.added(earlier[each] for each in group if each in earlier),
            link,
        )

    lines = [line(context.labels(key), [key], key, context.drill(key)) for key in shown]
    return lines, line((f"Other ({len(hidden)})",), hidden, None, "") if hidden else None


def _by_key(context: ReportContext, rows: Sequence[UsageRow]) -> dict[Key, Counts]:
    grouped: defaultdict[Key, list[Counts]] = defaultdict(list)
    for row in rows:
        grouped[tuple(row.group[name] for name in context.state.group_by)].append(row.counts)
    return {key: usage.added(parts) for key, parts in grouped.items()}


def _total(counts: Counts | None) -> int:
    return (counts["total_tokens"] or 0) if counts else 0


def _chart(context: ReportContext, rows: Sequence[UsageRow], caveats: Caveats) -> Chart:
    """Draw tokens by kind: what they are matters more than whose, which is in the table."""
    sums: defaultdict[tuple[dt.date, Key], int] = defaultdict(int)
    for row in rows:
        for name in TOKEN_COUNTS:
            sums[row.bucket or dt.date.min, (name,)] += row.counts[name] or 0
    state, period = context.state, context.period
    canvas = Canvas(
        days=period.days,
        granularity=state.step(period),
        provisional=frozenset(caveats.provisional),
        missing=frozenset(caveats.missing),
        stored=caveats.coverage.stored_days,
        subject="tokens by kind",
        cumulative=state.is_cumulative,
        unit="tokens",
    )
    amounts: Amounts = {place: Decimal(count) for place, count in sums.items()}
    return draw(amounts, canvas, lambda key: _KINDS.get(key[0] or "", str(key[0])))
