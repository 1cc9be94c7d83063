"""Fills the database with connections of simulated organisations, as connecting each of them would.

Import only on a prepared ground (devtools/bench/ground.py): this module uses the product's models.
"""

import datetime as dt
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection as database
from django.db import transaction

from accounts.models import Account
from devtools.simulator.process import Simulator
from foundation.queues import key_of
from integrations import vault
from integrations.models import Connection, Status
from workers.bucket import redis_client
from workers.clock import database_now
from workers.models import PRIORITY, Lane, SyncRun, SyncStep, Trigger

STEP_DAYS = 7
_A_TENANT = 20
_PAGE = 2000
# Of one size, so that connection 9,000 costs what connection 9 does: two workspaces, about 100 rows in 7 days.
_SIZE = "small"
_TABLES = (
    "workers_page, workers_syncstep, workers_syncrun, costs_costfact, costs_supersededcost, costs_daydigest, "
    "costs_dailycost, costs_restatement, costs_resourcename, costs_resource, alerts_outboxmessage"
)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A simulated organisation that can be connected."""

    id: str
    name: str
    key: str


def organisations(simulator: Simulator, count: int, *, since: dt.date | None = None) -> list[Organisation]:
    """Find so many organisations of one size; `since`: that already had usage on this day."""
    found: list[Organisation] = []
    offset = 4  # the named ones of the demo stand apart
    while len(found) < count:
        page = simulator.organisations(limit=_PAGE, offset=offset)
        if not page:
            raise ValueError(f"the simulator has only {len(found)} fitting organisations")
        found += [
            Organisation(each["id"], each["name"], each["admin_key"])
            for each in page
            if each["size"] == _SIZE and (since is None or each["first_day"] <= since.isoformat())
        ]
        offset += _PAGE
    return found[:count]


def connect(
    found: Sequence[Organisation], *, spare_tokens: float, with_keys: bool = True
) -> list[Connection]:
    """
    Store accounts, connections, sealed keys and idle lanes.

    Units:   `spare_tokens` is the level of each bucket in tokens of a minute, varied by up to one more
    """
    now = database_now()
    accounts = [Account(name=f"Tenant {number}") for number in range(-(-len(found) // _A_TENANT))]
    connections = [
        Connection(
            account=accounts[number // _A_TENANT],
            origin="claude_platform",
            label=f"{each.name} {number}",
            organization_id=each.id,
            organization_name=each.name,
            key_hint=f"sk-ant-admin01-…{each.key[-4:]}",
            status=Status.ACTIVE,
            backfill_days=365,
            wanted_from=now.date() - dt.timedelta(days=365),
            last_synced_at=now - dt.timedelta(hours=1),
            next_sync_at=now + dt.timedelta(hours=20),
            settled_through=_settled(),
        )
        for number, each in enumerate(found)
    ]
    draw = random.Random(1)
    lanes = [
        Lane(
            organization_id=each.id,
            family="classic",
            level_us=round((spare_tokens + draw.random()) * 60_000_000),
            level_at=now,
        )
        for each in found
    ]
    with transaction.atomic():
        Account.objects.bulk_create(accounts)
        Connection.objects.bulk_create(connections, batch_size=2000)
        Lane.objects.bulk_create(lanes, batch_size=2000)
        for connection, each in zip(connections, found, strict=True) if with_keys else ():
            vault.seal(connection, each.key)
    analyse()
    return connections


def analyse() -> None:
    """Do what autovacuum would have done by the time so many rows are there."""
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")


def forget_work() -> None:
    """Empty everything that syncing wrote, buckets and queues too; connections, keys and lanes stay, idle."""
    with database.cursor() as cursor:
        cursor.execute(f"TRUNCATE {_TABLES}")
        cursor.execute("UPDATE workers_lane SET state = 'idle', due_at = NULL, lease_token = NULL")
        # As after a year of quiet syncs: a daily sync reads the last seven days, not all that was never stored.
        cursor.execute("UPDATE integrations_connection SET settled_through = %s", [_settled()])
    _forget_buckets()
    redis_client().delete(key_of("lanes"), key_of("ticks"))


def _settled() -> dt.date:
    return database_now().date() - dt.timedelta(days=STEP_DAYS + 1)


def _forget_buckets() -> None:
    # Not a flush: a running worker keeps its bindings in Redis as well.
    client = redis_client()
    keys = list(client.scan_iter("tallystick:bucket:*", count=1000))
    for start in range(0, len(keys), 1000):
        client.delete(*keys[start : start + 1000])


def forget_all() -> None:
    """Empty the database of tenants and everything below."""
    forget_work()
    with transaction.atomic(), database.cursor() as cursor:
        # The audit log refuses to be emptied; this database is thrown away as a whole.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("TRUNCATE accounts_account, workers_lane CASCADE")


def queue_windows(connections: Sequence[Connection], windows: int) -> None:
    """
    Give each connection a backfill of so many windows of a week, newest first, and make its lane due.

    A window of a week holds about 100 rows, which is the step that the goals speak of.
    """
    today = database_now().date()
    lanes = dict(Lane.objects.values_list("organization_id", "id"))
    runs = [
        SyncRun(
            connection=each,
            lane_id=lanes[each.organization_id],
            trigger=Trigger.CONNECT,
            from_day=today - dt.timedelta(days=windows * STEP_DAYS),
            to_day=today,
            priority=PRIORITY[Trigger.CONNECT],
            steps_total=windows,
        )
        for each in connections
    ]
    steps = [
        SyncStep(
            run=run,
            position=number,
            report_name="cost_report",
            window_start=today - dt.timedelta(days=(number + 1) * STEP_DAYS),
            window_end=today - dt.timedelta(days=number * STEP_DAYS),
        )
        for run in runs
        for number in range(windows)
    ]
    with transaction.atomic():
        SyncRun.objects.bulk_create(runs, batch_size=2000)
        SyncStep.objects.bulk_create(steps, batch_size=2000)
        Lane.objects.filter(id__in=[run.lane_id for run in runs]).update(
            state=Lane.State.WAITING, due_at=database_now()
        )
    analyse()


def fill_with_idle_lanes(count: int) -> None:
    """Store so many connections whose daily sync and whose lanes are due tomorrow: the dispatcher's quiet hour."""
    found = [Organisation(f"org-{number}", f"Organisation {number}", "none") for number in range(count)]
    connect(found, spare_tokens=0, with_keys=False)
    with database.cursor() as cursor:
        cursor.execute("UPDATE workers_lane SET state = 'waiting', due_at = now() + interval '1 day'")
    analyse()


def refill(tokens: float, *, interval_us: int = 60_000_000) -> None:
    """Set every bucket's durable level, by which Redis is seeded: so many tokens and up to one more."""
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE workers_lane SET level_us = ((%s + random()) * %s)::bigint, level_at = now(), "
            "blocked_until = NULL",
            [tokens, interval_us],
        )
    _forget_buckets()


def wait_until_tomorrow() -> None:
    """Let every lane wait and every daily sync be due tomorrow, so that the dispatcher has only to look."""
    with database.cursor() as cursor:
        cursor.execute("UPDATE workers_lane SET state = 'waiting', due_at = now() + interval '1 day'")
        cursor.execute("UPDATE integrations_connection SET next_sync_at = now() + interval '1 day'")
    analyse()


def make_daily_due(
    connections: Sequence[Connection], spread: Callable[[Connection], dt.timedelta]
) -> dict[UUID, dt.datetime]:
    """Make the daily sync of each connection due at a moment from now on; give the moments."""
    now = database_now()
    due = {each.pk: now + spread(each) for each in connections}
    with database.cursor() as cursor:
        cursor.execute("UPDATE workers_lane SET state = 'idle', due_at = NULL WHERE state = 'waiting'")
        cursor.execute(
            """
            UPDATE integrations_connection connection SET next_sync_at = due.at
            FROM unnest(%s::uuid[], %s::timestamptz[]) AS due(id, at) WHERE connection.id = due.id
            """,
            [list(due), list(due.values())],
        )
    return due


def queue_year(connections: Sequence[Connection]) -> None:
    """Give each connection the backfill of a year that connecting it would; the worker plans its steps."""
    today = database_now().date()
    lanes = dict(Lane.objects.values_list("organization_id", "id"))
    SyncRun.objects.bulk_create(
        [
            SyncRun(
                connection=each,
                lane_id=lanes[each.organization_id],
                trigger=Trigger.CONNECT,
                from_day=today - dt.timedelta(days=365),
                to_day=today + dt.timedelta(days=1),
                priority=PRIORITY[Trigger.CONNECT],
            )
            for each in connections
        ],
        batch_size=2000,
    )
    Lane.objects.filter(organization_id__in=[each.organization_id for each in connections]).update(
        state=Lane.State.WAITING, due_at=database_now()
    )


def make_due(connection: Connection) -> dict[UUID, dt.datetime]:
    """Make the daily sync of one connection due now; give the moment."""
    now = database_now()
    Connection.objects.filter(pk=connection.pk).update(next_sync_at=now)
    return {connection.pk: now}
