from __future__ import annotations

import datetime as dt

import pytest

from costs import novelties
from costs.models import UpstreamNovelty
from costs.news import News
from costs.records import MOST_VALUES
from integrations.models import Connection

MONDAY = dt.date(2026, 11, 16)
SUNDAY, FRIDAY = MONDAY - dt.timedelta(days=1), MONDAY + dt.timedelta(days=4)
NOW = dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)


@pytest.fixture
def connection(account) -> Connection:
    return Connection.objects.create(
        account=account, origin="claude_platform", label="A", organization_id="o1", backfill_days=365,
        wanted_from="2025-11-01",
    )  # fmt: skip


def note(connection: Connection, *news: News) -> None:
    novelties.note(connection.pk, news, observed_at=NOW)


class TestNote:
    def test_keeps_each_thing_once_with_all_its_days(self, connection):
        note(connection, News("cost_report", "field", "lane", "a", MONDAY))
        note(connection, News("cost_report", "field", "lane", "a", FRIDAY))
        note(connection, News("cost_report", "field", "lane", "a", SUNDAY))

        found = UpstreamNovelty.objects.get()
        assert (found.first_day, found.last_day, found.first_seen_at) == (SUNDAY, FRIDAY, NOW)

    def test_keeps_apart_reports_fields_and_values(self, connection):
        note(
            connection,
            News("cost_report", "field", "lane", "a", MONDAY),
            News("cost_report", "field", "lane", "b", MONDAY),
            News("cost_report", "field", "road", "a", MONDAY),
            News("usage_report", "field", "lane", "a", MONDAY),
        )

        assert UpstreamNovelty.objects.count() == 4

    def test_does_not_grow_with_a_field_that_differs_on_every_row(self, connection):
        note(connection, *(News("cost_report", "field", "id", str(n), MONDAY) for n in range(100)))
        note(connection, News("cost_report", "field", "id", "another", MONDAY))

        assert UpstreamNovelty.objects.count() == MOST_VALUES

    def test_takes_a_row_of_a_list_of_names_that_has_no_day(self, connection):
        note(connection, News("api_keys", "unread", "row", "x" * 100_000))

        found = UpstreamNovelty.objects.get()
        assert (found.first_day, len(found.value)) == (None, 200)


class TestFlood:
    def test_of_field_names_ends_and_other_reports_go_on(self, connection):
        note(
            connection,
            *(News("cost_report", "field", f"f{n}", "v", MONDAY) for n in range(novelties.MOST_FIELDS + 50)),
        )
        note(connection, News("cost_report", "field", "later", "v", MONDAY), News("users", "field", "f", "v"))
        note(connection, News("cost_report", "field", "f1", "another", MONDAY))

        assert (
            UpstreamNovelty.objects.filter(source="cost_report", value="v").count() == novelties.MOST_FIELDS
        )
        assert UpstreamNovelty.objects.filter(source="users").exists()
        assert UpstreamNovelty.objects.filter(value="another").exists()

    def test_of_long_values_that_begin_alike_keeps_each(self, connection):
        note(connection, *(News("cost_report", "field", "lane", "x" * 1000 + end, MONDAY) for end in "ab"))

        assert UpstreamNovelty.objects.count() == 2
