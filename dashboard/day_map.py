"""How complete the last days are, report by report: the strips of a connection's page and of its card; reads only."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from django.db.models import F

from costs import sources
from costs.freshness import DayState, state_of
from costs.models import DayDigest
from dashboard import figures
from dashboard.enum_labels import capability_words
from foundation.periods import DayRange
from integrations.models import Connection, Report

_DAY = dt.timedelta(days=1)
MAP_DAYS, CARD_DAYS = 90, 30
# Today is complete only tomorrow: until it is read, it is open, not missing.
RUNNING = "running"
_WORDS: Mapping[str, str] = {
    DayState.SETTLED: "settled",
    DayState.REVISED: "settled after a change",
    DayState.PROVISIONAL: "may still change",
    DayState.MISSING: "missing",
    RUNNING: "still running",
}


@dataclass(frozen=True, slots=True)
class Run:
    """Days in a row of the same state; `at` and `days` place it on a strip that has one unit a day."""

    at: int
    days: int
    state: str
    label: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The days of one report, oldest first; a refused report has none, and says why."""

    label: str
    runs: list[Run]
    length: int
    summary: str
    refusal: str = ""


def connection_map(connection: Connection, today: dt.date) -> list[Strip]:
    """Return a strip for each report of a connection that has days, in the order in which they are read."""
    days = DayRange(today - _DAY * MAP_DAYS, today + _DAY)
    stored: dict[tuple[str, dt.date], DayDigest] = {
        (digest.source, digest.day): digest
        for digest in DayDigest.objects.filter(connection=connection, day__gte=days.start, day__lt=days.end)
    }
    strips = []
    for report in connection.reports.all():
        label = capability_words(report.report_name)
        if report.is_refused:
            strips.append(
                Strip(label, [], len(days), "", report.detail or "Anthropic refuses it to this key.")
            )
        elif report.wanted_from is not None:
            own = {day: digest for (source, day), digest in stored.items() if source == report.report_name}
            strips.append(_strip(label, days, report.wanted_from, connection.origin, own.get))
    return strips


def card_strips(connections: Sequence[Connection], today: dt.date) -> Mapping[UUID, Strip]:
    """Return for each connection the strip of its bill; two queries."""
    days = DayRange(today - _DAY * CARD_DAYS, today + _DAY)
    found: defaultdict[UUID, dict[tuple[str, dt.date], DayDigest]] = defaultdict(dict)
    digests = DayDigest.objects.filter(
        connection_id__in=[each.pk for each in connections], source__in=sources.BILLS,
        day__gte=days.start, day__lt=days.end,
    )  # fmt: skip
    for digest in digests:
        found[digest.connection_id][digest.source, digest.day] = digest
    reports = Report.objects.filter(connection__in=connections, report_name=F("connection__cost_source"))
    begins = {report.connection_id: report.wanted_from for report in reports}
    return {each.pk: _bill_strip(each, days, begins.get(each.pk), found[each.pk]) for each in connections}


def _bill_strip(
    connection: Connection,
    days: DayRange,
    begins: dt.date | None,
    stored: Mapping[tuple[str, dt.date], DayDigest],
) -> Strip:
    bills = [connection.cost_source, *(name for name in sources.BILLS if name != connection.cost_source)]

    def find(day: dt.date) -> DayDigest | None:
        return next((stored[name, day] for name in bills if (name, day) in stored), None)

    # No day before its report's first is missing from it: none can be had.
    first = max(connection.wanted_from, begins or connection.wanted_from)
    return _strip("Bill", days, first, connection.origin, find)


def _strip(
    label: str, days: DayRange, first: dt.date, origin: str, find: Callable[[dt.date], DayDigest | None]
) -> Strip:
    states: list[tuple[dt.date, str]] = []
    for day in days.days():
        if day >= first:
            digest = find(day)
            is_open = digest is None and day == days.end - _DAY
            states.append((day, RUNNING if is_open else str(state_of(digest, origin).value)))
    counts = Counter(state for _, state in states)
    summary = ", ".join(f"{counts[state]} {words}" for state, words in _WORDS.items() if counts[state])
    runs = []
    for state, group in groupby(states, key=lambda each: each[1]):
        own = [day for day, _ in group]
        runs.append(
            Run(
                (own[0] - days.start).days,
                len(own),
                state,
                f"{figures.days(own[0], own[-1])}: {_WORDS[state]}",
            )
        )
    return Strip(label, runs, len(days), summary)
