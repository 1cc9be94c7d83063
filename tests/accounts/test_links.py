"""Links in mails: written with a place for their secret, which is filled in when the mail is sent."""

from __future__ import annotations

import pytest
from django.core import mail

from accounts import invitations, links
from accounts.invitations import Offer
from accounts.models import Role
from accounts.pages import mails
from alerts import outbox
from alerts.models import OutboxMessage
from alerts.outbox import Message
from tests.accounts.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def invited(account, alice):
    """An invitation whose mail is written and waits."""
    made = invitations.invite(
        account, Offer("new@example.com", Role.EDITOR), invited_by=alice.user, actor="alice", now=NOW
    )
    outbox.enqueue(account, mails.invitation(made), now=NOW)
    return made


class TestInvitation:
    def test_waits_without_its_secret_and_leaves_with_it(self, invited):
        token = invitations.token_of(invited)
        waiting = OutboxMessage.objects.get().body

        outbox.send_due(now=NOW)

        assert token not in waiting
        assert f"/invitations/{token}/" in mail.outbox[0].body
        assert links.PLACE not in mail.outbox[0].body

    def test_that_was_withdrawn_meanwhile_is_not_sent(self, invited):
        invitations.withdraw(invited, actor="alice", now=NOW)

        assert outbox.send_due(now=NOW) == 1
        assert mail.outbox == []


def test_a_mail_of_an_older_release_leaves_as_it_was_written(account):
    old = Message(
        "invitation:x", links.INVITATION, "Come", "https://costs/invitations/abc/", "new@example.com"
    )
    outbox.enqueue(account, old, now=NOW)

    outbox.send_due(now=NOW)

    assert mail.outbox[0].body == old.body


def test_a_name_that_looks_like_the_place_gets_no_secret(account, admin_user):
    other = Message("late:x", "connection.late", "Late", f"{links.PLACE} is late")
    outbox.enqueue(account, other, now=NOW)

    outbox.send_due(now=NOW)

    assert mail.outbox[0].body == f"{links.PLACE} is late"
