"""How complete the usage is that a sum tells: usage has its own reports, which may lag behind the bill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from django.db import transaction

from costs import novelties
from costs.ingest import Window, replace_window
from costs.news import News
from costs.records import Origin
from costs.tables import USAGE
from costs.usage_records import UsageRecord
from integrations.models import Report
from tests.api.conftest import DAY, record, store, stored_connection, utc

if TYPE_CHECKING:
    import datetime as dt

SEPTEMBER, OCTOBER = utc("2026-09-01").date(), utc("2026-10-01").date()
YESTERDAY = OCTOBER - DAY


def read_usage(
    connection: Any, *days: dt.date, tokens: int = 1, report_name: str = "usage_report", **read: Any
) -> None:
    """Store one row of usage for each of the days, as read long after or at `as_of`."""
    rows = [
        UsageRecord(day=day, origin=Origin.CLAUDE_PLATFORM, source=report_name, output_tokens=tokens)
        for day in days
    ]
    moment = read.get("as_of", utc("2026-12-01"))
    with transaction.atomic():
        replace_window(Window(connection.pk, report_name, frozenset(days), moment, moment, None, USAGE), rows)


def offer(connection: Any, **report: Any) -> None:
    """Make a report of usage one of the connection's."""
    Report.objects.create(
        **{
            "connection": connection,
            "report_name": "usage_report",
            "kind": "usage",
            "wanted_from": SEPTEMBER,
            **report,
        }
    )


@pytest.fixture
def connection(account) -> Any:
    """One with every bill from 1 September to 1 October, and a report of usage that should have the same days."""
    connection = stored_connection(account, wanted_from=SEPTEMBER)
    store(connection, *(record(SEPTEMBER + n * DAY, "1") for n in range(31)))
    offer(connection)
    return connection


@pytest.fixture
def summary(viewer) -> Any:
    """Sum the usage of 1 October, compared with the day before it."""
    query = {"from": "2026-10-01", "to": "2026-10-02", "compare": "previous"}
    return lambda: viewer.get("usage/summary/", **query).json()


class TestCompleteness:
    def test_is_that_of_usage_not_of_the_bill(self, summary, connection):
        read_usage(connection, OCTOBER, tokens=7)

        found = summary()

        assert (found["state"], found["complete_through"]) == ("settled", "2026-10-01")
        assert (found["previous_state"], found["previous_totals"]) == ("missing", None)

    def test_nothing_stored_is_missing(self, summary, connection):
        found = summary()

        assert (found["state"], found["complete_through"], found["previous_state"]) == (
            "missing",
            None,
            "missing",
        )

    def test_compares_with_days_that_are_stored(self, summary, connection):
        read_usage(connection, YESTERDAY, OCTOBER, tokens=7)

        found = summary()

        assert found["previous_state"] == "settled"
        assert found["previous_totals"]["output_tokens"] == found["totals"]["output_tokens"] == 7

    def test_compares_with_the_day_a_month_before_when_asked(self, viewer, connection):
        read_usage(connection, SEPTEMBER, OCTOBER, tokens=7)
        asked = {"from": "2026-10-01", "to": "2026-10-02", "compare": "previous_month"}

        found = viewer.get("usage/summary/", **asked).json()

        assert found["previous_days"] == {"from": "2026-09-01", "to": "2026-09-02"}
        assert found["previous_totals"]["output_tokens"] == 7

    def test_is_as_final_as_the_report_that_was_read_longest_ago(self, summary, connection):
        """Whichever report answers best depends on the question, so the worst is told."""
        offer(connection, report_name="analytics_usage")
        read_usage(connection, YESTERDAY, OCTOBER)
        read_usage(connection, OCTOBER, report_name="analytics_usage", as_of=utc("2026-10-02"))

        found = summary()

        assert (found["state"], found["previous_state"]) == ("provisional", "settled")

    def test_a_day_of_which_one_report_has_nothing_is_told_by_another(self, summary, connection):
        offer(connection, report_name="analytics_usage", wanted_from=OCTOBER)
        read_usage(connection, YESTERDAY, OCTOBER)

        assert (summary()["state"], summary()["previous_state"]) == ("settled", "settled")

    def test_who_may_read_no_usage_is_missing_from_the_sum(self, summary, account, connection):
        offer(stored_connection(account, 2, wanted_from=SEPTEMBER), is_refused=True)
        read_usage(connection, YESTERDAY, OCTOBER)

        assert (summary()["state"], summary()["previous_state"]) == ("missing", "missing")
        assert [gap["reason"] for gap in summary()["missing"]] == ["refused"]

    def test_who_begins_later_keeps_the_days_from_being_compared(self, summary, account, connection):
        later = stored_connection(account, 2, wanted_from=SEPTEMBER)
        offer(later, wanted_from=OCTOBER)
        read_usage(later, OCTOBER)
        read_usage(connection, YESTERDAY, OCTOBER)

        assert (summary()["state"], summary()["previous_state"]) == ("settled", "missing")


class TestNewCounts:
    """Kinds of tokens and calls that this version does not know: in rows, sums and files, and in no total."""

    NEW: ClassVar = {"thinking_tokens": 300, "server_tool_use.web_fetch_requests": 7}

    @pytest.fixture(autouse=True)
    def counted(self, connection):
        rows = [
            UsageRecord(
                day=OCTOBER, origin=Origin.CLAUDE_PLATFORM, source="usage_report", model=model, output_tokens=1000,
                other_counts=counts, extra={"new_dimension": "standard"},
            )
            for model, counts in (("m", self.NEW), ("n", {"thinking_tokens": 5}))
        ]  # fmt: skip
        moment = utc("2026-12-01")
        window = Window(connection.pk, "usage_report", frozenset({OCTOBER}), moment, moment, None, USAGE)
        with transaction.atomic():
            replace_window(window, rows)

    def test_are_in_the_sums_and_named_as_left_out(self, summary):
        found = summary()

        assert found["totals"]["total_tokens"] == 2000
        assert found["totals"]["other_counts"] == {**self.NEW, "thinking_tokens": 305}
        assert found["left_out"] == sorted(self.NEW)

    def test_are_in_the_sums_of_each_group_and_day(self, viewer):
        query = {"from": "2026-09-30", "to": "2026-10-02", "group_by": "model", "granularity": "day"}

        rows = viewer.get("usage/summary/", **query).json()["rows"]

        found = {(row["bucket"], row["group"]["model"]): row["other_counts"] for row in rows}
        assert found == {("2026-10-01", "m"): self.NEW, ("2026-10-01", "n"): {"thinking_tokens": 5}}

    def test_follow_filters(self, viewer):
        query = {"from": "2026-10-01", "to": "2026-10-02", "model": "n"}

        totals = viewer.get("usage/summary/", **query).json()["totals"]

        assert totals["other_counts"] == {"thinking_tokens": 5}

    def test_are_in_the_rows(self, viewer):
        rows = viewer.get("usage/", **{"from": "2026-10-01", "to": "2026-10-02"}).json()["results"]

        assert rows[0]["other_counts"] == self.NEW
        assert rows[0]["extra"] == {"new_dimension": "standard"}

    def test_that_could_not_be_read_are_named(self, summary, connection):
        news = News("usage_report", "unread", "output_tokens", "absent", OCTOBER)
        novelties.note(connection.pk, [news], observed_at=utc("2026-12-01"))

        assert summary()["unread"] == ["output_tokens"]

    def test_that_could_not_be_read_on_other_days_are_not(self, summary, connection):
        news = News("usage_report", "unread", "output_tokens", "absent", YESTERDAY)
        novelties.note(connection.pk, [news], observed_at=utc("2026-12-01"))

        assert summary()["unread"] == []
