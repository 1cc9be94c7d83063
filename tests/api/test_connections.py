from __future__ import annotations

import uuid

import pytest

from accounts.models import AuditEvent
from costs.models import CostFact
from devtools.simulator.keys import INFERENCE, key_text
from integrations.models import Connection, Credential, Status
from tests.api.conftest import (
    ACORN,
    BIRCH,
    DAY,
    SIGN_IN_QUERIES,
    pointers,
    problem,
    record,
    store,
    stored_connection,
    utc,
)
from workers.models import SyncRun

FIELDS = {
    "id", "provider", "origin", "label", "cost_center", "organization", "key_hint", "status", "reason", "detail",
    "remedy", "data_from", "data_through", "last_synced_at", "next_sync_at", "backfill", "cost_source", "reports", "created_at",
}  # fmt: skip


class TestTestKey:
    def test_says_whose_key_it_is_and_stores_nothing(self, admin, simulator, acorn_key):
        answer = admin.post("connections/test/", {"api_key": acorn_key})

        found = answer.json()
        assert answer.status_code == 200
        assert found.keys() == {
            "ok", "origin", "organization", "capabilities", "reason", "detail", "remedy", "retry_after_seconds"
        }  # fmt: skip
        assert found["ok"] is True
        assert found["origin"] == "claude_platform"
        assert found["organization"].keys() == {"id", "name"}
        known = {one["name"]: one["ok"] for one in found["capabilities"]}
        assert (known["organization"], known["cost_report"], known["claude_code"]) == (True, True, None)
        assert not Connection.objects.exists()

    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            ("not a key", "key_malformed"),
            (key_text(ACORN, INFERENCE), "key_wrong_kind"),
            ("sk-ant-admin01-of-nobody-at-all-000000000", "key_rejected"),
        ],
    )
    def test_names_one_cause_and_what_to_do(self, admin, simulator, key, reason):
        found = admin.post("connections/test/", {"api_key": key}).json()

        assert (found["ok"], found["reason"]) == (False, reason)
        assert found["detail"]
        assert found["remedy"]

    def test_answers_for_an_upstream_that_is_down(self, admin, simulator, acorn_key):
        simulator.fault("server_error", times=-1)

        found = admin.post("connections/test/", {"api_key": acorn_key}).json()

        assert (found["ok"], found["reason"]) == (False, "upstream_unavailable")

    def test_needs_an_admin(self, editor, acorn_key):
        document = problem(editor.post("connections/test/", {"api_key": acorn_key}), 403)

        assert document["detail"] == "This needs the role admin; the token has editor."


class TestCreate:
    def test_connects_and_queues_the_backfill(self, admin, simulator, acorn_key, account):
        answer = admin.post(
            "connections/", {"provider": "anthropic", "api_key": acorn_key, "cost_center": "R&D"}
        )

        made = answer.json()
        assert answer.status_code == 201, answer.content
        assert answer["Location"] == f"http://testserver/api/v1/connections/{made['id']}/"
        assert made.keys() == FIELDS
        assert made["status"] == "backfilling"
        assert made["cost_center"] == "R&D"
        assert made["label"].startswith("Anthropic")
        assert made["backfill"]["days_total"] == 366
        assert made["backfill"]["days_done"] == 0
        assert made["backfill"]["requests_left"] > 0
        assert made["backfill"]["eta_at"].endswith("Z")
        assert SyncRun.objects.get().connection_id == uuid.UUID(made["id"])
        assert AuditEvent.objects.get(action="connection.created").actor == "token admin's"

    def test_never_shows_the_key(self, admin, simulator, acorn_key):
        body = {"provider": "anthropic", "api_key": acorn_key}

        texts = [admin.post("connections/", body).content, admin.get("connections/").content]

        assert not any(acorn_key.encode() in text for text in texts)

    def test_refuses_a_key_that_does_not_pass(self, admin, simulator):
        body = {"provider": "anthropic", "api_key": key_text(ACORN, INFERENCE)}

        document = problem(admin.post("connections/", body), 400)

        assert document["code"] == "key_wrong_kind"
        assert document["remedy"]
        assert pointers(document) == ["/api_key"]
        assert not Connection.objects.exists()

    def test_names_the_existing_connection(self, admin, connected, acorn_key):
        document = problem(admin.post("connections/", {"provider": "anthropic", "api_key": acorn_key}), 400)

        assert document["code"] == "already_connected"
        assert document["connection"] == str(connected.pk)

    @pytest.mark.parametrize(
        ("fault", "seconds"),
        [(("rate_limit_retry_after", {"seconds": 7}), 7), (("rate_limit_bare", {}), 60)],
    )
    def test_says_when_to_come_back_to_an_upstream_that_is_busy(
        self, admin, simulator, acorn_key, fault, seconds
    ):
        kind, options = fault
        simulator.fault(kind, times=-1, **options)

        answer = admin.post("connections/", {"provider": "anthropic", "api_key": acorn_key})

        found = problem(answer, 400)
        assert (found["code"], found["retry_after_seconds"]) == ("rate_limited", seconds)
        assert answer["Retry-After"] == str(seconds)

    def test_says_when_there_will_be_a_token(self, admin, simulator, acorn_key, settings):
        settings.ANTHROPIC_BURST = 1
        admin.post("connections/test/", {"api_key": acorn_key})

        answer = admin.post("connections/", {"provider": "anthropic", "api_key": acorn_key})

        found = problem(answer, 400)
        assert found["code"] == "rate_limited"
        assert 30 < found["retry_after_seconds"] <= 120
        assert answer["Retry-After"] == str(found["retry_after_seconds"])

    def test_refuses_a_label_in_use(self, admin, connected):
        body = {"provider": "anthropic", "api_key": key_text(BIRCH), "label": connected.label}

        document = problem(admin.post("connections/", body), 400)

        assert document["code"] == "label_taken"
        assert pointers(document) == ["/label"]

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({}, ["/provider", "/api_key"]),
            ({"provider": "openai", "api_key": "sk"}, ["/provider"]),
            ({"provider": "anthropic", "api_key": ""}, ["/api_key"]),
            ({"provider": "anthropic", "api_key": "sk", "base_url": "http://x"}, ["/base_url"]),
            ({"provider": "anthropic", "api_key": "sk", "label": "x" * 121}, ["/label"]),
            ({"provider": "anthropic", "api_key": "sk", "label": "\0"}, ["/label"]),
            ({"provider": "anthropic", "api_key": ["sk"]}, ["/api_key"]),
        ],
    )
    def test_points_at_what_is_wrong(self, admin, body, wrong):
        assert pointers(problem(admin.post("connections/", body), 400)) == wrong

    def test_lets_two_accounts_connect_the_same_organisation(self, admin, charlie, simulator, acorn_key):
        body = {"provider": "anthropic", "api_key": acorn_key}

        assert [one.post("connections/", body).status_code for one in (admin, charlie)] == [201, 201]


class TestRead:
    def test_shows_the_stored_days(self, viewer, account):
        connection = stored_connection(account, reason="", last_synced_at=utc("2026-11-04T06:00"))
        days = [utc(f"2026-11-0{day}").date() for day in (1, 2, 3)]
        store(connection, record(days[1], "1.5"), days=days)

        shown = viewer.get(f"connections/{connection.pk}/").json()

        assert (shown["data_from"], shown["data_through"]) == ("2026-11-01", "2026-11-03")
        assert shown["last_synced_at"] == "2026-11-04T06:00:00Z"
        assert shown["backfill"] is None
        assert (shown["reason"], shown["detail"], shown["remedy"], shown["cost_center"]) == (None,) * 4

    def test_shows_a_finished_backfill(self, viewer, connected, run_due):
        run_due()

        backfill = viewer.get(f"connections/{connected.pk}/").json()["backfill"]

        assert backfill == {"days_total": 366, "days_done": 366, "requests_left": 0, "eta_at": None}

    def test_lists_with_as_many_queries_for_three_as_for_one(
        self, viewer, account, django_assert_max_num_queries
    ):
        for number in range(3):
            stored_connection(account, number)

        with django_assert_max_num_queries(SIGN_IN_QUERIES + 7):
            listed = viewer.get("connections/").json()

        assert [one["label"] for one in listed["results"]] == ["Connection 0", "Connection 1", "Connection 2"]
        assert (listed["next"], listed["previous"]) == (None, None)

    def test_leaves_out_what_was_disconnected(self, viewer, account):
        gone = stored_connection(account, disconnected_at=utc("2026-11-01"))

        assert viewer.get("connections/").json()["results"] == []
        problem(viewer.get(f"connections/{gone.pk}/"), 404)


class TestEdit:
    def test_changes_what_is_given(self, admin, account):
        connection = stored_connection(account, cost_center="R&D")

        shown = admin("PATCH", f"connections/{connection.pk}/", {"label": "Renamed"}).json()

        assert (shown["label"], shown["cost_center"]) == ("Renamed", "R&D")

    def test_removes_the_cost_centre_with_null(self, admin, account):
        connection = stored_connection(account, cost_center="R&D")

        shown = admin("PATCH", f"connections/{connection.pk}/", {"cost_center": None}).json()

        assert shown["cost_center"] is None

    def test_refuses_a_label_in_use(self, admin, account):
        stored_connection(account, 1)
        connection = stored_connection(account, 2)

        answer = admin("PATCH", f"connections/{connection.pk}/", {"label": "Connection 1"})

        assert pointers(problem(answer, 400)) == ["/label"]

    @pytest.mark.parametrize(
        "body", [{"label": ""}, {"label": None}, {"status": "active"}, {"organization_id": "x"}]
    )
    def test_refuses_what_cannot_be_changed(self, admin, account, body):
        connection = stored_connection(account)

        problem(admin("PATCH", f"connections/{connection.pk}/", body), 400)


class TestStoredKeyTest:
    def test_probes_the_stored_key(self, editor, connected):
        found = editor.post(f"connections/{connected.pk}/test/").json()

        assert (found["ok"], found["organization"]["id"]) == (True, connected.organization_id)

    def test_brings_the_state_up_to_date(self, editor, connected, simulator):
        simulator.fault("revoked", organisation=ACORN, times=-1)

        found = editor.post(f"connections/{connected.pk}/test/").json()

        shown = editor.get(f"connections/{connected.pk}/").json()
        assert found["ok"] is False
        assert (shown["status"], shown["reason"]) == ("error", "key_rejected")

    def test_says_when_it_can_be_made_again(self, editor, connected, simulator):
        simulator.fault("rate_limit_retry_after", seconds=70, times=-1)

        found = editor.post(f"connections/{connected.pk}/test/").json()

        assert (found["reason"], found["retry_after_seconds"]) == ("rate_limited", 70)

    def test_takes_no_body(self, editor, account):
        connection = stored_connection(account)

        answer = editor.post(f"connections/{connection.pk}/test/", {"api_key": "sk"})

        assert pointers(problem(answer, 400)) == ["/api_key"]


class TestSync:
    def test_queues_a_run_once(self, editor, connected):
        first = editor.post(f"connections/{connected.pk}/sync/")
        again = editor.post(f"connections/{connected.pk}/sync/", {})

        assert (first.status_code, again.status_code) == (202, 200)
        assert first.json()["id"] == again.json()["id"]
        assert first.json()["trigger"] == "force"

    def test_takes_days(self, editor, connected):
        days = {"from": str(connected.wanted_from), "to": str(connected.wanted_from + 2 * DAY)}

        run = editor.post(f"connections/{connected.pk}/sync/", days).json()

        assert (run["from"], run["to"]) == (days["from"], days["to"])

    def test_names_the_first_day_that_the_plan_includes(self, editor, connected):
        before = {"from": str(connected.wanted_from - DAY), "to": str(connected.wanted_from + DAY)}

        document = problem(editor.post(f"connections/{connected.pk}/sync/", before), 400)

        assert (document["code"], pointers(document)) == ("history_floor", ["/from"])
        assert document["first_allowed_day"] == str(connected.wanted_from)
        assert str(connected.wanted_from) in document["detail"]
        assert not SyncRun.objects.filter(trigger="force").exists()

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({"to": "2026-10-03"}, "/from"),
            ({"from": "2026-10-03", "to": "2026-10-03"}, "/to"),
            ({"from": "2026-1-3"}, "/from"),
            ({"from": "2099-01-01"}, "/from"),
            ({"from": "2020-01-01"}, "/from"),
            ({"from": "1999-01-01"}, "/from"),
            ({"from": 20261001}, "/from"),
        ],
    )
    def test_refuses_days_that_make_no_sense(self, editor, connected, body, wrong):
        assert pointers(problem(editor.post(f"connections/{connected.pk}/sync/", body), 400)) == [wrong]

    @pytest.mark.parametrize("status", [Status.PAUSED, Status.ERROR])
    def test_says_why_it_stands_still(self, editor, account, status):
        connection = stored_connection(account, status=status)

        document = problem(editor.post(f"connections/{connection.pk}/sync/"), 409)

        assert document["code"] == f"connection_{status}"

    def test_is_not_for_viewers(self, viewer, account):
        problem(viewer.post(f"connections/{stored_connection(account).pk}/sync/"), 403)


class TestRotate:
    def test_replaces_the_key(self, admin, connected, simulator):
        new = simulator.world(ACORN, "new_key")["key"]

        shown = admin.post(f"connections/{connected.pk}/rotate-key/", {"api_key": new}).json()

        assert shown["key_hint"].endswith(new[-4:])

    def test_says_when_to_come_back_to_an_upstream_that_is_busy(self, admin, connected, simulator, acorn_key):
        simulator.fault("rate_limit_retry_after", seconds=9, times=-1)

        answer = admin.post(f"connections/{connected.pk}/rotate-key/", {"api_key": acorn_key})

        assert problem(answer, 400)["retry_after_seconds"] == 9
        assert answer["Retry-After"] == "9"

    def test_refuses_a_key_of_another_organisation(self, admin, connected):
        before = bytes(Credential.objects.get().sealed)

        answer = admin.post(f"connections/{connected.pk}/rotate-key/", {"api_key": key_text(BIRCH)})

        assert problem(answer, 400)["code"] == "organization_mismatch"
        assert bytes(Credential.objects.get().sealed) == before


class TestPauseAndResume:
    def test_stops_and_goes_on(self, admin, connected):
        paused = admin.post(f"connections/{connected.pk}/pause/").json()
        resumed = admin.post(f"connections/{connected.pk}/resume/").json()

        assert (paused["status"], resumed["status"]) == ("paused", "backfilling")

    def test_needs_an_admin(self, editor, account):
        problem(editor.post(f"connections/{stored_connection(account).pk}/pause/"), 403)


class TestDisconnect:
    def test_keeps_the_history(self, admin, connected, run_due):
        run_due()

        answer = admin("DELETE", f"connections/{connected.pk}/", history="keep")

        assert (answer.status_code, answer.content) == (204, b"")
        assert CostFact.objects.exists()
        assert not Credential.objects.exists()

    def test_erases_the_history(self, admin, connected, run_due):
        run_due()

        answer = admin("DELETE", f"connections/{connected.pk}/", history="erase")

        assert answer.status_code == 204
        assert not CostFact.objects.exists()

    @pytest.mark.parametrize(
        "query", [{}, {"history": ""}, {"history": "drop"}, {"history": ["keep", "erase"]}]
    )
    def test_does_nothing_until_told_what_becomes_of_the_history(self, admin, account, query):
        connection = stored_connection(account)

        document = problem(admin("DELETE", f"connections/{connection.pk}/", **query), 400)

        assert pointers(document) == ["/history"]
        assert Connection.objects.filter(pk=connection.pk, disconnected_at=None).exists()


class TestRuns:
    FIELDS = (
        "id", "connection", "trigger", "status", "from", "to", "family", "steps_total", "steps_done", "requests", "rows_added",
        "rows_changed", "rows_removed", "rows_unchanged", "reason", "detail", "next_attempt_at", "requested_at",
        "started_at", "finished_at",
    )  # fmt: skip

    def test_lists_newest_first(self, viewer, editor, connected):
        editor.post(f"connections/{connected.pk}/sync/")

        runs = viewer.get(f"connections/{connected.pk}/runs/").json()["results"]

        assert [run["trigger"] for run in runs] == ["force", "connect"]
        assert tuple(runs[0]) == self.FIELDS

    def test_filters(self, viewer, connected):
        def count(**query):
            return len(viewer.get(f"connections/{connected.pk}/runs/", **query).json()["results"])

        assert count(status=["queued", "running"], trigger="connect") == 1
        assert count(status="failed") == 0

    def test_shows_one_with_what_it_did(self, viewer, connected, run_due):
        run_due()
        run = SyncRun.objects.get()

        shown = viewer.get(f"runs/{run.pk}/").json()

        assert shown["status"] == "succeeded"
        assert shown["rows_added"] == CostFact.objects.count()
        assert shown["next_attempt_at"] is None

    def test_counts_its_queries(self, viewer, editor, connected, django_assert_max_num_queries):
        editor.post(f"connections/{connected.pk}/sync/")

        with django_assert_max_num_queries(SIGN_IN_QUERIES + 2):
            viewer.get(f"connections/{connected.pk}/runs/")
