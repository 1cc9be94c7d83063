"""What must hold after every fault, judged by rows, the simulator's truth and its own log."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from itertools import accumulate
from typing import Any

from costs.records import DIMENSIONS, CostRecord, Origin, day_digest
from tests.faults.lab import BURST, PER_MINUTE, Connected, Lab

# Tokens are taken here and counted there: what lies between on a busy machine is at most this many requests'
# time (half a second each). A bucket granted anew would show as a whole burst more.
JITTER_REQUESTS = 1.5
_SETTLE_SECONDS = 90.0


def rest(lab: Lab, *, seconds: float = _SETTLE_SECONDS) -> float:
    """Wait until nothing is open: no run, no lane."""
    return lab.eventually(lab.is_at_rest, "everything comes to rest", seconds=seconds)


def judge(lab: Lab, *connections: Connected, jitter: float = JITTER_REQUESTS) -> None:
    """Wait for rest, then hold everything against the truth; the message lists whatever differs."""
    rest(lab)
    problems = [problem for each in connections for problem in _judge_connection(lab, each)]
    problems += _judge_engine(lab) + _judge_rate(lab, jitter) + _judge_logs(lab)
    assert problems == []


def _judge_connection(lab: Lab, connection: Connected) -> list[str]:
    name = connection.slug
    unfinished = lab.rows(
        "SELECT trigger, status, reason, detail FROM workers_syncrun WHERE connection_id = %s "
        "AND status <> 'cancelled' AND (status <> 'succeeded' OR steps_done <> steps_total)", connection.id
    )  # fmt: skip
    open_steps = lab.value(
        "SELECT count(*) FROM workers_syncstep s JOIN workers_syncrun r ON r.id = s.run_id "
        "WHERE r.connection_id = %s AND r.status = 'succeeded' AND s.status <> 'done'", connection.id
    )  # fmt: skip
    first, last = lab.rows(
        "SELECT min(from_day), max(to_day) FROM workers_syncrun WHERE connection_id = %s", connection.id
    )[0]
    truth = lab.simulator.truth(connection.slug, first, last, detail=True)
    facts = _facts(lab, connection)
    stored = Counter(
        (row["day"].isoformat(), row["workspace_id"], row["description"], row["amount_usd"]) for row in facts
    )
    true = Counter(
        (row["day"], row["workspace_id"], row["description"], Decimal(row["amount_usd"]))
        for row in truth.detail
    )
    state = lab.value("SELECT status FROM integrations_connection WHERE id = %s", connection.id)
    problems = [f"{name}: run {run}" for run in unfinished]
    problems += [f"{name}: {open_steps} steps open"] * bool(open_steps)
    problems += [f"{name}: is {state}"] * (state != "active")
    if stored != true:
        problems.append(
            f"{name}: {sum((true - stored).values())} rows missing, {sum((stored - true).values())} too many"
        )
    total = sum((row["amount_usd"] for row in facts), Decimal(0))
    problems += [f"{name}: total {total}, truth {truth.total_usd}"] * (total != truth.total_usd)
    shown = Decimal(
        lab.api.get("costs/summary/", **{"from": first, "to": last, "connection": connection.id})["total_usd"]
    )
    problems += [f"{name}: the API says {shown}, truth is {truth.total_usd}"] * (shown != truth.total_usd)
    return problems + _judge_digests(lab, connection, facts, len(truth.days))


def _judge_digests(lab: Lab, connection: Connected, facts: list[dict[str, Any]], days: int) -> list[str]:
    by_day = defaultdict(list)
    for row in facts:
        by_day[row["day"]].append(_record(row))
    digests = lab.rows(
        "SELECT day, digest, row_count, amount_usd FROM costs_daydigest "
        "WHERE connection_id = %s AND source = 'cost_report'",
        connection.id,
    )
    problems = [f"{connection.slug}: {len(digests)} days have a digest, not {days}"] * (len(digests) != days)
    for day, digest, count, amount in digests:
        records = by_day.pop(day, [])
        same = (len(records), sum((each.amount_usd for each in records), Decimal(0)), day_digest(records))
        if same != (count, amount, bytes(digest)):
            problems.append(f"{connection.slug}: the digest of {day} is not that of its rows")
    return problems + [f"{connection.slug}: {day} has rows and no digest" for day in by_day]


def _facts(lab: Lab, connection: Connected) -> list[dict[str, Any]]:
    columns = ("source", "day", "origin", *DIMENSIONS, "extra", "amount_usd", "list_amount_usd")
    listed = ", ".join(columns)
    rows = lab.rows(
        f"SELECT {listed} FROM costs_costfact WHERE connection_id = %s AND source = 'cost_report'",  # noqa: S608
        connection.id,
    )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _record(row: dict[str, Any]) -> CostRecord:
    return CostRecord(**{**row, "origin": Origin(row["origin"])})


def _judge_engine(lab: Lab) -> list[str]:
    doubled = [
        row
        for table in ("costs_costfact", "costs_usagefact", "costs_activityfact")
        for row in lab.rows(
            f"SELECT connection_id, source, day, count(*) FROM {table} "  # noqa: S608 - our own names
            "GROUP BY connection_id, source, day, row_key HAVING count(*) > 1"
        )
    ]
    orphans = lab.value(
        "SELECT count(*) FROM costs_costfact f LEFT JOIN integrations_connection c ON c.id = f.connection_id "
        "WHERE c.id IS NULL"
    )
    problems = [f"doubled: {row}" for row in doubled]
    problems += [f"{orphans} rows without a connection"] * bool(orphans)
    return problems + [f"{name} ended by itself" for name in lab.fallen()]


def _judge_rate(lab: Lab, jitter: float) -> list[str]:
    """Hold upstream's own log against the limit of each organisation and API family."""
    arrivals: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for each in lab.simulator.requests():
        if each["organisation"]:
            is_analytics = "/analytics/" in each["path"]
            arrivals[each["organisation"], is_analytics].append(each["monotonic_ns"] / 1e9)
    worst = max((_excess(sorted(seconds)) for seconds in arrivals.values()), default=0.0)
    lab.note("requests above capacity + rate × time (any test)", max(worst, 0.0))
    return [f"rate: {worst:.2f} requests too many"] * (worst > jitter)


def _excess(seconds: list[float]) -> float:
    """Return by how many requests the worst interval exceeds `BURST + rate × length`, both ends counted."""
    # An interval's excess is a difference of two terms, one for each of its ends.
    levels = [place - second * PER_MINUTE / 60 for place, second in enumerate(seconds)]
    lowest = accumulate(levels, min)
    return max(level + 1 - low - BURST for level, low in zip(levels, lowest, strict=True))


def _judge_logs(lab: Lab) -> list[str]:
    text = "".join(path.read_text("utf-8", "replace") for path in lab.logs.glob("*.log"))
    # Kind and last four characters may be shown.
    return [
        f"a log holds {key[-4:]}" for key in lab.known_secrets() if key[len("sk-ant-admin01-") : -4] in text
    ]
