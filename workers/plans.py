"""What an account's plan lets a connection fetch, and the older days that a larger plan brings."""

import datetime as dt
import functools
import operator

import structlog
from django.db import transaction
from django.db.models import Q

from accounts import audit
from accounts.models import Plan, backfill_days_of
from foundation.periods import DayRange
from integrations import connections
from integrations.models import Connection, Status
from workers import lanes, reports, runs, states
from workers.clock import database_now
from workers.models import Trigger

_log = structlog.get_logger(__name__)
_ACTOR = "plan"
_DEEPER_THAN_FILLED = functools.reduce(
    operator.or_,
    (Q(account__plan=plan, backfill_days__lt=backfill_days_of(plan)) for plan in Plan),
)
# These are filled, or being filled; the others say what is wrong with them, and go on with the older days afterwards.
_UNTROUBLED = frozenset({Status.PENDING, Status.ACTIVE})


def first_allowed_day(connection: Connection, today: dt.date) -> dt.date:
    """
    Return the first day that a person may have fetched.

    Shape:   what the plan includes today, or what it included when the connection was filled: a smaller plan takes
             no stored day away, and may still read it again
    """
    return min(connection.wanted_from, today - dt.timedelta(days=connection.account.backfill_days))


def follow() -> int:
    """
    Queue the older days of every live connection whose plan has become larger; return how many connections.

    Key:     a connection notes the depth that it was filled with, so asking again does nothing
    Effects: a backfill of the days before those wanted so far; a smaller plan changes nothing
    """
    grown = Connection.objects.filter(_DEEPER_THAN_FILLED, disconnected_at__isnull=True)
    return sum(_deepen(connection) for connection in grown.order_by("pk"))


def _deepen(connection: Connection) -> bool:
    with transaction.atomic():
        lanes.ensure_and_hold(connection.organization_id, reports.families(connection))
        current = states.find_and_hold(connection)
        if current is None:
            # Erased meanwhile, and its lanes with it: they were made anew just above.
            lanes.forget(connection.organization_id)
            return False
        if current.is_disconnected:
            return False
        depth = current.account.backfill_days
        if depth <= current.backfill_days:
            return False
        today = database_now().date()
        wanted, first = current.wanted_from, today - dt.timedelta(days=depth)
        current.backfill_days, current.wanted_from = depth, min(wanted, first)
        reports.deepen(current, today)
        reports.settle(current, today)
        current.save(update_fields=["backfill_days", "wanted_from", "settled_through"])
        if first < wanted:
            older = DayRange(first, wanted)
            runs.request_run(current, Trigger.CONNECT, older, requested_by=_ACTOR)
            if current.status in _UNTROUBLED:
                connections.set_state(current, Status.BACKFILLING)
            audit.record(
                current.account, _ACTOR, "connection.deepened", current.label, target_id=current.pk,
                from_day=str(older.start), to_day=str(older.end),
            )  # fmt: skip
    _log.info("connection_deepened", connection_id=str(connection.pk), backfill_days=depth)
    return True
