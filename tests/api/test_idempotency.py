from __future__ import annotations

import datetime as dt
import json

import pytest
from django.utils import timezone

from accounts import idempotency
from accounts.idempotency import Answer, KeyReusedError, StillRunningError
from accounts.models import IdempotencyRecord
from devtools.simulator.keys import INFERENCE, key_text
from integrations.models import Connection
from tests.api.conftest import ACORN, BIRCH, pointers, problem
from workers.models import SyncRun

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


class TestCreatingTwice:
    def test_answers_as_the_first_time(self, admin, simulator, acorn_key):
        body = {"provider": "anthropic", "api_key": acorn_key}

        first = admin.post("connections/", body, Idempotency_Key="one")
        again = admin.post("connections/", body, Idempotency_Key="one")

        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert first["Location"] == again["Location"]
        assert "Idempotency-Replayed" not in first
        assert again["Idempotency-Replayed"] == "true"
        assert Connection.objects.count() == 1

    def test_refuses_another_request_under_the_same_key(self, admin, simulator, acorn_key):
        admin.post("connections/", {"provider": "anthropic", "api_key": acorn_key}, Idempotency_Key="one")

        answer = admin.post(
            "connections/", {"provider": "anthropic", "api_key": key_text(BIRCH)}, Idempotency_Key="one"
        )

        assert problem(answer, 422)["code"] == "idempotency_key_reused"
        assert Connection.objects.count() == 1

    def test_keeps_a_refusal_that_is_final(self, admin, simulator):
        body = {"provider": "anthropic", "api_key": key_text(ACORN, INFERENCE)}
        first = problem(admin.post("connections/", body, Idempotency_Key="one"), 400)
        simulator.clear_requests()

        again = problem(admin.post("connections/", body, Idempotency_Key="one"), 400)

        assert first == again
        assert simulator.requests() == []

    def test_does_not_keep_a_temporary_failure(self, admin, simulator, acorn_key):
        simulator.fault("server_error", times=-1)
        body = {"provider": "anthropic", "api_key": acorn_key}
        failed = admin.post("connections/", body, Idempotency_Key="one")
        simulator.clear_faults()

        assert problem(failed, 400)["code"] == "upstream_unavailable"
        assert admin.post("connections/", body, Idempotency_Key="one").status_code == 201

    def test_holds_no_secret(self, admin, simulator, acorn_key):
        admin.post("connections/", {"provider": "anthropic", "api_key": acorn_key}, Idempotency_Key="one")

        row = IdempotencyRecord.objects.values().get()

        assert acorn_key not in json.dumps(row, default=str)

    def test_is_of_one_account(self, admin, charlie, simulator, acorn_key):
        body = {"provider": "anthropic", "api_key": acorn_key}

        made = [
            one.post("connections/", body, Idempotency_Key="one").json()["id"] for one in (admin, charlie)
        ]

        assert made[0] != made[1]

    def test_replays_nothing_to_a_token_that_may_not_ask(self, admin, viewer, editor, connected, acorn_key):
        """Within the account the key alone opens nothing: the role is asked first."""
        path = f"connections/{connected.pk}/sync/"
        done = editor.post(path, {}, Idempotency_Key="one")
        shown = {"provider": "anthropic", "api_key": acorn_key}
        admin.post("connections/", shown, Idempotency_Key="two")

        answers = [
            viewer.post(path, {}, Idempotency_Key="one"),
            editor.post("connections/", shown, Idempotency_Key="two"),
        ]

        assert done.status_code == 202
        assert [problem(answer, 403)["code"] for answer in answers] == ["permission_denied"] * 2
        assert ["Idempotency-Replayed" in answer for answer in answers] == [False, False]

    def test_covers_syncs(self, editor, connected):
        path = f"connections/{connected.pk}/sync/"

        answers = [editor.post(path, {}, Idempotency_Key="one") for _ in range(2)]

        assert [answer.status_code for answer in answers] == [202, 202]
        assert SyncRun.objects.filter(trigger="force").count() == 1

    @pytest.mark.parametrize("key", ["", "x" * 256, "naïve"])
    def test_refuses_a_key_it_cannot_keep(self, editor, connected, key):
        answer = editor.post(f"connections/{connected.pk}/sync/", {}, Idempotency_Key=key)

        assert pointers(problem(answer, 400)) == ["/Idempotency-Key"]


class TestClaim:
    def test_makes_a_second_one_wait_for_the_first(self, account):
        idempotency.claim(account, "one", "mark", now=NOW)

        with pytest.raises(StillRunningError):
            idempotency.claim(account, "one", "mark", now=NOW)

    def test_is_taken_over_when_its_process_died(self, account):
        idempotency.claim(account, "one", "mark", now=NOW)

        later = idempotency.claim(account, "one", "mark", now=NOW + dt.timedelta(minutes=6))

        assert isinstance(later, IdempotencyRecord)

    def test_is_over_after_a_day(self, account):
        first = idempotency.claim(account, "one", "mark", now=NOW)
        idempotency.keep(first, Answer(201, {"id": 1}))

        assert idempotency.claim(account, "one", "mark", now=NOW + dt.timedelta(hours=23)) == Answer(
            201, {"id": 1}
        )
        later = idempotency.claim(account, "one", "other", now=NOW + dt.timedelta(hours=25))
        assert isinstance(later, IdempotencyRecord)

    def test_belongs_to_one_request(self, account):
        idempotency.claim(account, "one", "mark", now=NOW)

        with pytest.raises(KeyReusedError):
            idempotency.claim(account, "one", "other", now=NOW)

    def test_is_told_to_wait_over_http(self, editor, connected, account):
        path = f"/api/v1/connections/{connected.pk}/sync/"
        mark = idempotency.fingerprint("POST", path, {})
        idempotency.claim(account, "one", mark, now=timezone.now())

        answer = editor.post(f"connections/{connected.pk}/sync/", {}, Idempotency_Key="one")

        assert problem(answer, 409)["code"] == "idempotency_in_progress"
