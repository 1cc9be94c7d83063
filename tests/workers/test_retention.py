from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection as database
from django.db import transaction
from django.db.models import F

from config.celery import app
from costs.models import CostFact
from tests.others import Other
from workers import lifecycle, retention
from workers.clock import database_now
from workers.models import Page, SyncRun, SyncStep
from workers.tasks import prune_archive

pytestmark = pytest.mark.django_db(transaction=True)
LATER = dt.timedelta(days=31)


@pytest.fixture(autouse=True)
def keep_thirty_days(settings):
    settings.PAGE_ARCHIVE_DAYS = 30


class TestPrune:
    def test_deletes_pages_of_windows_that_were_written_long_ago(self, connect, run_due):
        connect()
        run_due()
        pages = Page.objects.count()

        assert retention.prune(database_now() + LATER) == pages

        assert Page.objects.count() == 0

    def test_leaves_to_another_pruner_what_that_one_deletes(self, connect, run_due):
        connect()
        run_due()
        found: list[int] = []
        with transaction.atomic():
            retention.prune(database_now() + LATER)
            other = Other(lambda: found.append(retention.prune(database_now() + LATER)))
            waits = other.is_blocked_at_last()
        other.join()

        assert not waits
        assert found == [0]

    def test_keeps_runs_steps_and_facts(self, connect, run_due):
        connect()
        run_due()
        before = [model.objects.count() for model in (SyncRun, SyncStep, CostFact)]

        retention.prune(database_now() + LATER)

        assert [model.objects.count() for model in (SyncRun, SyncStep, CostFact)] == before

    def test_keeps_what_is_young(self, connect, run_due):
        connect()
        run_due()

        assert retention.prune(database_now() + dt.timedelta(days=29)) == 0

    def test_keeps_everything_for_ever_at_zero_days(self, connect, run_due, settings):
        settings.PAGE_ARCHIVE_DAYS = 0
        connect()
        run_due()

        assert retention.prune(database_now() + dt.timedelta(days=36_500)) == 0

    def test_leaves_pages_of_open_steps_whatever_their_age(self, connect, simulator, run_due):
        connection = connect()
        # Its answer is kept, refused, and asked for again later: the step stays open with a page.
        simulator.fault("bad_amount", path="/v1/organizations/cost_report")
        run_due()
        held = SyncStep.objects.get(run__connection=connection, status=SyncStep.Status.QUEUED)
        of_open = set(held.pages.values_list("pk", flat=True))

        retention.prune(database_now() + LATER)

        assert of_open
        assert set(Page.objects.values_list("pk", flat=True)) == of_open

    def test_deletes_pages_of_a_run_that_was_cancelled_long_ago(self, connect, simulator, run_due):
        connection = connect()
        simulator.fault("bad_amount", path="/v1/organizations/cost_report")
        run_due()
        lifecycle.disconnect(connection, erase=False, actor="alice")

        retention.prune(database_now() + LATER)

        assert Page.objects.count() == 0

    def test_gets_through_a_long_archive_in_batches(self, connect, run_due, monkeypatch):
        monkeypatch.setattr(retention, "_BATCH", 2)
        connect()
        run_due()
        pages = Page.objects.count()

        assert retention.prune(database_now() + LATER) == pages

    def test_leaves_the_rest_to_the_next_call(self, connect, run_due, monkeypatch):
        monkeypatch.setattr(retention, "_BATCH", 2)
        monkeypatch.setattr(retention, "_MOST_BATCHES", 3)
        connect()
        run_due()

        assert [retention.prune(database_now() + LATER) for _ in range(4)] == [6, 6, 1, 0]

    def test_does_not_wait_for_pages_that_another_one_is_deleting(self, connect, run_due):
        connect()
        run_due()
        pages = Page.objects.count()
        other = database.copy()
        try:
            with other.cursor() as cursor:
                other.set_autocommit(False)
                cursor.execute("SELECT id FROM workers_page ORDER BY id LIMIT 5 FOR UPDATE")

                assert retention.prune(database_now() + LATER) == pages - 5
        finally:
            other.rollback()
            other.close()


class TestSchedule:
    def test_asks_every_hour_in_the_queue_of_the_ticks(self):
        entry = app.conf.beat_schedule["prune"]

        assert entry["task"] == prune_archive.name
        assert entry["options"] == {"queue": "ticks"}
        assert entry["schedule"].minute == {17}
        assert len(entry["schedule"].hour) == 24

    def test_prunes_what_is_due(self, connect, run_due):
        connect()
        run_due()
        pages = Page.objects.count()
        Page.objects.update(requested_at=F("requested_at") - LATER)
        SyncStep.objects.update(finished_at=F("finished_at") - LATER)

        assert [prune_archive(), prune_archive()] == [{"pruned": pages}, {"pruned": 0}]
