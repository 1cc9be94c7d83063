"""Rows 8, 9 and 10 of the matrix: every way upstream can fail, through a real worker, each on an organisation of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults.lab import MONTH, Connected, Lab, long_form
from tests.faults.verdict import judge, rest

pytestmark = pytest.mark.faults


@dataclass(frozen=True)
class Case:
    """A fault upstream and the one cause a person must read for it."""

    kind: str
    reason: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.options or ''}".strip()


GONE, LIMIT, BAD = "upstream_unavailable", "rate_limited", "upstream_unreadable"
CASES = [
    # Row 8: statuses
    Case("status", BAD, {"status": 400, "message": "starting_at: unexpected value"}),
    Case("revoked", "key_rejected"),
    Case("missing_scope", "scope_missing"),
    Case("status", "key_wrong_kind", {"status": 403}),
    Case("status", BAD, {"status": 404}),
    Case("status", GONE, {"status": 408}),
    Case("status", GONE, {"status": 410}),
    Case("rate_limit_retry_after", LIMIT, {"seconds": 1}),
    Case("rate_limit_bare", LIMIT),
    Case("rate_limit_reset_header", LIMIT, {"seconds": 2}),
    Case("server_error", GONE),
    Case("gateway_html", GONE),
    Case("status", GONE, {"status": 503}),
    Case("status", GONE, {"status": 504}),
    Case("overloaded", GONE),
    # Row 9: transport and text
    Case("connection_reset", GONE),
    Case("hang", GONE, {"seconds": 30}),
    Case("hang", GONE, {"seconds": 30, "inside_body": True}),
    Case("cut_body", BAD),
    Case("html_200", BAD),
    Case("not_json", BAD),
    Case("wrong_content_type", BAD),
    Case("invalid_utf8", BAD),
    Case("nan_json", BAD),
    Case("huge_number", BAD),
    Case("duplicate_keys", BAD),
    # Row 10: meaning
    Case("repeat_page_token", BAD),
    Case("has_more_without_token", BAD),
    Case("day_outside_window", BAD),
    Case("bad_amount", BAD),
    Case("currency_eur", BAD),
]
NEEDS_PERSON = {"key_rejected", "scope_missing", "key_wrong_kind"}
# What is strange but true: totals stay exact while rows are split or carry values nobody has seen.
STRANGE = ("duplicate_rows", "negative_rows", "unknown_values")


def stored(lab: Lab, connection: Connected) -> str:
    rows = lab.rows(
        "SELECT day, row_key, amount_usd FROM costs_costfact WHERE connection_id = %s ORDER BY 1, 2",
        connection.id,
    )
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def change_world(lab: Lab, connection: Connected) -> None:
    """Restate one day, take a row from another, add one with fourteen decimals: what the next sync must find."""
    (last,) = lab.rows("SELECT max(day) FROM costs_costfact WHERE connection_id = %s", connection.id)[0]
    day = str(last)
    lab.simulator.world(connection.slug, "restate_day", day=day, factor="1.0137")
    lab.simulator.world(connection.slug, "vanish_row", day=day, index=0)
    lab.simulator.world(
        connection.slug, "add_row", day=day, amount_cents="-0.12345678901234", description="Adjustment"
    )


def test_each_upstream_fault_has_one_cause(lab: Lab) -> None:
    """Rows 8 to 10: one cause each, stored data untouched, exact again when upstream is well."""
    lab.run_engine()
    struck = {lab.connect(days=MONTH): case for case in CASES}
    rest(lab)
    for connection in struck:
        change_world(lab, connection)
    before = {connection: stored(lab, connection) for connection in struck}
    for connection, case in struck.items():
        lab.simulator.fault(
            case.kind, organisation=connection.slug, path="cost_report", times=-1, **case.options
        )
        lab.api.post(f"connections/{connection.id}/sync/", {})

    wrong = []
    lab.eventually(
        lambda: lab.value("SELECT count(*) FROM workers_syncrun WHERE trigger = 'force' AND reason <> ''") == len(CASES),
        "every force sync has met its fault",
    )  # fmt: skip
    for connection, case in struck.items():
        (reason,) = lab.rows(
            "SELECT reason FROM workers_syncrun WHERE trigger = 'force' AND connection_id = %s", connection.id
        )[0]
        state = lab.api.get(f"connections/{connection.id}/")
        expected = "error" if case.reason in NEEDS_PERSON else "degraded"
        if (reason, state["reason"], state["status"]) != (case.reason, case.reason, expected):
            wrong.append(f"{case}: {reason}, {state['reason']}, {state['status']}")
        if not (state["detail"] and state["remedy"]):
            wrong.append(f"{case}: nothing to read")
        if stored(lab, connection) != before[connection]:
            wrong.append(f"{case}: stored data changed")
    assert wrong == []

    lab.simulator.clear_faults()
    for connection, case in struck.items():
        if case.reason in NEEDS_PERSON:
            assert lab.api.post(f"connections/{connection.id}/test/", {})["ok"]
    lab.hurry()
    judge(lab, *struck)


def test_strange_but_true_reports(lab: Lab) -> None:
    """Row 10: duplicate rows, credits, values never seen: the totals are exact, and no sync fails."""
    lab.run_engine()
    connections = {lab.connect(days=MONTH): kind for kind in STRANGE}
    rest(lab)
    for connection, kind in connections.items():
        change_world(lab, connection)
        lab.simulator.fault(kind, organisation=connection.slug, path="cost_report", times=-1)
        lab.api.post(f"connections/{connection.id}/sync/", {})
    rest(lab)
    for connection in connections:
        total = lab.value(
            "SELECT sum(amount_usd) FROM costs_costfact WHERE connection_id = %s", connection.id
        )
        first, last = lab.rows(
            "SELECT min(from_day), max(to_day) FROM workers_syncrun WHERE connection_id = %s", connection.id
        )[0]
        assert total == lab.simulator.truth(connection.slug, first, last).total_usd
    lab.simulator.clear_faults()
    for connection in connections:
        lab.api.post(f"connections/{connection.id}/sync/", {})

    judge(lab, *connections)


def test_cursor_that_expires_while_paging(lab: Lab) -> None:
    """Row 8: 410 and 400 for a cursor in the middle of a window: again from page one, a generation later."""
    lab.run_engine()
    connections = [lab.connect(days=MONTH), lab.connect(days=MONTH)]
    rest(lab)
    for connection, kind in zip(connections, ("cursor_expired", "cursor_mismatch"), strict=True):
        lab.simulator.fault(kind, organisation=connection.slug, times=-1)
        # Makes a second page: a window of at most 31 days has only one.
        lab.simulator.fault("repeat_page_token", organisation=connection.slug, times=-1)
        lab.api.post(f"connections/{connection.id}/sync/", {})
    lab.eventually(
        lambda: (
            lab.value(
                "SELECT count(DISTINCT run_id) FROM workers_syncstep WHERE generation > 1 AND failures > 0"
            )
            == 2
        ),
        "both windows began again",
    )
    lab.simulator.clear_faults()
    # A request that was made before would be refused afterwards, and its window would wait again.
    lab.eventually(
        lambda: lab.value("SELECT count(*) FROM workers_lane WHERE state = 'leased'") == 0,
        "no request is under way",
    )
    lab.hurry()

    judge(lab, *connections)


@pytest.mark.parametrize(
    "way", ["refused", pytest.param("dns", marks=long_form), pytest.param("tls", marks=long_form)]
)
def test_upstream_out_of_reach(lab: Lab, way: str) -> None:
    """Row 9: connection refused, a name that does not resolve, TLS that is none."""
    lab.run_engine()
    connection = lab.connect(days=MONTH)
    rest(lab)
    port = lab.upstream_path.port
    if way == "refused":
        lab.upstream_path.refuse()
    else:
        address = {"dns": "https://no-such-host.invalid", "tls": f"https://127.0.0.1:{port}"}[way]
        lab.kill("worker-1")
        lab.start_worker(ANTHROPIC_BASE_URL=address)
    lab.api.post(f"connections/{connection.id}/sync/", {})
    lab.eventually(
        lambda: lab.api.get(f"connections/{connection.id}/")["reason"] == GONE, "the person reads the cause"
    )
    if way != "refused":
        lab.kill("worker-1")
        lab.start_worker()
    lab.upstream_path.heal()
    lab.hurry()

    judge(lab, connection)


# Measured: about 60 MB before, and a few times the largest body a client accepts (64 MiB) at worst.
_WORKER_PEAK_MB = 500


def test_memory_of_a_worker_is_bounded(lab: Lab) -> None:
    """Row 9: a gzip bomb of 512 MB and a page of 50 MB; the peak of the worker's memory is measured."""
    lab.run_engine()
    lab.kill("worker-1")
    lab.start_worker()
    bombed, flooded = lab.connect(days=MONTH), lab.connect(days=MONTH)
    rest(lab)
    lab.simulator.fault("gzip_bomb", organisation=bombed.slug, path="cost_report", megabytes=512)
    lab.simulator.fault("big_page", organisation=flooded.slug, path="cost_report", megabytes=50)
    for connection in (bombed, flooded):
        lab.api.post(f"connections/{connection.id}/sync/", {})
    lab.eventually(
        lambda: (
            all(each["struck"] for each in lab.simulator.faults())
            and lab.value("SELECT reason FROM integrations_connection WHERE id = %s", bombed.id) == BAD
        ),
        "both were met",
    )
    lab.hurry()
    judge(lab, bombed, flooded)

    peak = _peak_mb(lab.processes["worker-1"].pid)
    lab.note("MB of memory at most, worker after a 512 MB gzip bomb and a 50 MB page", peak)
    assert peak < _WORKER_PEAK_MB


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
