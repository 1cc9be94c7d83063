"""Choose which of two reports is a connection's bill: only between reports that agree on every final day."""

import datetime as dt

from django.db import transaction

from accounts import audit
from accounts.actions import difference
from costs import api_versions, attribution, freshness
from costs.api_versions import Comparison
from foundation.periods import DayRange
from integrations.models import Connection
from workers import lanes, reports, states
from workers.clock import database_now


class ApiVersionsDifferError(Exception):
    """The report cannot become the bill; the message says why."""


def choose(connection: Connection, source: str, *, actor: str) -> None:
    """
    Make a report the bill of its connection; the other one goes on in its shadow.

    Raises:  ApiVersionsDifferError — not a report of this surface, refused to the key, or both differ on a final day
    Effects: every sum is read from the chosen report from now on; shares of keys and people follow; audited
    """
    with transaction.atomic():
        lanes.hold(connection.organization_id, reports.families(connection))
        current = states.find_and_hold(connection)
        if current is None or current.is_disconnected:
            raise ApiVersionsDifferError("This connection was disconnected meanwhile.")
        if current.cost_source == source:
            return
        final = _final_days(current)
        _refuse_unless_equal(current, source, final)
        before, current.cost_source = current.cost_source, source
        current.save(update_fields=["cost_source"])
        # On days on which both agree, the shares are the same whichever of them is the bill.
        differing = {day for day in reports.billed_days(current) if day not in final}
        attribution.refresh(reports.connected(current), differing, observed_at=database_now())
        audit.record(
            current.account, actor, "connection.cost_source_chosen", current.label, target_id=current.pk,
            report=difference(before, source),
        )  # fmt: skip
    connection.refresh_from_db()


def _final_days(connection: Connection) -> DayRange:
    """Return the days that upstream does not correct any more, on which both reports must agree."""
    today = database_now().date()
    last = max(connection.wanted_from, today - dt.timedelta(days=freshness.reread_days(connection.origin)))
    return DayRange(connection.wanted_from, last)


def _refuse_unless_equal(connection: Connection, source: str, final: DayRange) -> None:
    if not connection.reports.filter(report_name=source, is_bill=True, is_refused=False).exists():
        raise ApiVersionsDifferError(f"{source} is not read for this connection.")
    compared = api_versions.compare(connection.pk, connection.cost_source, source, final)
    if not compared.days_compared:
        raise ApiVersionsDifferError(
            "There is no final day yet that both reports have. Wait for their backfill."
        )
    if compared.days_different:
        raise ApiVersionsDifferError(_worded(compared))


def _worded(compared: Comparison) -> str:
    first = compared.days_different[0]
    return (
        f"The reports differ on {len(compared.days_different)} of {compared.days_compared} final days, first on "
        f"{first.day} by {first.difference_usd} USD. See the comparison of both attempts."
    )
