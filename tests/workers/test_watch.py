from __future__ import annotations

import datetime as dt

import pytest
from django.core import mail

from alerts import outbox
from integrations.models import Connection
from workers import lifecycle, watch
from workers.clock import database_now

pytestmark = pytest.mark.django_db(transaction=True)
DAY = dt.timedelta(days=1)


@pytest.fixture
def connection(connect, run_due, admin_user) -> Connection:
    made = connect("dormant-labs")
    run_due()
    return made


class TestTellAboutLate:
    def test_writes_once_about_a_lapse(self, connection):
        later = database_now() + 2 * DAY

        for _ in range(3):
            watch.tell_about_late(later)
        outbox.send_due(now=later)

        assert [message.subject for message in mail.outbox if "no successful sync" in message.subject]
        assert len(mail.outbox) == 1

    def test_is_silent_within_the_expected_time(self, connection):
        assert watch.tell_about_late(database_now() + DAY) == 0

    def test_is_silent_about_paused_connections(self, connection):
        lifecycle.pause(connection, actor="alice")

        assert watch.tell_about_late(database_now() + 2 * DAY) == 0
