"""Tokens and audit events through the REST API: for admins of the account, and nobody else."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts import audit, tokens
from accounts.actions import ACTIONS
from accounts.models import ApiToken, AuditEvent, Role
from accounts.tokens import Terms
from tests.api.conftest import Caller, pointers, problem

pytestmark = pytest.mark.django_db
ADDRESSES = [
    ("GET", "tokens/"),
    ("GET", "tokens/{token}/"),
    ("DELETE", "tokens/{token}/"),
    ("GET", "audit-events/"),
    # A file is read in a transaction of its own, which cannot be inside the test's.
    pytest.param("GET", "exports/audit-events.csv", marks=pytest.mark.django_db(transaction=True)),
]


def caller(account, member, role: Role, *, is_read_only: bool = False) -> Caller:
    terms = Terms(f"{role}'s", role, is_read_only=is_read_only)
    return Caller(tokens.issue(account, member.user, terms, actor="set-up")[1], Client())


@pytest.fixture
def admin(account, alice) -> Caller:
    return caller(account, alice, Role.ADMIN)


@pytest.fixture
def token(account, edith) -> ApiToken:
    return tokens.issue(account, edith.user, Terms("quarterly", Role.VIEWER, is_read_only=True), actor="x")[0]


class TestTokens:
    def test_are_listed_newest_first_without_a_secret(self, admin, token):
        answer = admin.get("tokens/")

        first = answer.json()["results"][0]
        assert first == {
            "id": str(token.public_id), "name": "quarterly", "prefix": token.token_key[:8], "role": "viewer",
            "access": "read-only", "owner": "edith@example.com", "expires_at": None, "last_used_at": None,
            "created_at": first["created_at"],
        }  # fmt: skip
        assert token.digest not in answer.text
        assert token.token_key not in answer.text

    def test_are_read_one_by_one(self, admin, token):
        assert admin.get(f"tokens/{token.public_id}/").json()["name"] == "quarterly"

    def test_are_revoked(self, admin, token):
        answer = admin("DELETE", f"tokens/{token.public_id}/")

        assert answer.status_code == 204
        assert not ApiToken.objects.filter(pk=token.pk).exists()
        event = AuditEvent.objects.order_by("pk").last()
        assert (event.action, event.actor, event.target) == ("token.revoked", "token admin's", "quarterly")

    def test_may_revoke_themselves(self, admin):
        itself = ApiToken.objects.get()

        admin("DELETE", f"tokens/{itself.public_id}/")

        problem(admin.get("tokens/"), 401)

    def test_page(self, account, alice, admin):
        for number in range(5):
            tokens.issue(account, alice.user, Terms(f"t{number}", Role.VIEWER), actor="x")

        names, query = [], {"page_size": 2}
        for _ in range(3):
            page = admin.get("tokens/", **query).json()
            names += [row["name"] for row in page["results"]]
            query["cursor"] = parse_qs(urlsplit(page["next"] or "").query).get("cursor", [""])[0]

        assert names == ["t4", "t3", "t2", "t1", "t0", "admin's"]


class TestAuditEvents:
    def test_are_told_with_all_they_record(self, admin, account):
        audit.record(
            account, "alice@example.com", "connection.edited", "Main", target_id=7, label=["A", "Main"]
        )

        event = admin.get("audit-events/").json()["results"][0]

        assert event["sentence"] == "alice@example.com changed Main: label from A to Main."
        assert (event["changes"], event["target_id"], event["address"]) == (
            {"label": ["A", "Main"]},
            "7",
            None,
        )

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ({"action": "connection.paused"}, 1),
            ({"action": ["connection.paused", "connection.resumed"]}, 2),
            ({"actor": "bob@example.com"}, 1),
            ({"from": "2020-01-01", "to": "2020-01-02"}, 0),
            ({"from": "2026-01-01"}, 3),
        ],
    )
    def test_are_filtered(self, admin, account, query, count):
        audit.record(account, "alice@example.com", "connection.paused", "Main")
        audit.record(account, "bob@example.com", "connection.resumed", "Main")

        assert len(admin.get("audit-events/", **query).json()["results"]) == count

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ({"action": "nothing.known"}, "/action"),
            ({"from": "2026-01-02", "to": "2026-01-02"}, "/to"),
            ({"who": "alice"}, "/who"),
            ({"actor": ""}, "/actor"),
        ],
    )
    def test_refuse_filters_that_make_no_sense(self, admin, query, pointer):
        assert pointers(problem(admin.get("audit-events/", **query), 400)) == [pointer]

    def test_cannot_be_written_or_removed(self, admin):
        for method in ("POST", "PATCH", "DELETE"):
            problem(admin(method, "audit-events/", {}), 405)

    def test_follow_each_other_under_inserts(self, admin, account):
        for number in range(4):
            audit.record(account, "alice", "connection.tested", f"c{number}")
        first = admin.get("audit-events/", page_size=2).json()
        audit.record(account, "alice", "connection.tested", "late")
        cursor = parse_qs(urlsplit(first["next"]).query)["cursor"][0]

        second = admin.get("audit-events/", page_size=2, cursor=cursor).json()

        assert [row["target"] for row in first["results"] + second["results"]] == ["c3", "c2", "c1", "c0"]

    def test_actions_are_the_documented_ones(self, admin, account):
        for action in ("key.tested", "connection.paused"):
            audit.record(account, "alice", action, "x")

        assert {row["action"] for row in admin.get("audit-events/").json()["results"]} <= set(ACTIONS)


class TestWhoMay:
    @pytest.mark.parametrize(("method", "path"), ADDRESSES)
    @pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
    def test_below_admin_nobody(self, account, alice, token, role, method, path):
        asking = caller(account, alice, role)

        refused = problem(asking(method, path.format(token=token.public_id)), 403)

        assert refused["detail"] == f"This needs the role admin; the token has {role.value}."
        assert ApiToken.objects.filter(pk=token.pk).exists()

    @pytest.mark.parametrize(("method", "path"), ADDRESSES)
    def test_a_read_only_admin_reads_and_revokes_nothing(self, account, alice, token, method, path):
        asking = caller(account, alice, Role.ADMIN, is_read_only=True)

        answer = asking(method, path.format(token=token.public_id))

        assert answer.status_code == (403 if method == "DELETE" else 200)
        assert b"".join(answer)

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_another_account_finds_nothing(self, other_account, charlie, token, method):
        asking = caller(other_account, charlie, Role.ADMIN)

        theirs = problem(asking(method, f"tokens/{token.public_id}/"), 404)
        nobodys = problem(asking(method, f"tokens/{uuid.uuid4()}/"), 404)

        assert {**theirs, "instance": ""} == {**nobodys, "instance": ""}
        assert ApiToken.objects.filter(pk=token.pk).exists()

    def test_another_account_lists_only_its_own(self, account, other_account, charlie, token):
        asking = caller(other_account, charlie, Role.ADMIN)
        audit.record(account, "alice", "connection.paused", "Secret")

        listed = [asking.get(path).json()["results"] for path in ("tokens/", "audit-events/")]

        assert [row["name"] for row in listed[0]] == ["admin's"]
        assert [row["action"] for row in listed[1]] == ["token.issued"]

    def test_events_of_the_installation_belong_to_no_account(self, admin):
        audit.record(None, "alice", "account.erased", "Gone", connections=0, events=0, people=0)

        assert "account.erased" not in admin.get("audit-events/").text
