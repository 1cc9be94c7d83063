from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import bootstrap, people, tokens
from accounts.models import Account, ApiToken, AuditEvent, Membership, Role, User
from accounts.permissions import Principal
from accounts.tokens import Terms
from tests.api.conftest import Caller, problem, stored_connection
from tests.others import at_once

pytestmark = pytest.mark.django_db


def issued(capsys, *arguments: str) -> str:
    call_command("issue_token", *arguments)
    return capsys.readouterr().out.strip()


class TestIssueToken:
    def test_prints_the_token_alone_and_stores_a_digest(self, capsys):
        plain = issued(capsys, "--name", "reports", "--role", "viewer")

        stored = ApiToken.objects.get()
        assert plain.isalnum()
        assert plain not in (stored.digest, stored.token_key)
        assert (stored.name, stored.role, stored.expiry) == ("reports", "viewer", None)

    def test_expires_when_asked(self, capsys):
        issued(capsys, "--name", "x", "--role", "viewer", "--expires-days", "2")

        token = ApiToken.objects.get()
        assert dt.timedelta(days=1.9) < token.expiry - token.created < dt.timedelta(days=2.1)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--name", "x", "--role", "viewer", "--account", "Nowhere"), "no account 'Nowhere'"),
            (("--name", "x", "--role", "viewer", "--expires-days", "0"), "1 or more"),
        ],
    )
    def test_refuses_in_words(self, arguments, words):
        with pytest.raises(CommandError, match=words):
            call_command("issue_token", *arguments)

    def test_refuses_an_account_without_an_administrator(self):
        Account.objects.create(name="Empty")

        with pytest.raises(CommandError, match="no administrator"):
            call_command("issue_token", "--name", "x", "--role", "viewer", "--account", "Empty")

    def test_leaves_an_audit_event(self, capsys):
        issued(capsys, "--name", "reports", "--role", "admin")

        assert AuditEvent.objects.get().action == "token.issued"


@pytest.mark.django_db(transaction=True)
def test_two_who_revoke_a_token_at_once_revoke_it_once(account, admin_user):
    token, _ = tokens.issue(account, admin_user, Terms("t", Role.VIEWER), actor="set-up")
    mine, theirs = (ApiToken.objects.get(pk=token.pk) for _ in range(2))

    refused = at_once(lambda: tokens.revoke(mine, actor="alice"), lambda: tokens.revoke(theirs, actor="bob"))

    assert refused is None
    revoked = AuditEvent.objects.filter(action="token.revoked")
    assert list(revoked.values_list("actor", flat=True)) == ["alice"]


@pytest.mark.django_db(transaction=True)
def test_a_token_is_revoked_once_though_its_owner_is_removed_at_once(account, admin_user):
    owner = User.objects.create_user("bob@example.com", "correct horse battery")
    membership = people.join(account, owner, Role.EDITOR)
    token, _ = tokens.issue(account, owner, Terms("t", Role.VIEWER), actor="set-up")
    stale = ApiToken.objects.get(pk=token.pk)

    refused = at_once(
        lambda: tokens.revoke(token, actor="alice"), lambda: people.remove(membership, actor=admin_user)
    )

    assert refused is None
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1
    assert not ApiToken.objects.filter(pk=stale.pk).exists()


class TestBearer:
    @pytest.fixture
    def token(self, account, admin_user) -> str:
        _, plain = tokens.issue(account, admin_user, Terms("t", Role.VIEWER), actor="set-up")
        return plain

    def answer(self, client, token: str) -> int:
        return client.get("/api/v1/connections/", headers={"authorization": f"Bearer {token}"}).status_code

    def test_opens_the_api_and_remembers_its_use(self, client, token):
        assert self.answer(client, token) == 200
        assert ApiToken.objects.get().last_used_at is not None

    def test_is_refused_once_revoked_expired_or_its_owner_inactive(self, client, token, admin_user):
        ApiToken.objects.update(expiry=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        expired = self.answer(client, token)
        ApiToken.objects.all().delete()

        assert expired == self.answer(client, token) == 401

    @pytest.mark.parametrize("text", ["", "x", "ä", "a b", "ÿ" * 8, "a\x00b"])
    def test_is_refused_when_it_is_nonsense(self, client, db, text):
        assert self.answer(client, text) == 401

    def test_is_refused_when_its_owner_has_left_the_account(self, client, token, admin_user):
        admin_user.memberships.all().delete()

        assert self.answer(client, token) == 401

    def test_is_refused_when_its_owner_may_not_sign_in(self, client, token, admin_user):
        admin_user.is_active = False
        admin_user.save()

        assert self.answer(client, token) == 401

    def test_stays_in_the_list_when_it_has_expired(self, client, token):
        """knox would delete it, with every other expired token of its owner, in a request that only reads."""
        ApiToken.objects.update(expiry=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))

        self.answer(client, token)

        assert ApiToken.objects.exists()


class TestTerms:
    """What a token may do: its role, less what its owner lacks, less everything but reading when it is read-only."""

    def caller(self, account, owner, role: Role, *, is_read_only: bool = False) -> Caller:
        terms = Terms("t", role, is_read_only=is_read_only)
        _, plain = tokens.issue(account, owner.user, terms, actor="set-up")
        return Caller(plain, Client(raise_request_exception=False))

    def test_of_a_full_admin_token_let_it_change_things(self, account, alice):
        connection = stored_connection(account)

        answer = self.caller(account, alice, Role.ADMIN)("POST", f"connections/{connection.pk}/pause/")

        assert answer.status_code == 200

    def test_of_a_read_only_token_let_it_read_and_nothing_else(self, account, alice):
        connection = stored_connection(account)
        caller = self.caller(account, alice, Role.ADMIN, is_read_only=True)

        assert caller.get("connections/").status_code == 200
        refused = problem(caller("POST", f"connections/{connection.pk}/pause/"), 403)
        assert "read-only" in refused["detail"]
        assert problem(caller.post("connections/test/", {"api_key": "x"}), 403)

    def test_shrink_with_the_role_of_the_owner(self, account, alice, edith):
        connection = stored_connection(account)
        caller = self.caller(account, edith, Role.EDITOR)
        people.change_role(edith, Role.VIEWER, actor="alice")

        refused = problem(caller("POST", f"connections/{connection.pk}/sync/", {}), 403)

        assert refused["detail"] == "This needs the role editor; the token has viewer."

    def test_do_not_grow_with_the_role_of_the_owner(self, account, alice):
        connection = stored_connection(account)

        problem(self.caller(account, alice, Role.VIEWER)("POST", f"connections/{connection.pk}/pause/"), 403)


class TestEnsureAdmin:
    def test_makes_account_and_administrator_once(self):
        first = bootstrap.ensure_admin()

        assert bootstrap.ensure_admin() is None
        user = User.objects.get()
        assert user.check_password(first.password)
        assert Membership.objects.get().role == Role.ADMIN
        assert user.is_staff

    def test_leaves_an_installation_with_people_alone(self, admin_user):
        assert bootstrap.ensure_admin() is None
        assert User.objects.count() == 1


class TestPrincipal:
    @pytest.mark.parametrize(
        ("role", "allowed"),
        [(Role.VIEWER, [Role.VIEWER]), (Role.EDITOR, [Role.VIEWER, Role.EDITOR]), (Role.ADMIN, list(Role))],
    )
    def test_may_do_what_its_role_includes(self, role, allowed):
        principal = Principal(Account(name="A"), role, "alice")

        assert [needed for needed in Role if principal.may(needed)] == allowed
