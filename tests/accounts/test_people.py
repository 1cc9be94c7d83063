from __future__ import annotations

import threading

import pytest
from django.db import connection

from accounts import people, tokens
from accounts.models import AuditEvent, Membership, Role
from accounts.people import LastAdminError
from accounts.tokens import Terms
from tests.accounts.conftest import member

pytestmark = pytest.mark.django_db


class TestChangeRole:
    def test_is_recorded_with_before_and_after(self, alice, edith):
        people.change_role(edith, Role.ADMIN, actor="alice@example.com")

        event = AuditEvent.objects.get()
        assert Membership.objects.get(pk=edith.pk).role == Role.ADMIN
        assert (event.action, event.target) == ("member.changed", "edith@example.com")
        assert event.changes == {"role": ["editor", "admin"]}

    def test_to_the_same_role_is_no_event(self, edith):
        people.change_role(edith, Role.EDITOR, actor="alice@example.com")

        assert not AuditEvent.objects.exists()

    def test_leaves_an_account_an_admin(self, alice, edith):
        with pytest.raises(LastAdminError, match="needs an admin"):
            people.change_role(alice, Role.VIEWER, actor="alice@example.com")

        assert Membership.objects.get(pk=alice.pk).role == Role.ADMIN

    def test_counts_only_admins_who_can_sign_in(self, account, alice):
        member(account, "gone", Role.ADMIN, is_active=False)

        with pytest.raises(LastAdminError):
            people.change_role(alice, Role.VIEWER, actor="alice@example.com")

    def test_counts_only_admins_of_the_same_account(self, alice, charlie):
        with pytest.raises(LastAdminError):
            people.change_role(alice, Role.VIEWER, actor="alice@example.com")

    def test_of_somebody_removed_meanwhile_gives_nothing_back(self, alice, edith):
        people.remove(edith, actor=alice.user)

        with pytest.raises(Membership.DoesNotExist):
            people.change_role(edith, Role.ADMIN, actor="alice@example.com")


class TestRemove:
    def test_takes_the_tokens_made_there_and_leaves_the_person(self, account, alice, edith, other_account):
        elsewhere = Membership.objects.create(account=other_account, user=edith.user, role=Role.VIEWER)
        tokens.issue(account, edith.user, Terms("here", Role.VIEWER), actor="edith")
        kept, _ = tokens.issue(other_account, edith.user, Terms("there", Role.VIEWER), actor="edith")

        people.remove(edith, actor=alice.user)

        assert list(edith.user.memberships.all()) == [elsewhere]
        assert list(edith.user.auth_token_set.all()) == [kept]
        actions = AuditEvent.objects.filter(account=account).order_by("pk").values_list("action", flat=True)
        assert list(actions) == ["token.issued", "token.revoked", "member.removed"]

    def test_of_oneself_is_leaving(self, alice, edith):
        people.remove(edith, actor=edith.user)

        assert AuditEvent.objects.get().action == "member.left"

    def test_leaves_an_account_an_admin(self, alice):
        with pytest.raises(LastAdminError):
            people.remove(alice, actor=alice.user)

        assert Membership.objects.filter(pk=alice.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_remove_each_other_at_once_leave_one(account):
    """Without the lock on the account both would see the other one as the admin who remains."""
    both = [member(account, "alice", Role.ADMIN), member(account, "bob", Role.ADMIN)]
    together = threading.Barrier(2)
    refused = []

    def remove(victim: Membership, by: Membership) -> None:
        together.wait(10)
        try:
            people.remove(victim, actor=by.user)
        except (LastAdminError, Membership.DoesNotExist) as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=remove, args=pair) for pair in (both, both[::-1])]
    [thread.start() for thread in threads]
    [thread.join(20) for thread in threads]

    assert Membership.objects.filter(account=account, role=Role.ADMIN).count() == 1
    assert len(refused) == 1
