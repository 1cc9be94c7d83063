"""
Which days of a range an account has stored, how final they are, and why the others are missing; reads only.

The one definition: pages, API, exports and metrics ask here. A day that was never fetched is missing, whoever asks.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db.models import F, Max, Min

from costs import sources
from costs.freshness import DayState
from costs.models import DayDigest
from costs.sources import Kind
from foundation.periods import DayRange

Filters = Mapping[str, Sequence[str | None]]
_DAY = dt.timedelta(days=1)
# Worst first: a range is what its worst day is.
SEVERITY = (DayState.MISSING, DayState.PROVISIONAL, DayState.REVISED, DayState.SETTLED)


class Reason(StrEnum):
    """Why a day is missing; what somebody can do about comes first, and one day has one reason."""

    REFUSED = "refused"  # upstream refuses the report to the key
    FAILED = "failed"  # it was asked for and could not be read; it is tried again
    NOT_READ = "not_read"  # its turn has not come yet
    DISCONNECTED = "disconnected"  # nobody reads it any more
    OUTSIDE_PLAN = "outside_plan"  # before the history that the plan asks for
    BEFORE_API = "before_api"  # before the first day that upstream reports


_NEVER = frozenset({Reason.OUTSIDE_PLAN, Reason.BEFORE_API})


@dataclass(frozen=True, slots=True)
class Scope:
    """
    What is asked for: whose days, narrowed by which filters, as known when.

    Shape:   filters of connections leave the others out. By any other dimension a day counts as stored only when a
             report that states it is stored, as far as the connection has one
    """

    account_id: UUID
    days: DayRange
    today: dt.date
    filters: Filters = field(default_factory=dict)
    kind: Kind = "cost"
    as_of: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """One day over the connections of a scope: what is true of at least one of them; `reason` None: not missing."""

    day: dt.date
    is_stored: bool
    is_provisional: bool
    is_revised: bool
    is_read_whole: bool
    reason: Reason | None

    @property
    def is_missing(self) -> bool:
        """True when a connection lacks the day."""
        return self.reason is not None

    @property
    def state(self) -> DayState:
        """The worst that is true of the day."""
        found = {
            DayState.MISSING: self.is_missing,
            DayState.PROVISIONAL: self.is_provisional,
            DayState.REVISED: self.is_revised,
        }
        return next((state for state in SEVERITY if found.get(state)), DayState.SETTLED)


@dataclass(frozen=True, slots=True)
class Gap:
    """Days in a row that are missing for the same reason."""

    days: DayRange
    reason: Reason


@dataclass(frozen=True)
class Coverage:
    """
    Every day of a scope until today, oldest first.

    Shape:   days to come are in none of the lists, unless nothing of the range is stored. Today is provisional while
             something is stored: it is read when somebody asks, and complete only tomorrow
    """

    scope: Scope
    days: tuple[Day, ...]

    @cached_property
    def is_stored(self) -> bool:
        """True when at least one day is stored: without one there is no figure."""
        return any(day.is_stored for day in self.days)

    @cached_property
    def state(self) -> DayState:
        """The worst state among the days; `missing` of a range without any."""
        if not self.is_stored:
            return DayState.MISSING
        states = {day.state for day in self.days}
        return next(state for state in SEVERITY if state in states)

    @cached_property
    def missing(self) -> tuple[Gap, ...]:
        """The missing days by reason, oldest first."""
        if not self.days:
            return (Gap(self.scope.days, Reason.NOT_READ),) if len(self.scope.days) else ()
        runs = groupby(self.days, key=lambda day: day.reason)
        found = [(reason, list(own)) for reason, own in runs if reason is not None]
        return tuple(Gap(DayRange(own[0].day, own[-1].day + _DAY), reason) for reason, own in found)

    @property
    def is_patchy(self) -> bool:
        """True when a day is stored for some connections and missing for others: their parts are not of the same days."""
        return any(day.is_stored and day.is_missing for day in self.days)

    @property
    def is_whole(self) -> bool:
        """True when every day is stored for every connection, read after its end: what an average and a change need."""
        whole = (day.is_stored and not day.is_missing and day.is_read_whole for day in self.days)
        return bool(self.days) and all(whole)

    @property
    def missing_days(self) -> tuple[dt.date, ...]:
        """The missing days, oldest first."""
        return tuple(day.day for day in self.days if day.is_missing)

    @property
    def stored_days(self) -> frozenset[dt.date]:
        """The days that at least one connection has."""
        return frozenset(day.day for day in self.days if day.is_stored)

    @property
    def provisional_days(self) -> tuple[dt.date, ...]:
        """The days that may still change, whatever else is true of them, oldest first."""
        return tuple(day.day for day in self.days if day.is_provisional)

    @property
    def complete_through(self) -> dt.date | None:
        """The last day before the first that is missing or was read before its end; None when that is the first."""
        return self._until_gap(self.days)

    @property
    def read_through(self) -> dt.date | None:
        """The same, of the days that can be had: those before the history do not count."""
        return self._until_gap(self.wanted)

    @property
    def wanted(self) -> Sequence[Day]:
        """The days from the first on that the connections should have."""
        first = next((n for n, day in enumerate(self.days) if day.reason not in _NEVER), len(self.days))
        return self.days[first:]

    @staticmethod
    def _until_gap(days: Sequence[Day]) -> dt.date | None:
        last: dt.date | None = None
        for day in days:
            if day.is_missing or not day.is_read_whole:
                return last
            last = day.day
        return last


# Of each connection the first day it should have, the first that can be had at all, and what stands in the way. Of
# costs that is a matter of its bill, of usage one of all its reports that are not refused.
_REPORTS: Mapping[Kind, str] = {
    "cost": "report.stream = connection.cost_source",
    "usage": "report.kind = 'usage'",
}
# Of a day the digest that says how far it can be trusted. Of costs: that of the bill, the chosen one where it has the
# day, else another that tells the whole bill. Of usage: that of the report read longest ago, any of which may answer.
_FIRST_DIGEST: Mapping[Kind, str] = {
    "cost": "told.source = asked.cost_source DESC, told.source",
    "usage": "told.as_of, told.source",
}
# A report that differs from the bill does not answer: see `choice`.
_ANSWERS: Mapping[Kind, str] = {"cost": "stating.amount_usd = stored.amount_usd", "usage": "true"}
_SOURCES: Mapping[Kind, list[str]] = {
    "cost": sources.BILLS,
    "usage": [source.name for source in sources.SOURCES.values() if source.kind == "usage"],
}
_ASKED = """
    SELECT connection.id, connection.origin, connection.cost_source,
        connection.status = 'error' AS is_broken, connection.reason <> 'key_unreadable' AS is_upstreams,
        (connection.disconnected_at AT TIME ZONE 'UTC')::date AS until,
        greatest(connection.wanted_from, asked.first) AS since,
        greatest(asked.begins, CASE WHEN asked.first > connection.wanted_from THEN asked.first END) AS api_from,
        asked.is_refused, asked.in_trouble, told.first AS told_from
    FROM integrations_connection connection
    LEFT JOIN LATERAL (
        SELECT min(report.wanted_from) FILTER (WHERE NOT report.is_refused) AS first,
            min(coalesce(known.begins, '-infinity')) AS begins,
            bool_and(report.is_refused) AS is_refused,
            bool_or(report.reason <> '' AND NOT report.is_refused) AS in_trouble
        FROM integrations_report report
        LEFT JOIN unnest(%(late)s::text[], %(begins)s::date[]) AS known(name, begins) ON known.name = report.stream
        WHERE report.connection_id = connection.id AND {reports}
    ) asked ON true
    LEFT JOIN LATERAL (
        SELECT min(report.wanted_from) AS first FROM integrations_report report
        WHERE report.connection_id = connection.id AND report.stream = ANY(%(telling)s) AND NOT report.is_refused
    ) told ON true
    WHERE connection.account_id = %(account)s
    AND (%(connection)s::text[] IS NULL OR connection.id::text = ANY(%(connection)s))
    AND (%(origin)s::text[] IS NULL OR connection.origin = ANY(%(origin)s))
    AND (%(cost_center)s::text[] IS NULL OR connection.cost_center = ANY(%(cost_center)s))
"""
# A digest keeps its latest reading. That a day was known earlier is said by when it was first stored, and of days
# older than that column by their rows.
_TOLD = """
    SELECT told.*, CASE
        WHEN %(then)s::timestamptz IS NULL THEN true
        WHEN told.first_stored_at IS NOT NULL THEN told.first_stored_at <= %(then)s
        ELSE told.as_of <= %(then)s OR EXISTS (
            SELECT 1 FROM costs_costhistory fact WHERE fact.connection_id = told.connection_id
            AND fact.source = told.source AND fact.day = told.day AND fact.observed_at <= %(then)s
        )
    END AS was_known
    FROM costs_daydigest told JOIN asked ON asked.id = told.connection_id
    WHERE told.day >= %(start)s AND told.day < %(end)s AND told.source = ANY(%(read)s)
"""
_STORED = """
    SELECT DISTINCT ON (told.connection_id, told.day) told.*
    FROM told JOIN asked ON asked.id = told.connection_id
    WHERE told.source = ANY(%(sources)s)
    ORDER BY told.connection_id, told.day, told.was_known DESC, {first}
"""
_STATING = """
    SELECT DISTINCT told.connection_id, told.day, told.amount_usd
    FROM told WHERE told.source = ANY(%(stating)s) AND told.was_known
"""
_SETTLES = """(
    wanted.day::date + CASE asked.origin WHEN 'claude_ai' THEN %(reread_enterprise)s ELSE %(reread_platform)s END
)::timestamp AT TIME ZONE 'UTC'"""
_ENDS = "(wanted.day::date + 1)::timestamp AT TIME ZONE 'UTC'"
# What was read again after the moment asked about may have been read in time before it, too. Nobody knows, and a day
# that an older version stored does not even say when that was first.
_READ_BY_THEN = """(
    stored.as_of >= {moment} AND (
        %(then)s::timestamptz IS NULL OR stored.as_of <= %(then)s OR coalesce(stored.first_stored_at >= {moment}, false)
    )
)"""
_IS_FINAL = _READ_BY_THEN.format(moment=_SETTLES)
_PLACES = {f"at_{reason.value}": place for place, reason in enumerate(Reason)}
# Of each connection and day: is it stored, may it change, was it read whole, should it be there, and why is it not.
_EACH = f"""
    SELECT wanted.day::date AS day,
        coalesce(stored.was_known, false) AND (
            NOT %(needs)s OR stating.day IS NOT NULL OR asked.told_from IS NULL OR wanted.day < asked.told_from
            OR stored.row_count = 0
        ) AS is_stored,
        NOT {_IS_FINAL} AS is_provisional,
        stored.revised_at IS NOT NULL AND (%(then)s::timestamptz IS NULL OR stored.revised_at <= %(then)s) AS is_revised,
        {_READ_BY_THEN.format(moment=_ENDS)} AS is_whole,
        asked.until IS NULL OR wanted.day < asked.until AS is_wanted,
        CASE
            WHEN stored.day IS NOT NULL THEN %(at_not_read)s
            WHEN wanted.day < asked.api_from THEN %(at_before_api)s
            WHEN wanted.day < asked.since THEN %(at_outside_plan)s
            WHEN asked.until IS NOT NULL THEN %(at_disconnected)s
            WHEN asked.is_refused OR (asked.is_broken AND asked.is_upstreams) THEN %(at_refused)s
            WHEN asked.in_trouble OR asked.is_broken THEN %(at_failed)s
            ELSE %(at_not_read)s
        END AS reason
    FROM asked
    CROSS JOIN generate_series(%(start)s::date, %(end)s::date - 1, interval '1 day') AS wanted(day)
    LEFT JOIN stored ON stored.connection_id = asked.id AND stored.day = wanted.day::date
    LEFT JOIN stating ON stating.connection_id = asked.id AND stating.day = wanted.day::date AND {{answers}}
"""  # noqa: S608 - our own text
_DAYS: Mapping[Kind, str] = {
    kind: f"""
    WITH asked AS ({_ASKED.format(reports=_REPORTS[kind])}), told AS MATERIALIZED ({_TOLD}),
        stored AS ({_STORED.format(first=_FIRST_DIGEST[kind])}), stating AS ({_STATING}),
        one AS ({_EACH.format(answers=_ANSWERS[kind])})
    SELECT day, bool_or(is_stored),
        coalesce(bool_or(is_provisional) FILTER (WHERE is_stored), false),
        coalesce(bool_or(is_revised) FILTER (WHERE is_stored), false),
        coalesce(bool_and(is_whole) FILTER (WHERE is_stored), false),
        bool_or(is_wanted), min(reason) FILTER (WHERE is_wanted AND NOT is_stored)
    FROM one GROUP BY day ORDER BY day
"""  # noqa: S608 - our own text
    for kind in ("cost", "usage")
}


def read_coverage(scope: Scope) -> Coverage:
    """
    Say of every day of a range, through today, whether it is stored, how final it is, and why it is missing.

    Shape:   a disconnected connection whose history was kept should have what came before that; the days since are
             missing when nobody else of the scope has them
    Effects: one query
    """
    days = DayRange(scope.days.start, max(scope.days.start, min(scope.days.end, scope.today + _DAY)))
    if not len(days):
        return Coverage(scope, ())
    with database.cursor() as cursor:
        cursor.execute(_DAYS[scope.kind], _parameters(scope, days))
        rows = cursor.fetchall()
    if not rows:
        return Coverage(scope, tuple(_unconnected(day) for day in days.days()))
    found = tuple(_day(row) for row in rows)
    # Today is read when somebody asks. Beside stored days it is open, not lost.
    if scope.as_of is None and found[-1].day == scope.today and any(day.is_stored for day in found):
        found = (*found[:-1], _running(found[-1]))
    return Coverage(scope, found)


def narrowing(filters: Filters) -> Mapping[str, list[str] | None]:
    """Return by dimension which connections are asked about; None: all of them."""
    return {
        name: [value or "" for value in filters[name]] if filters.get(name) else None
        for name in ("connection", "origin", "cost_center")
    }


def _parameters(scope: Scope, days: DayRange) -> dict[str, Any]:
    late = [source for source in sources.SOURCES.values() if source.begins]
    stating = sources.stating(scope.kind, scope.filters)
    usual = _SOURCES[scope.kind]
    return {
        **_PLACES,
        "account": scope.account_id,
        **narrowing(scope.filters),
        "start": days.start,
        "end": days.end,
        "then": scope.as_of,
        "late": [source.name for source in late],
        "begins": [source.begins for source in late],
        "sources": usual,
        "needs": stating is not None,
        "stating": stating.sources if stating else [],
        "telling": stating.reports if stating else [],
        "read": sorted({*usual, *(stating.sources if stating else ())}),
        "reread_platform": max(1, settings.REREAD_DAYS_PLATFORM),
        "reread_enterprise": max(1, settings.REREAD_DAYS_ENTERPRISE),
    }


def _day(row: tuple[Any, ...]) -> Day:
    day, is_stored, is_provisional, is_revised, is_whole, is_wanted, place = row
    reason = None if place is None else tuple(Reason)[place]
    if not is_stored and not is_wanted:
        reason = Reason.DISCONNECTED
    return Day(day, is_stored, is_provisional, is_revised, is_whole, reason)


def _unconnected(day: dt.date) -> Day:
    return Day(
        day,
        is_stored=False,
        is_provisional=False,
        is_revised=False,
        is_read_whole=False,
        reason=Reason.NOT_READ,
    )


def _running(day: Day) -> Day:
    is_open = day.reason in {Reason.NOT_READ, Reason.FAILED}
    return replace(day, is_provisional=True, is_read_whole=False, reason=None if is_open else day.reason)


@dataclass(frozen=True, slots=True)
class Span:
    """First and last stored day of a connection; None before its first window."""

    data_from: dt.date | None
    data_through: dt.date | None


NOTHING_STORED = Span(None, None)


def spans(connection_ids: Collection[UUID]) -> Mapping[UUID, Span]:
    """
    Return first and last stored day by connection, of the days that each should have; one query.

    Shape:   connections without any are left out; a single older day that somebody synced is no beginning
    """
    wanted = DayDigest.objects.filter(
        connection_id__in=connection_ids, source__in=sources.BILLS, day__gte=F("connection__wanted_from")
    )
    ends = wanted.order_by().values("connection_id").annotate(first=Min("day"), last=Max("day"))
    return {row["connection_id"]: Span(row["first"], row["last"]) for row in ends}
