"""The world: the same in every process, changed only by order, and told truthfully afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.error import HTTPError

import pytest

from devtools.simulator.keys import key_text
from devtools.simulator.process import Simulator

from .caller import TODAY, Caller, rows, total_usd

FULL = ("workspace_id", "description")
DAY = date(2026, 11, 18)
ONE_DAY = ("2026-11-18", "2026-11-19")
ROOT = Path(__file__).resolve().parents[2]


def day_usd(sim, slug):
    return sim.truth(slug, DAY, date(2026, 11, 19)).total_usd


class TestDeterminism:
    def test_another_process_tells_the_same_story_in_another_order(self, call, sim):
        slugs = ["cedar-group", "org-00017", "acorn-studio"]
        here = {slug: call(slug).report("2026-10-25", "2026-11-21", *FULL).json for slug in slugs}

        with Simulator.start(seed=1, today=TODAY, organisations=10_000) as other:
            there = {
                s: Caller(other.base_url, s).report("2026-10-25", "2026-11-21", *FULL).json
                for s in reversed(slugs)
            }
            names = [o["name"] for o in other.organisations(limit=6)]

        assert here == there
        assert names == [o["name"] for o in sim.organisations(limit=6)]

    def test_another_seed_tells_another_story(self, sim):
        with Simulator.start(seed=2, today=TODAY) as other:
            assert (
                other.truth("cedar-group", DAY, TODAY).total_usd
                != sim.truth("cedar-group", DAY, TODAY).total_usd
            )
            assert other.organisations(limit=1)[0]["id"] != sim.organisations(limit=1)[0]["id"]

    def test_ten_thousand_organisations_are_there_when_asked(self, call, sim):
        last = sim.organisations(organisation="org-09999")[0]

        assert call("org-09999").get("/v1/organizations/me").json["id"] == last["id"]
        assert sim.organisations(organisation=last["id"]) == [last]


class TestChanges:
    @pytest.mark.parametrize("change", [{"factor": "1.0375"}, {"delta": "-0.0123456789"}])
    def test_restate_day(self, call, sim, change):
        caller, before = call("org-00020"), day_usd(sim, "org-00020")

        done = sim.world("org-00020", "restate_day", day=DAY, **change)

        after = day_usd(sim, "org-00020")
        assert after == Decimal(done["after_usd"]) != before == Decimal(done["before_usd"])
        assert total_usd(caller.buckets(*ONE_DAY, *FULL)) == after
        sim.world("org-00020", "restore_day", day=DAY)
        assert day_usd(sim, "org-00020") == before

    def test_vanish_row(self, call, sim):
        caller = call("org-00021")
        before = rows(caller.buckets(*ONE_DAY, *FULL))

        sim.world("org-00021", "vanish_row", day=DAY, index=1)

        after = caller.buckets(*ONE_DAY, *FULL)
        assert rows(after) == [before[0], *before[2:]]
        assert total_usd(after) == day_usd(sim, "org-00021")

    def test_add_row(self, call, sim):
        before = day_usd(sim, "org-00022")

        sim.world("org-00022", "add_row", day=DAY, amount_cents="0.00000000000001", description="New thing")

        buckets = call("org-00022").buckets(*ONE_DAY, *FULL)
        assert rows(buckets)[-1]["description"] == "New thing"
        assert total_usd(buckets) == day_usd(sim, "org-00022") == before + Decimal("0.0000000000000001")

    def test_keys_are_rotated_and_revoked(self, call, sim):
        caller = call("org-00023")

        new = sim.world("org-00023", "new_key")["key"]
        sim.world("org-00023", "revoke_key", key=key_text("org-00023"))

        assert new == key_text("org-00023", serial=2)
        assert caller.get("/v1/organizations/me").status == 401
        assert caller.get("/v1/organizations/me", headers={"x-api-key": new}).status == 200

    def test_workspaces_are_renamed_archived_and_added(self, call, sim):
        caller, path = call("org-00041"), "/v1/organizations/workspaces"
        before = sim.truth("org-00041", DAY, date(2026, 11, 21))
        first, second = (workspace["id"] for workspace in caller.get(path, "limit=2").json["data"])

        sim.world("org-00041", "rename_workspace", workspace_id=first, name="Renamed")
        sim.world("org-00041", "archive_workspace", workspace_id=second)
        added = sim.world("org-00041", "add_workspace", name="Added")["workspace_id"]

        names = {workspace["id"]: workspace["name"] for workspace in caller.get(path).json["data"]}
        assert (names[first], names[added], second in names) == ("Renamed", "Added", False)
        assert sim.truth("org-00041", DAY, date(2026, 11, 21)) == before
        sim.set_clock("2026-12-01T12:00:00Z")
        later = sim.truth("org-00041", date(2026, 11, 23), date(2026, 11, 28), group_by="workspace_id")
        assert (added in later.groups, second in later.groups) == (True, False)

    def test_rename_organisation(self, call, sim):
        sim.world("org-00024", "rename_organisation", name="Renamed Ltd")

        assert call("org-00024").get("/v1/organizations/me").json["name"] == "Renamed Ltd"

    @pytest.mark.parametrize(
        "order",
        [
            {"action": "paint"},
            {"action": "restate_day", "day": DAY},
            {"action": "restate_day", "day": DAY, "factor": "much"},
            {"action": "vanish_row", "day": DAY, "index": 10_000},
            {"action": "rename_workspace", "workspace_id": "wrkspc_none", "name": "x"},
        ],
    )
    def test_an_order_that_makes_no_sense_changes_nothing(self, sim, order):
        before = day_usd(sim, "org-00025")

        with pytest.raises(HTTPError) as refused:
            sim.world("org-00025", **order)

        refused.value.close()
        assert (refused.value.code, day_usd(sim, "org-00025")) == (400, before)


class TestLog:
    def test_holds_what_arrived_and_only_the_end_of_the_key(self, call, sim):
        caller = call("org-00030")
        caller.get("/v1/organizations/me")
        caller.get("/v1/organizations/workspaces", "limit=3")

        log = sim.requests(organisation="org-00030")

        assert [(entry["path"], entry["query"], entry["status"]) for entry in log] == [
            ("/v1/organizations/me", "", 200),
            ("/v1/organizations/workspaces", "limit=3", 200),
        ]
        assert {entry["key_hint"] for entry in log} == {key_text("org-00030")[-4:]}
        assert key_text("org-00030") not in json.dumps(log)
        assert sim.requests(organisation="org-00030", since_seq=log[0]["seq"]) == log[1:]

    def test_tells_which_fault_struck_and_whether_an_answer_arrived(self, call, sim):
        caller = call("org-00033")
        sim.fault("connection_reset", organisation="org-00033")
        sim.fault("slow", organisation="org-00033", seconds=0.01)

        with pytest.raises(ConnectionResetError):
            caller.get("/v1/organizations/me")
        caller.get("/v1/organizations/me")

        log = sim.requests(organisation="org-00033")
        assert [(entry["fault"], entry["status"]) for entry in log] == [
            ("connection_reset", None),
            ("slow", 200),
        ]

    def test_judges_the_rate(self, call, sim):
        caller = call("org-00031")
        for _ in range(6):
            caller.get("/v1/organizations/me")

        assert sim.rate(1, 6, organisation="org-00031")["ok"] is True
        verdict = sim.rate(1, 4, organisation="org-00031")
        assert verdict["ok"] is False
        assert 1.8 < verdict["excess"] <= 2
        assert verdict["worst"]["requests"] == 6

    def test_enforces_a_limit_when_asked(self, call, sim):
        caller = call("org-00032")
        sim.set_limit(60, 3, organisation="org-00032")

        replies = [caller.get("/v1/organizations/me") for _ in range(4)]

        assert [reply.status for reply in replies] == [200, 200, 200, 429]
        assert replies[-1].headers["retry-after"] == "1"
        sim.set_limit(None, organisation="org-00032")
        assert caller.get("/v1/organizations/me").status == 200


class TestProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_at_once(self, number):
        with Simulator.start() as simulator:
            os.kill(simulator.pid, number)
            started = time.monotonic()

            assert simulator._process.wait(timeout=5) == 0
            assert time.monotonic() - started < 1

    def test_it_ends_with_its_parent(self):
        program = "from devtools.simulator.process import Simulator; import os; s = Simulator.start(); print(s.pid, flush=True); os._exit(0)"
        parent = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        )

        deadline = time.monotonic() + 5
        while Path(f"/proc/{parent.stdout.strip()}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{parent.stdout.strip()}").exists()

    def test_a_failed_start_says_so(self, capfd):
        with pytest.raises(RuntimeError, match="status 2"):
            Simulator.start(port="nowhere")
        assert "invalid int value" in capfd.readouterr().err
