"""Keep, for each day whose bill names no key and no person, the shares of those who used it; written with the window.

A day of the Console's own cost report says which workspace spent, not through which key or who. Where the analytics
report of the day equals the bill to the last digit, it answers itself and nothing is kept here. Elsewhere (before
that API's history, where it is refused or differs) each billed amount is shared, see `allocation`.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from costs import allocation, ingest, sources
from costs.allocation import Weights, Who
from costs.models import CostFact, DayDigest, Resource, UsageFact
from costs.records import DIMENSIONS, DOLLAR_SHARE, TOKEN_SHARE, CostRecord, Origin
from costs.tables import read_extra
from costs.usage_records import TOKEN_COUNTS

_WHO = frozenset({"api_key_id", "actor_id"})
_NATIVE = sources.NATIVE
# Reports whose arrival changes what a share is.
MATTERS = frozenset({"cost_report", _NATIVE, "usage_report", "analytics_usage"})
# Dollars as weights: whole numbers of this part of a dollar.
_WEIGHT_STEP = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Connected:
    """
    The connection whose days are shared.

    Shape:   `native_from` is the first day the analytics report is expected to answer by itself, None if never:
             while it has not come yet, nothing is shared that it would make wrong a moment later
    """

    id: UUID
    cost_source: str
    native_from: dt.date | None


def refresh(connection: Connected, days: Collection[dt.date], *, observed_at: dt.datetime) -> None:
    """
    Bring the shares of these days up to date with what is stored.

    Key:     the same stored rows give the same shares, and write nothing
    Effects: facts and digests of the source `allocated`; call inside the transaction that changed the days
    """
    if not days:
        return
    bills = [connection.cost_source, *(name for name in sources.BILLS if name != connection.cost_source)]
    digests: dict[dt.date, dict[str, DayDigest]] = defaultdict(dict)
    for digest in DayDigest.objects.filter(connection_id=connection.id, day__in=days):
        digests[digest.day][digest.source] = digest
    for day, stored in digests.items():
        bill = next((stored[name] for name in bills if name in stored), None)
        if bill is None or sources.SOURCES[bill.source].dimensions >= _WHO:
            continue
        records = _shares_of_day(connection, bill, stored)
        if records is None or (not records and sources.ALLOCATED not in stored):
            continue
        window = ingest.Window(
            connection.id, sources.ALLOCATED, frozenset({day}), bill.as_of, observed_at, is_derived=True
        )
        ingest.replace_window(window, records)


def _shares_of_day(
    connection: Connected, bill: DayDigest, stored: Mapping[str, DayDigest]
) -> list[CostRecord] | None:
    """Return the shares of a day: none when the analytics report answers, None when there is nothing to share by yet."""
    native, day = stored.get(_NATIVE), bill.day
    if native and native.amount_usd == bill.amount_usd:
        return []
    if native is None and connection.native_from is not None and day >= connection.native_from:
        return None
    used = next((name for name in ("analytics_usage", "usage_report") if name in stored), None)
    if native is None and used is None:
        return None
    default = _default_workspace(connection.id)
    rows = [_record(fact) for fact in _costs(connection.id, bill.source, day)]
    if native:
        weights, method = _dollars(_costs(connection.id, _NATIVE, day), default), DOLLAR_SHARE
    else:
        weights, method = _tokens(connection.id, str(used), day, default), TOKEN_SHARE
    return allocation.allocate(rows, allocation.in_order(weights), method=method, default_workspace=default)


def _costs(connection_id: UUID, source: str, day: dt.date) -> Iterable[CostFact]:
    return CostFact.objects.filter(connection_id=connection_id, source=source, day=day)


def _record(fact: CostFact) -> CostRecord:
    return CostRecord(
        day=fact.day,
        origin=Origin(fact.origin),
        source=fact.source,
        amount_usd=fact.amount_usd,
        extra=read_extra(fact.extra),
        **{name: getattr(fact, name) for name in DIMENSIONS},
    )


def _dollars(facts: Iterable[CostFact], default: str | None) -> Weights:
    weights: Weights = {}
    for fact in facts:
        record = _record(fact)
        cell = allocation.cell_of(record, default)
        if cell:
            who = Who(record.api_key_id or "", record.actor_type or "", record.actor_id or "")
            allocation.add_weight(weights, cell, who, int(record.amount_usd / _WEIGHT_STEP))
    return weights


def _tokens(connection_id: UUID, source: str, day: dt.date, default: str | None) -> Weights:
    weights: Weights = {}
    for fact in UsageFact.objects.filter(connection_id=connection_id, source=source, day=day):
        who = Who(fact.api_key_id or "", fact.actor_type or "", fact.actor_id or "")
        workspace = None if fact.workspace_id == default else fact.workspace_id
        counts = {name: getattr(fact, name) for name in (*TOKEN_COUNTS, allocation.SEARCHES)}
        for name, count in {**fact.other_counts, **counts}.items():
            cell = allocation.cell_of_count(workspace, fact.model, fact.service_tier, name)
            allocation.add_weight(weights, cell, who, count)
    return weights


def _default_workspace(connection_id: UUID) -> str | None:
    known = Resource.objects.filter(connection_id=connection_id, kind="workspace", is_default=True)
    return known.values_list("resource_id", flat=True).first()
