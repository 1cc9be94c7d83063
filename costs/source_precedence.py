"""Choose for each day of each connection the one report that answers a question; reports are never added together.

candidates of a day ─▶ its bill: the connection's own cost source, else another that is the whole bill
─▶ of the bill and all that agree with it to the last digit, the one that knows most
of what is filtered and grouped by
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection as database
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from costs import sources
from costs.sources import Kind, Ranking
from foundation.periods import DayRange

# A report that differs from the bill by a digit may have the keys and people of another day's bill: it is only
# shown in comparisons. Usage has no bill; the report that knows most answers.
_RANKED = """
    SELECT digest.connection_id, digest.source, digest.day, digest.amount_usd,
        array_position(%s::text[], digest.source::text) AS place,
        first_value(digest.source) OVER bill AS bill_source, first_value(digest.amount_usd) OVER bill AS billed_usd
    FROM {days} digest JOIN integrations_connection connection ON connection.id = digest.connection_id
    WHERE connection.account_id = %s AND digest.day >= %s AND digest.day < %s AND digest.source = ANY(%s)
    WINDOW bill AS (
        PARTITION BY digest.connection_id, digest.day
        ORDER BY digest.source = ANY(%s) DESC, digest.source = connection.cost_source DESC, digest.source
    )
"""
# What each report said of its days at a moment: one that came later cannot answer for what was known then.
_KNOWN_AT = """(
    SELECT fact.connection_id, fact.source, fact.day, sum(fact.amount_usd) AS amount_usd
    FROM costs_costhistory fact JOIN integrations_connection owner ON owner.id = fact.connection_id
    WHERE owner.account_id = %s AND fact.day >= %s AND fact.day < %s
    AND fact.observed_at <= %s AND (fact.superseded_at IS NULL OR fact.superseded_at > %s)
    GROUP BY fact.connection_id, fact.source, fact.day
)"""
# Days in a row have the same distance to their number in the row.
_RUNS = """
    SELECT connection_id, source, min(day), max(day) FROM (
        SELECT connection_id, source, day,
            day - (row_number() OVER (PARTITION BY connection_id, source ORDER BY day))::int AS run
        FROM ({chosen}) chosen
    ) numbered GROUP BY connection_id, source, run LIMIT %s
"""
# More ranges than this in one condition cost more to plan than they save.
MOST_RUNS = 200
# What narrows a question to some connections or reports, by the column that has it; any other filter is of rows.
_OF_CONNECTIONS = {
    "connection": "connection.id::text",
    "origin": "connection.origin",
    "cost_center": "connection.cost_center",
    "source": "chosen.source",
}
_AGREES = "bill_source = ANY(%s) AND (source = bill_source OR amount_usd = billed_usd)"


@dataclass(frozen=True, slots=True)
class SourceQuestion:
    """Whose days, and which dimensions have to be known: those filtered by, with their values, before those grouped by."""

    kind: Kind
    account_id: Any
    days: DayRange
    filters: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    group_by: Sequence[str] = ()
    as_of: dt.datetime | None = None

    @property
    def ranking(self) -> Ranking:
        """How well each report answers."""
        return sources.rank(self.kind, filters=self.filters, group_by=self.group_by)


def is_resolved_source(asked: SourceQuestion, table: str) -> RawSQL:
    """Return the condition on a fact's row that its report is the one chosen for its day."""
    chosen, parameters = _chosen(asked)
    return RawSQL(  # noqa: S611 - our own text; whatever a person sends is a parameter
        f"({table}.connection_id, {table}.source, {table}.day) IN ({chosen})",
        parameters,
        output_field=BooleanField(),
    )


def resolved_days(asked: SourceQuestion, table: str) -> Q | RawSQL:
    """
    Return the condition on a fact or a sum that its report is the one chosen for its day, as ranges of days.

    One report answers for long runs of days, and of a handful of ranges the database knows how many rows they
    have, while `is_resolved_source` looks to it like one row: it would join day by day, and sort on disk.

    Effects: one query, at once; of too many runs the condition is the one of `is_resolved_source`
    """
    chosen, parameters = _chosen(asked)
    with database.cursor() as cursor:
        cursor.execute(_RUNS.format(chosen=chosen), [*parameters, MOST_RUNS + 1])
        runs = cursor.fetchall()
    if len(runs) > MOST_RUNS:
        return is_resolved_source(asked, table)
    found = Q(pk__in=[])
    for connection_id, source, first, last in runs:
        found |= Q(connection_id=connection_id, source=source, day__gte=first, day__lte=last)
    return found


@dataclass(frozen=True, slots=True)
class Offer:
    """
    The reports that some days of a connection have and that may answer, with their bill.

    Shape:   `expected` are those besides that are still to come for the last of the days
    """

    connection_id: Any
    bill: str | None
    sources: frozenset[str]
    expected: frozenset[str]


@dataclass(frozen=True, slots=True)
class Offers:
    """Which reports could answer for the days of some ranges; days without a row are left out."""

    kind: Kind
    offers: Sequence[Offer]

    def lacking(self, filters: Collection[str], group_by: Sequence[str]) -> frozenset[str]:
        """
        Return which dimensions of a question are not stated on some days, though they are on others, or will be.

        Shape:   connection by connection: what no report of a connection states is null on all of its days, which
                 makes no group appear or vanish
        """
        ranking = sources.rank(self.kind, filters=filters, group_by=group_by)
        scores = dict(zip(ranking.names, ranking.scores, strict=True))

        def stated(bill: str | None, offered: Collection[str]) -> frozenset[str]:
            best = max(offered, key=lambda name: (scores[name], name == bill, -ranking.names.index(name)))
            return sources.SOURCES[best].dimensions

        possible: defaultdict[Any, frozenset[str]] = defaultdict(frozenset)
        for offer in self.offers:
            possible[offer.connection_id] |= stated(offer.bill, offer.sources | offer.expected)
        asked = sources.DIMENSIONS.intersection((*filters, *group_by))
        missed = (possible[each.connection_id] - stated(each.bill, each.sources) for each in self.offers)
        return asked.intersection(frozenset[str]().union(*missed))


# The reports that are read for a connection, each from its first day on.
_READ = """
    FROM integrations_report report JOIN integrations_connection owner ON owner.id = report.connection_id
    WHERE report.connection_id = offers.connection_id AND report.kind IN ('cost', 'usage') AND NOT report.is_refused
    AND report.wanted_from IS NOT NULL AND owner.disconnected_at IS NULL
"""


def read_offers(asked: SourceQuestion, ranges: Sequence[DayRange]) -> Offers:
    """Return which reports could answer for the days of the ranges; one query."""
    ranked, agrees, (parameters, agreeing) = _ranked(asked)
    condition, values = _of_connections(asked)
    starts, ends = [days.start for days in ranges], [days.end for days in ranges]
    with database.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT connection_id, bill_source, offered, max(day),
                ARRAY(SELECT report.stream::text {_READ} ORDER BY report.id), ARRAY(SELECT report.wanted_from {_READ} ORDER BY report.id)
            FROM (
                SELECT chosen.connection_id, chosen.day, min(chosen.bill_source) AS bill_source,
                    array_agg(chosen.source::text ORDER BY chosen.source) AS offered
                FROM (SELECT * FROM ({ranked}) ranked WHERE {agrees}) chosen
                JOIN unnest(%s::date[], %s::date[]) AS shown(first, last)
                    ON chosen.day >= shown.first AND chosen.day < shown.last
                JOIN integrations_connection connection ON connection.id = chosen.connection_id
                LEFT JOIN costs_daydigest known ON known.connection_id = chosen.connection_id
                    AND known.source = chosen.source AND known.day = chosen.day
                WHERE true {condition}
                GROUP BY chosen.connection_id, chosen.day HAVING bool_or(coalesce(known.row_count, 1) > 0)
            ) offers GROUP BY connection_id, bill_source, offered
            """,  # noqa: S608 - our own text
            [*parameters, *agreeing, starts, ends, *values],
        )
        rows = cursor.fetchall()
    return Offers(
        asked.kind,
        [
            Offer(
                pk,
                bill,
                frozenset(names),
                _expected(asked.kind, dict(zip(reports, begins, strict=True)), last),
            )
            for pk, bill, names, last, reports, begins in rows
        ],
    )


def _expected(kind: Kind, begins: Mapping[str, dt.date], day: dt.date) -> frozenset[str]:
    """Return the reports that are read for a day; shares only where the report that names keys itself is not."""
    reports = {name for name, first in begins.items() if first <= day}
    found = {name for name in reports if name in sources.SOURCES and sources.SOURCES[name].kind == kind}
    if kind == "cost" and sources.NATIVE not in reports and reports.intersection(sources.SHARED_BY):
        found.add(sources.ALLOCATED)
    return frozenset(found)


def sources_used(asked: SourceQuestion) -> list[str]:
    """Return the reports that answer for at least one day of a connection asked about, in their order of preference."""
    chosen, parameters = _chosen(asked)
    condition, values = _of_connections(asked)
    text = f"""
        SELECT DISTINCT chosen.source FROM ({chosen}) chosen
        JOIN integrations_connection connection ON connection.id = chosen.connection_id WHERE true {condition}
    """  # noqa: S608 - our own text
    with database.cursor() as cursor:
        cursor.execute(text, [*parameters, *values])
        found = {source for (source,) in cursor.fetchall()}
    return [name for name in asked.ranking.names if name in found]


def _of_connections(asked: SourceQuestion) -> tuple[str, list[Any]]:
    """Return the condition that narrows chosen days to the connections asked about, and its parameters."""
    names = [name for name in _OF_CONNECTIONS if name in asked.filters]
    condition = "".join(f" AND {_OF_CONNECTIONS[name]} = ANY(%s)" for name in names)
    return condition, [[value for value in asked.filters[name] if value is not None] for name in names]


def _ranked(asked: SourceQuestion) -> tuple[str, str, tuple[list[Any], list[Any]]]:
    """Return the days of every report, the condition under which one may answer, and the parameters of either."""
    ranking, days = asked.ranking, asked.days
    of_then: list[Any] = []
    if asked.as_of:
        of_then = [asked.account_id, days.start, days.end, asked.as_of, asked.as_of]
    parameters: list[Any] = [
        ranking.names, *of_then, asked.account_id, days.start, days.end, ranking.names, sources.BILLS,
    ]  # fmt: skip
    ranked = _RANKED.format(days=_KNOWN_AT if asked.as_of else "costs_daydigest")
    if asked.kind == "cost":
        return ranked, _AGREES, (parameters, [sources.BILLS])
    return ranked, "true", (parameters, [])


def _chosen(asked: SourceQuestion) -> tuple[str, list[Any]]:
    ranked, agrees, (parameters, agreeing) = _ranked(asked)
    bill_first = "source = bill_source DESC," if asked.kind == "cost" else ""
    chosen = f"""
        SELECT DISTINCT ON (connection_id, day) connection_id, source, day
        FROM ({ranked}) ranked WHERE {agrees}
        ORDER BY connection_id, day, (%s::int[])[place] DESC, {bill_first} place
    """  # noqa: S608 - our own text
    return chosen, [*parameters, *agreeing, asked.ranking.scores]
