from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from accounts import invitations
from accounts.invitations import (
    GOOD_FOR,
    MOST_OPEN,
    AlreadyMemberError,
    InvitationClosedError,
    Offer,
    TooManyInvitationsError,
)
from accounts.models import Account, AuditEvent, Invitation, Membership, Role, User
from tests.accounts.conftest import NOW
from tests.others import Other, at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def invited(account, alice):
    """An open invitation of bob@example.com as editor."""
    return invite(account, alice)


def invite(account, alice, email: str = "Bob@Example.com", role: Role = Role.EDITOR) -> Invitation:
    return invitations.invite(
        account, Offer(email, role), invited_by=alice.user, actor="alice@example.com", now=NOW
    )


@pytest.fixture
def bob(db) -> User:
    return User.objects.create_user("bob@example.com", "correct horse battery")


class TestInvite:
    def test_is_for_an_address_in_lower_case_and_recorded(self, invited):
        event = AuditEvent.objects.get()

        assert invited.email == "bob@example.com"
        assert (event.action, event.target, event.changes) == (
            "invitation.sent", "bob@example.com", {"role": "editor"},
        )  # fmt: skip

    def test_replaces_an_open_one(self, account, alice, invited):
        second = invite(account, alice, role=Role.VIEWER)

        assert invitations.find(invitations.token_of(invited), now=NOW) is None
        assert invitations.find(invitations.token_of(second), now=NOW) == second

    def test_refuses_who_belongs_already(self, account, alice, edith):
        with pytest.raises(AlreadyMemberError, match=r"edith@example\.com belongs"):
            invite(account, alice, "Edith@example.com")

    def test_takes_who_belongs_to_another_account(self, account, alice, charlie):
        assert invite(account, alice, "charlie@example.com").is_open(NOW)

    def test_refuses_a_mailing(self, account, alice):
        Invitation.objects.bulk_create(
            Invitation(account=account, email=f"p{n}@example.com", expires_at=NOW + GOOD_FOR)
            for n in range(MOST_OPEN)
        )

        with pytest.raises(TooManyInvitationsError):
            invite(account, alice)


class TestFind:
    def test_finds_by_the_token(self, invited):
        assert invitations.find(invitations.token_of(invited), now=NOW) == invited

    def test_finds_nothing_after_a_week(self, invited):
        token = invitations.token_of(invited)

        assert invitations.find(token, now=NOW + GOOD_FOR) is None

    @pytest.mark.parametrize(
        "change",
        [lambda t: t[:-1], lambda t: f"{int(not int(t[0], 16))}{t[1:]}", lambda t: t.partition(":")[0]],
    )
    def test_finds_nothing_by_a_token_that_nobody_signed(self, invited, change):
        assert invitations.find(change(invitations.token_of(invited)), now=NOW) is None

    @pytest.mark.parametrize("token", ["", ":", "x:y", "\x00"])
    def test_finds_nothing_by_nonsense(self, token):
        assert invitations.find(token, now=NOW) is None

    def test_finds_nothing_under_another_secret(self, invited, settings):
        token = invitations.token_of(invited)
        settings.SECRET_KEY = "another one"

        assert invitations.find(token, now=NOW) is None


class TestAccept:
    def test_gives_the_role_and_is_used_up(self, account, invited, bob):
        invitations.accept(invited, bob, now=NOW)

        assert Membership.objects.get(user=bob).role == Role.EDITOR
        assert invitations.find(invitations.token_of(invited), now=NOW) is None
        with pytest.raises(InvitationClosedError):
            invitations.accept(invited, bob, now=NOW)

    def test_is_only_for_the_address(self, invited, charlie):
        with pytest.raises(InvitationClosedError):
            invitations.accept(invited, charlie.user, now=NOW)

        assert not Membership.objects.filter(user=charlie.user, account=invited.account).exists()

    def test_is_refused_once_withdrawn(self, invited, bob):
        invitations.withdraw(invited, actor="alice@example.com", now=NOW)

        with pytest.raises(InvitationClosedError):
            invitations.accept(invited, bob, now=NOW)
        assert AuditEvent.objects.order_by("pk").last().action == "invitation.revoked"

    def test_never_lowers_a_role_given_meanwhile(self, account, invited, bob):
        Membership.objects.create(account=account, user=bob, role=Role.ADMIN)

        invitations.accept(invited, bob, now=NOW)

        assert Membership.objects.get(user=bob).role == Role.ADMIN

    @pytest.mark.django_db(transaction=True)
    def test_works_once_when_used_twice_at_once(self, invited, bob):
        together = threading.Barrier(2)
        ended = []

        def accept() -> None:
            together.wait(10)
            try:
                invitations.accept(invited, bob, now=NOW)
                ended.append("joined")
            except InvitationClosedError:
                ended.append("closed")
            finally:
                connection.close()

        threads = [threading.Thread(target=accept) for _ in range(2)]
        [thread.start() for thread in threads]
        [thread.join(20) for thread in threads]

        assert sorted(ended) == ["closed", "joined"]
        assert AuditEvent.objects.filter(action="invitation.accepted").count() == 1


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    """The second acts while the first has not committed yet."""

    def test_who_invite_the_same_address_leave_one_invitation(self, account, alice):
        refused = at_once(lambda: invite(account, alice), lambda: invite(account, alice, role=Role.VIEWER))

        assert refused is None
        assert [each.role for each in invitations.list_open(account, now=NOW)] == [Role.VIEWER]

    def test_who_invite_and_are_invited_no_more_than_there_is_room(self, account, alice, monkeypatch):
        monkeypatch.setattr(invitations, "MOST_OPEN", 1)

        refused = at_once(lambda: invite(account, alice), lambda: invite(account, alice, "eve@example.com"))

        assert isinstance(refused, TooManyInvitationsError)
        assert invitations.list_open(account, now=NOW).count() == 1

    def test_accept_comes_before_withdraw(self, invited, bob):
        refused = at_once(
            lambda: invitations.accept(invited, bob, now=NOW),
            lambda: invitations.withdraw(invited, actor="alice@example.com", now=NOW),
        )

        assert refused is None
        assert Invitation.objects.get().revoked_at is None
        assert not AuditEvent.objects.filter(action="invitation.revoked").exists()

    def test_withdraw_comes_before_accept(self, invited, bob):
        refused = at_once(
            lambda: invitations.withdraw(invited, actor="alice@example.com", now=NOW),
            lambda: invitations.accept(invited, bob, now=NOW),
        )

        assert isinstance(refused, InvitationClosedError)
        assert not Membership.objects.filter(user=bob).exists()

    def test_accept_and_invite_again_do_not_wait_for_each_other_for_ever(self, account, alice, invited, bob):
        """Who invites has the account and comes to the invitation; who accepts must not come the other way."""
        with transaction.atomic():
            Account.objects.select_for_update().get(pk=account.pk)
            other = Other(lambda: invitations.accept(invited, bob, now=NOW))
            other.wait_until_blocked()
            second = invite(account, alice)
        other.join()

        assert isinstance(other.error, InvitationClosedError)
        assert invitations.list_open(account, now=NOW).get() == second

    def test_nobody_accepts_what_was_erased(self, invited, bob):
        Invitation.objects.all().delete()

        with pytest.raises(InvitationClosedError):
            invitations.accept(invited, bob, now=NOW)


class TestWithdraw:
    def test_of_an_accepted_one_changes_nothing(self, invited, bob):
        invitations.accept(invited, bob, now=NOW)

        invitations.withdraw(invited, actor="alice@example.com", now=NOW)

        assert Invitation.objects.get().revoked_at is None
        assert Membership.objects.filter(user=bob).exists()
