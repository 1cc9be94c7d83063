"""Row 3 of the matrix: the web server killed while it connects, rotates a key, or queues a sync."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable

import pytest

from tests.faults.lab import IS_FULL, MONTH, Lab
from tests.faults.verdict import judge, rest

pytestmark = pytest.mark.faults

TIMES = 10 if IS_FULL else 2


def kill_web_during(lab: Lab, act: Callable[[], object], within: float) -> None:
    """kill -9 of all of web at a random moment of a call; start it again."""

    def call() -> None:
        # What a caller sees when the server dies.
        with contextlib.suppress(OSError, http.client.HTTPException):
            act()

    caller = threading.Thread(target=call)
    caller.start()
    time.sleep(lab.chance.uniform(0.02, within))
    lab.kill("web")
    caller.join()
    lab.start_web()


def test_killed_while_connecting(lab: Lab) -> None:
    """Row 3: the key is stored once or not at all, and with it its run; the next try says which."""
    lab.run_engine()
    slug = lab.fresh_slug()
    key = lab.key_of(slug)
    lab.plan(MONTH)
    for _ in range(TIMES):
        kill_web_during(
            lab, lambda: lab.call("POST", "connections/", {"provider": "anthropic", "api_key": key}), 0.4
        )
        counts = lab.rows(
            "SELECT (SELECT count(*) FROM integrations_connection), (SELECT count(*) FROM integrations_credential), "
            "(SELECT count(*) FROM workers_syncrun)"
        )[0]
        assert counts in {(0, 0, 0), (1, 1, 1)}
    status, answer = lab.call("POST", "connections/", {"provider": "anthropic", "api_key": key})
    assert status == 201 or answer["code"] == "already_connected", answer

    rest(lab)
    (connection_id,) = lab.rows("SELECT id FROM integrations_connection")[0]
    judge(lab, lab.known(connection_id, slug))


def test_killed_while_rotating_and_syncing(lab: Lab) -> None:
    """Row 3: the old key or the new one, never half of each; one force sync however often it is asked for."""
    lab.run_engine()
    connection = lab.connect(days=MONTH)
    rest(lab)
    for _ in range(TIMES):
        key = lab.new_key(connection.slug)
        kill_web_during(
            lab,
            lambda key=key: lab.call("POST", f"connections/{connection.id}/rotate-key/", {"api_key": key}),
            0.4,
        )
    hint = lab.value("SELECT key_hint FROM integrations_connection")
    lab.kill("worker-1")
    kill_web_during(lab, lambda: lab.call("POST", f"connections/{connection.id}/sync/", {}), 0.15)
    status, run = lab.call("POST", f"connections/{connection.id}/sync/", {})
    assert status in {200, 202}, run
    assert lab.value("SELECT count(*) FROM workers_syncrun WHERE trigger = 'force'") == 1
    last = lab.simulator.requests()[-1]["seq"]
    lab.start_worker()

    judge(lab, connection)
    # The stored key is the one whose hint is shown.
    assert {each["key_hint"] for each in lab.simulator.requests(since_seq=last)} == {hint[-4:]}
