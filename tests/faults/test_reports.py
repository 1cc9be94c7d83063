"""Row 1 of the matrix for every report at once: kills while usage, analytics and activity are fetched and written."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.faults.lab import MONTH, Connected, Lab
from tests.faults.verdict import judge, rest

pytestmark = pytest.mark.faults

# The short form of the other tests reads the bill only; here nothing is left out.
EVERY_REPORT = {"REPORTS_OFF": ""}
# Our columns by what upstream calls them.
COUNTS = {
    "uncached_input_tokens": "uncached_input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "cache_write_5m_tokens": "ephemeral_5m_input_tokens",
    "cache_write_1h_tokens": "ephemeral_1h_input_tokens",
    "web_search_requests": "web_search_requests",
}


@contextlib.contextmanager
def locked(lab: Lab, table: str) -> Iterator[None]:
    """Hold a table, so that whoever writes to it stands still in the middle of its transaction."""
    with lab.session() as session, session.transaction():
        session.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def standing(lab: Lab) -> int:
    """Count the transactions that wait for a lock."""
    return int(lab.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


def test_killed_while_every_report_is_read(lab: Lab) -> None:
    """Row 1: kill -9 inside the writes of both families at once, with a request under way, and inside a day's activity."""
    lab.run_engine(workers=0)
    lab.kill("web")
    lab.start_web(**EVERY_REPORT)
    connection = lab.connect(days=MONTH)

    with locked(lab, "costs_usagefact"):
        lab.start_worker(**EVERY_REPORT)
        # One waits for the table, the other for the connection, which one at a time writes.
        lab.eventually(lambda: standing(lab) == 2, "both families write their usage")
        lab.kill("worker-1")
    lab.simulator.fault("slow", organisation=connection.slug, path="analytics/usage", seconds=2, times=1)
    lab.start_worker(**EVERY_REPORT)
    lab.eventually(lambda: lab.simulator.faults()[0]["struck"], "usage is being fetched again")
    lab.kill("worker-1")
    with locked(lab, "costs_activityfact"):
        lab.start_worker(**EVERY_REPORT)
        lab.eventually(lambda: standing(lab) == 1, "a day's activity is written")
        lab.kill("worker-1")
    lab.start_worker(**EVERY_REPORT)

    rest(lab)
    judge(lab, connection)
    judge_usage(lab, connection)
    judge_analytics(lab, connection)
    # What has no truth of its own here, Claude Code, at least is what was answered; like everything else.
    replayed = lab.manage("replay", "--connection", connection.id)
    assert "Equal" in replayed.stdout, replayed.stdout + replayed.stderr
    assert lab.value("SELECT count(*) FROM costs_daydigest WHERE source = 'claude_code'") == MONTH + 1
    assert lab.value("SELECT count(*) FROM costs_activityfact") > 0


def ended_days(lab: Lab, connection: Connected) -> tuple[dt.date, dt.date]:
    """The days that were read and have ended; of today the reports know different hours."""
    first, end = lab.rows(
        "SELECT min(from_day), max(to_day) FROM workers_syncrun WHERE connection_id = %s", connection.id
    )[0]
    return first, end - dt.timedelta(days=1)


def judge_usage(lab: Lab, connection: Connected) -> None:
    first, end = ended_days(lab, connection)
    truth = lab.simulator.usage_truth(connection.organization_id, first, end, group_by="model")
    sums = ", ".join(f"sum({name})" for name in COUNTS)
    for source in ("usage_report", "analytics_usage", "analytics_usage_serving"):
        rows = lab.rows(
            f"SELECT model, {sums} FROM costs_usagefact WHERE source = %s AND day >= %s AND day < %s GROUP BY model",  # noqa: S608
            source, first, end,
        )  # fmt: skip
        stored = {model: dict(zip(COUNTS, map(int, values), strict=True)) for model, *values in rows}
        true = {
            model: {ours: counts[theirs] for ours, theirs in COUNTS.items()}
            for model, counts in truth.groups.items()
        }
        assert stored == true, source


def judge_analytics(lab: Lab, connection: Connected) -> None:
    first, end = ended_days(lab, connection)
    truth = lab.simulator.analytics_truth(connection.organization_id, first, end)
    for source in ("analytics_cost", "analytics_cost_serving"):
        rows = lab.rows(
            "SELECT day, sum(amount_usd) FROM costs_costfact WHERE source = %s AND day >= %s AND day < %s GROUP BY day",
            source, first, end,
        )  # fmt: skip
        assert dict(rows) == {day: net for day, (net, _) in truth.days.items() if net != Decimal(0)}, source
