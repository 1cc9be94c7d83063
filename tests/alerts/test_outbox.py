from __future__ import annotations

import datetime as dt
import smtplib
from dataclasses import replace

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction

from accounts.models import Membership, Role, User
from alerts.models import OutboxMessage
from alerts.outbox import Message, enqueue, send_due
from tests.others import Other

pytestmark = pytest.mark.django_db(transaction=True)

NOW = dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)
MESSAGE = Message("event:1", "kind", "Subject", "Body")


class Refusing(EmailBackend):
    """A mail server that refuses everything."""

    def send_messages(self, _messages):
        raise smtplib.SMTPServerDisconnected("gone")


class Dying(EmailBackend):
    """A mail server that takes a message, after the first of which the process ends."""

    def send_messages(self, messages):
        sent = super().send_messages(messages)
        if len(mail.outbox) > 1:
            raise SystemExit
        return sent


class Slow(EmailBackend):
    """A mail server that takes its time over the first message, while another sender looks what is due."""

    waited: list[bool] = []

    def send_messages(self, messages):
        if not self.waited:
            self.waited.append(False)
            other = Other(lambda: send_due(now=NOW))
            self.waited[0] = other.is_blocked_at_last()
            others.append(other)
        return super().send_messages(messages)


others: list[Other] = []


class TestEnqueue:
    def test_writes_an_event_once(self, account):
        enqueue(account, MESSAGE, now=NOW)
        enqueue(account, MESSAGE, now=NOW)

        assert OutboxMessage.objects.count() == 1

    def test_is_forgotten_with_the_change_that_caused_it(self, account):
        with transaction.atomic():
            enqueue(account, MESSAGE, now=NOW)
            transaction.set_rollback(True)

        assert OutboxMessage.objects.count() == 0


class TestSendDue:
    def test_reaches_the_active_people_of_the_account_only(self, account, other_account, admin_user):
        for email, where, is_active in (
            ("bob@example.com", account, True),
            ("gone@example.com", account, False),
            ("charlie@example.com", other_account, True),
        ):
            user = User.objects.create_user(email, is_active=is_active)
            Membership.objects.create(account=where, user=user, role=Role.VIEWER)
        enqueue(account, MESSAGE, now=NOW)

        assert send_due(now=NOW) == 1

        assert mail.outbox[0].bcc == ["alice@example.com", "bob@example.com"]
        assert mail.outbox[0].to == []

    def test_sends_once(self, account, admin_user):
        enqueue(account, MESSAGE, now=NOW)

        assert [send_due(now=NOW), send_due(now=NOW)] == [1, 0]

    def test_looks_once_when_nothing_is_due(self, account, django_assert_num_queries):
        """Every minute of every day it is so."""
        enqueue(account, MESSAGE, now=NOW + dt.timedelta(hours=1))

        with django_assert_num_queries(3):  # with the ends of its transaction
            assert send_due(now=NOW) == 0

    def test_tries_again_later_when_the_server_refuses(self, account, admin_user, settings):
        enqueue(account, MESSAGE, now=NOW)
        settings.EMAIL_BACKEND = "tests.alerts.test_outbox.Refusing"

        assert send_due(now=NOW) == 0

        waiting = OutboxMessage.objects.get()
        assert waiting.sent_at is None
        assert "SMTPServerDisconnected" in waiting.last_error
        assert dt.timedelta(0) < waiting.due_at - NOW <= dt.timedelta(hours=1)
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        assert send_due(now=NOW + dt.timedelta(hours=1)) == 1

    def test_reaches_only_the_one_it_is_for_and_forgets_the_link(self, account, admin_user):
        enqueue(account, replace(MESSAGE, recipient="new@example.com"), now=NOW)

        send_due(now=NOW)

        assert (mail.outbox[0].to, mail.outbox[0].bcc) == (["new@example.com"], [])
        assert mail.outbox[0].body == "Body"
        assert OutboxMessage.objects.get().body == ""

    def test_keeps_the_link_until_it_is_sent(self, account, settings):
        enqueue(account, replace(MESSAGE, recipient="new@example.com"), now=NOW)
        settings.EMAIL_BACKEND = "tests.alerts.test_outbox.Refusing"

        send_due(now=NOW)

        assert OutboxMessage.objects.get().body == "Body"

    def test_is_done_with_an_account_that_has_nobody(self, account):
        enqueue(account, MESSAGE, now=NOW)

        assert send_due(now=NOW) == 1
        assert mail.outbox == []

    def test_who_dies_in_the_middle_sends_only_that_one_again(self, account, admin_user, settings):
        for number in (1, 2, 3):
            enqueue(account, replace(MESSAGE, event_key=f"event:{number}"), now=NOW)
        settings.EMAIL_BACKEND = "tests.alerts.test_outbox.Dying"
        with pytest.raises(SystemExit):
            send_due(now=NOW)
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

        send_due(now=NOW)

        ids = [message.message()["Message-ID"] for message in mail.outbox]
        assert len(ids) == 4
        assert ids[1] == ids[2]
        assert len(set(ids)) == 3


class TestTwoSenders:
    @pytest.fixture
    def slow(self, settings):
        settings.EMAIL_BACKEND = f"{__name__}.Slow"
        Slow.waited.clear()
        others.clear()

    def test_send_each_message_once_and_none_waits_for_the_other(self, account, admin_user, slow):
        enqueue(account, MESSAGE, now=NOW)
        enqueue(account, replace(MESSAGE, event_key="event:2", subject="Second"), now=NOW)

        send_due(now=NOW)
        others[0].join()

        assert Slow.waited == [False]
        assert others[0].error is None
        assert sorted(message.subject for message in mail.outbox) == ["Second", "Subject"]
        assert not OutboxMessage.objects.filter(sent_at=None).exists()
