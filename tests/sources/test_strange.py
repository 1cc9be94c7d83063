"""Answers that say more, or less, than they did: what is understood is stored, and nothing is told to have changed."""

from __future__ import annotations

import datetime as dt

import pytest

from costs.models import CostFact, DayDigest, Restatement, UpstreamNovelty, UsageFact
from costs.records import DIGEST_VERSION
from foundation.money import sum_usd
from foundation.periods import day_start
from tests.sources.conftest import CONSOLE, ENTERPRISE
from workers import lifecycle, replay
from workers.clock import database_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_fault_afterwards(simulator):
    yield
    simulator.clear_faults()


@pytest.fixture
def again(simulator, run_due):
    """Sync once more while upstream answers in another way."""

    def sync(connection, kind: str, **options) -> None:
        simulator.fault(kind, times=-1, **options)
        lifecycle.force_sync(connection, None, actor="alice")
        run_due()

    return sync


def ended(model):
    """Rows of days that were over; today changes as it goes on."""
    return model.objects.filter(day__lt=database_now().date())


@pytest.mark.parametrize("organisation", [CONSOLE, ENTERPRISE])
class TestANewField:
    def test_is_no_revision_of_any_day_of_any_report(self, filled, again, organisation):
        connection = filled(organisation)
        before = dict(ended(DayDigest).values_list("pk", "amount_usd"))

        again(connection, "new_field")

        assert ended(Restatement).count() == 0
        assert ended(DayDigest).exclude(revised_at=None).count() == 0
        assert dict(ended(DayDigest).values_list("pk", "amount_usd")) == before

    def test_is_kept_in_the_rows_and_told(self, filled, again, organisation):
        connection = filled(organisation)

        again(connection, "new_field")

        assert CostFact.objects.filter(extra__new_dimension="standard").exists()
        assert UsageFact.objects.filter(extra__new_dimension="standard").exists()
        told = UpstreamNovelty.objects.get(source=connection.cost_source)
        assert (told.kind, told.field, told.value) == ("field", "new_dimension", "standard")

    def test_is_replayed_from_the_archive(self, filled, again, organisation):
        connection = filled(organisation)

        again(connection, "new_field")

        assert replay.replay(connection).is_equal


class TestAnUpgrade:
    def test_digests_days_anew_without_a_revision(self, filled, run_due):
        connection = filled(CONSOLE)
        DayDigest.objects.update(version=1, digest=b"of the release before")
        before = list(ended(CostFact).order_by("pk").values_list())

        lifecycle.force_sync(connection, None, actor="alice")
        run_due()

        assert ended(Restatement).count() == 0
        assert ended(DayDigest).exclude(revised_at=None).count() == 0
        assert list(ended(CostFact).order_by("pk").values_list()) == before
        assert ended(DayDigest).filter(version=DIGEST_VERSION).exists()


class TestABucketThatStillRuns:
    def test_withholds_no_day_that_has_ended(self, filled, simulator, days):
        simulator.fault("open_bucket", times=-1, path="/v1/organizations/cost_report$", hour=1)
        connection = filled(CONSOLE)

        truth = simulator.truth(connection.organization_id, days.start, days.end)
        stored = CostFact.objects.filter(source="cost_report", day__gte=days.start, day__lt=days.end)
        assert sum_usd(stored.values_list("amount_usd", flat=True)) == truth.total_usd > 0

    def test_is_known_by_the_hour_it_ends_at(self, filled, simulator):
        simulator.fault("open_bucket", times=-1, path="/v1/organizations/cost_report$", hour=1)
        filled(CONSOLE)

        last = DayDigest.objects.filter(source="cost_report").latest("day")
        assert last.as_of == day_start(last.day) + dt.timedelta(hours=1)

    def test_keeps_no_newer_amount_of_an_earlier_day_out(self, filled, again, simulator):
        """Its hour is before the sync that stored the days before it; those are known by this one all the same."""
        connection = filled(CONSOLE)
        day = database_now().date() - dt.timedelta(days=1)
        simulator.world(CONSOLE, "restate_day", day=str(day), factor="1.25")

        again(connection, "open_bucket", path="/v1/organizations/cost_report$", hour=1)

        truth = simulator.truth(connection.organization_id, day, day + dt.timedelta(days=1)).total_usd
        simulator.world(CONSOLE, "restore_day", day=str(day))
        assert DayDigest.objects.get(source="cost_report", day=day).amount_usd == truth
        assert Restatement.objects.get(source="cost_report", day=day).after_usd == truth
