"""Rows 4 and 6 of the matrix: Redis killed, emptied, frozen, full, cut; messages lost, doubled, reordered, old."""

from __future__ import annotations

import time

import pytest

from foundation.queues import key_of
from tests.faults.lab import BURST, IS_FULL, MONTH, WAKE_SECONDS, Lab, long_form
from tests.faults.verdict import judge

pytestmark = pytest.mark.faults


def test_killed_and_restarted_empty(lab: Lab) -> None:
    """Row 4: kill -9 of Redis, its files lost, back after some seconds; workers and beat come back by themselves."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(2)
    lab.servers.redis.kill()
    lab.servers.redis.forget()
    time.sleep(60 if IS_FULL else 3)
    lab.servers.redis.start()
    lab.note_recovery("Redis killed, restarted empty: going on after its start")

    judge(lab, connection)


def test_flushed_again_and_again(lab: Lab) -> None:
    """Row 4: FLUSHALL in the middle, also right after connection tests: no organisation gets a second burst."""
    lab.run_engine()
    connection = lab.connect()
    for pages in (2, 5, 8):
        lab.until_pages(pages)
        with lab.servers.redis.client() as client:
            client.flushall()
        lab.note_recovery(f"FLUSHALL: going on (wake time-out {WAKE_SECONDS} s)")

    judge(lab, connection)


def test_flushed_after_connection_tests(lab: Lab) -> None:
    """Row 4: tokens that connection tests used are not given again after a flush."""
    connection = lab.connect(days=MONTH)
    for _ in range(3):
        for _ in range(BURST):
            lab.call("POST", f"connections/{connection.id}/test/", {})
        with lab.servers.redis.client() as client:
            client.flushall()
    lab.run_engine()

    judge(lab, connection)


def test_frozen_for_some_seconds(lab: Lab) -> None:
    """Row 4: Redis does not answer for longer than a client waits; no token means no request."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(2)
    with lab.frozen(lab.servers.redis.pid):
        time.sleep(20 if IS_FULL else 7)
    lab.note_recovery("Redis frozen (SIGSTOP): going on after SIGCONT")

    judge(lab, connection)


def test_out_of_memory(lab: Lab) -> None:
    """Row 4: Redis refuses every write and evicts nothing; workers may end, and go on when started again."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(2)
    with lab.servers.redis.client() as client:
        client.config_set("maxmemory", 1)
        time.sleep(5)
        client.config_set("maxmemory", 0)
    # Celery takes the refusal of its own bookkeeping for a bug and ends; whoever supervises starts it again.
    for name in lab.fallen():
        lab.kill(name)
    lab.run_engine()
    lab.note_recovery("Redis out of memory: going on after there is room")

    judge(lab, connection)


def test_slow_and_cut(lab: Lab) -> None:
    """Row 4: a fifth of a second on every answer, then every connection reset under its blocking pop, ten times."""
    lab.run_engine()
    connection = lab.connect()
    lab.servers.redis_path.latency_seconds = 0.2
    lab.until_pages(2)
    lab.servers.redis_path.latency_seconds = 0.0
    # The first of these froze a worker for good while it listened to remote control.
    for _ in range(10):
        lab.servers.redis_path.cut()
        time.sleep(lab.chance.uniform(0.05, 0.5))
    lab.note_recovery("connections to Redis reset: going on")

    judge(lab, connection)


@long_form
def test_half_open_connections(lab: Lab) -> None:
    """Row 4: the connections stay open and nothing ever comes; the health check of the broker finds out."""
    lab.run_engine()
    connection = lab.connect()
    lab.until_pages(2)
    lab.servers.redis_path.strand()
    lab.note_recovery("half-open connections to Redis: going on", seconds=120)

    judge(lab, connection)


def test_messages_lost_doubled_reordered_and_old(lab: Lab) -> None:
    """Row 6: what waits in the broker is deleted, copied, turned round, and mixed with another release's."""
    lab.run_engine()
    connections = [lab.connect(days=MONTH) for _ in range(4)]
    lane = lab.value("SELECT min(id) FROM workers_lane")
    with lab.servers.redis.client() as client:
        with lab.frozen(lab.processes["worker-1"].pid):
            lab.eventually(lambda: client.llen(key_of("ticks")) >= 3, "messages wait")
            waiting = client.lrange(key_of("ticks"), 0, -1)
            client.delete(key_of("ticks"), key_of("lanes"))
            client.rpush(key_of("ticks"), *waiting[::-1], *waiting)
        lab.send("workers.run_lane", lane_id=lane, colour="a parameter of a later release")
        lab.send("workers.run_lane", lane_id=10**9)
        lab.send("workers.tick", queue="ticks", since="an earlier release's")
        lab.send("workers.forgotten_task", lane_id=lane)
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            client.delete(key_of("lanes"))
            time.sleep(0.02)

    judge(lab, *connections)
