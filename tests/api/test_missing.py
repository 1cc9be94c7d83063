"""A day that was never fetched is missing, and says why: in sums, usage, completeness, connections and files."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import replace

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from pyarrow import parquet

from costs.ingest import Window, replace_window
from costs.models import DayDigest
from costs.usage import COUNTS
from integrations.models import Report
from tests.api.conftest import DAY, record, store, stored_connection, utc
from tests.api.test_usage import read_usage
from workers import runs
from workers.models import SyncRun

FIRST = dt.date(2026, 10, 1)
ALL = [FIRST + n * DAY for n in range(4)]
RANGE = {"from": "2026-10-01", "to": "2026-10-05"}
SUMS = {"costs": "costs/summary/", "usage": "usage/summary/"}
FILES = ["costs.csv", "focus.csv", "costs.parquet"]


@pytest.fixture
def connection(account):
    return stored_connection(account, wanted_from=FIRST)


def gap(first: str, last: str, reason: str) -> dict[str, str]:
    return {"from": first, "to": last, "reason": reason}


class TestNothingStored:
    @pytest.mark.parametrize("kind", SUMS)
    def test_without_connections_there_is_no_figure(self, viewer, kind):
        found = viewer.get(SUMS[kind], **RANGE).json()

        assert (found["state"], found["complete_through"], found["rows"]) == ("missing", None, [])
        assert found["missing"] == [gap("2026-10-01", "2026-10-05", "not_read")]

    def test_the_total_is_null(self, viewer, connection):
        assert viewer.get("costs/summary/", **RANGE).json()["total_usd"] is None

    def test_every_count_is_null(self, viewer, connection):
        totals = viewer.get("usage/summary/", **RANGE).json()["totals"]

        assert totals == {**dict.fromkeys(COUNTS), "other_counts": {}}

    def test_before_the_first_sync_nothing_was_known(self, viewer, connection):
        store(connection, record(FIRST, "1"), days=ALL, as_of=utc("2026-11-05"))

        found = viewer.get("costs/summary/", **RANGE, as_of="2026-11-01").json()

        assert (found["total_usd"], found["state"]) == (None, "missing")
        assert found["missing"] == [gap("2026-10-01", "2026-10-05", "not_read")]

    def test_before_the_history_of_the_plan_there_is_none(self, viewer, connection):
        store(connection, record(FIRST, "1"), days=ALL)

        found = viewer.get("costs/summary/", **{"from": "2026-09-01", "to": "2026-09-11"}).json()

        assert (found["total_usd"], found["state"]) == (None, "missing")
        assert found["missing"] == [gap("2026-09-01", "2026-09-11", "outside_plan")]

    def test_a_filter_needs_the_report_that_states_it(self, viewer, connection):
        Report.objects.create(
            connection=connection, report_name="analytics_cost", kind="cost", is_bill=True, wanted_from=FIRST
        )
        store(connection, *(record(day, "1") for day in ALL))

        found = viewer.get("costs/summary/", **RANGE, api_key_id="apikey_1").json()

        assert (found["total_usd"], found["state"]) == (None, "missing")


class TestPartlyStored:
    @pytest.fixture
    def connection(self, connection):
        store(connection, record(FIRST, "1.50"), days=[ALL[0], ALL[3]])
        return connection

    def test_the_total_is_of_what_is_stored(self, viewer, connection):
        found = viewer.get("costs/summary/", **RANGE).json()

        assert (found["total_usd"], found["state"], found["complete_through"]) == (
            "1.50",
            "missing",
            "2026-10-01",
        )
        assert found["missing"] == [gap("2026-10-02", "2026-10-04", "not_read")]

    def test_a_stored_day_without_cost_is_nought(self, viewer, connection):
        found = viewer.get("costs/summary/", **{"from": "2026-10-04", "to": "2026-10-05"}).json()

        assert (found["total_usd"], found["state"], found["missing"]) == ("0.00", "settled", [])

    def test_completeness_names_the_same_days(self, viewer, connection):
        found = viewer.get(f"connections/{connection.pk}/completeness/", **RANGE).json()

        assert found["missing"] == [gap("2026-10-02", "2026-10-04", "not_read")]


class TestKeptHistory:
    def test_is_settled_as_far_as_it_was(self, viewer, connection):
        store(connection, record(FIRST, "1"), days=ALL[:2])
        type(connection).objects.update(disconnected_at=utc("2026-10-03T12:00"))

        kept = viewer.get("costs/summary/", **{"from": "2026-10-01", "to": "2026-10-03"}).json()
        since = viewer.get("costs/summary/", **{"from": "2026-10-03", "to": "2026-10-05"}).json()

        assert (kept["state"], kept["complete_through"]) == ("settled", "2026-10-02")
        assert since["missing"] == [gap("2026-10-03", "2026-10-05", "disconnected")]


class TestCompared:
    """Keys of 1 and 2 October in both ranges; the report of keys has come for the later one only."""

    TWO = {"from": "2026-10-02", "to": "2026-10-03"}

    @pytest.fixture
    def connection(self, connection):
        store(connection, record(FIRST, "1", model="opus"), record(ALL[1], "1", model="opus"))
        return connection

    def compared(self, viewer, **query):
        return viewer.get("costs/summary/", **self.TWO, compare="previous", **query).json()

    def test_the_bill_alone_can_be_compared(self, viewer, connection):
        assert self.compared(viewer, group_by="model")["previous_total_usd"] == "1.00"

    def test_groups_need_their_report_on_both_sides(self, viewer, connection):
        store_keys(connection, ALL[1])

        found = self.compared(viewer, group_by="api_key_id")

        assert (found["previous_state"], found["previous_total_usd"]) == ("missing", None)
        assert {row["previous_usd"] for row in found["rows"]} == {None}

    def test_groups_with_their_report_on_both_sides_are_compared(self, viewer, connection):
        store_keys(connection, *ALL[:2])

        assert self.compared(viewer, group_by="api_key_id")["rows"][0]["previous_usd"] == "1.00"


class TestRowsOfDaysThatWereNeverFetched:
    """October's first four days against the last four of September."""

    BEFORE = [FIRST - n * DAY for n in range(1, 5)]

    def store_before(self, connection) -> None:
        store(connection, *(record(day, "2", model="opus") for day in self.BEFORE))

    def rows(self, viewer, kind="costs", **query):
        return viewer.get(SUMS[kind], **RANGE, compare="previous", **query).json()["rows"]

    @pytest.mark.parametrize("kind", SUMS)
    def test_are_none_without_a_stored_day_in_either_range(self, viewer, connection, kind):
        assert self.rows(viewer, kind) == []

    def test_are_none_where_only_the_earlier_range_is_stored(self, viewer, connection):
        self.store_before(connection)

        assert self.rows(viewer, group_by="model") == []

    def test_have_no_amount_beside_that_of_the_earlier_day(self, viewer, connection):
        self.store_before(connection)
        store(connection, record(ALL[0], "1", model="opus"), days=[ALL[0], *ALL[2:]])

        found = self.rows(viewer, granularity="day", group_by="model")

        assert [(row["bucket"], row["amount_usd"], row["previous_usd"]) for row in found] == [
            ("2026-10-01", "1.00", "2.00"),
            ("2026-10-02", None, "2.00"),
            ("2026-10-03", "0.00", "2.00"),
            ("2026-10-04", "0.00", "2.00"),
        ]

    @pytest.mark.parametrize("names", ["current", "as_of_day"])
    def test_have_the_amount_of_the_other_days_of_their_week(self, viewer, connection, names):
        self.store_before(connection)
        store(connection, record(ALL[0], "1", model="opus"))

        found = self.rows(viewer, granularity="week", group_by="model", names=names)

        assert [(row["bucket"], row["amount_usd"]) for row in found] == [("2026-09-28", "1.00")]

    def test_have_no_counts_beside_those_of_the_earlier_day(self, viewer, connection):
        read_usage(connection, *self.BEFORE, ALL[0], ALL[3])

        found = self.rows(viewer, "usage", granularity="day")

        assert [(row["total_tokens"], row["previous"]["total_tokens"]) for row in found] == [
            (1, 1), (None, 1), (None, 1), (1, 1)
        ]  # fmt: skip


class TestComparedMonths:
    """November, which has thirty days, with October, which has one more, each at a dollar a day."""

    NOVEMBER = {"from": "2026-11-01", "to": "2026-12-01", "granularity": "month", "compare": "previous_month"}

    @pytest.mark.parametrize("names", ["current", "as_of_day"])
    def test_have_their_own_last_day_whatever_the_names(self, viewer, connection, names):
        store(connection, *(record(FIRST + n * DAY, "1") for n in range(61)))

        found = viewer.get("costs/summary/", **self.NOVEMBER, names=names).json()["rows"]

        assert [(row["bucket"], row["amount_usd"], row["previous_usd"]) for row in found] == [
            ("2026-11-01", "30.00", "31.00")
        ]

    @pytest.mark.parametrize("names", ["current", "as_of_day"])
    def test_of_usage_have_their_own_last_day_too(self, viewer, connection, names):
        read_usage(connection, *(FIRST + n * DAY for n in range(61)))

        found = viewer.get("usage/summary/", **self.NOVEMBER, names=names).json()["rows"]

        assert [(row["bucket"], row["total_tokens"], row["previous"]["total_tokens"]) for row in found] == [
            ("2026-11-01", 30, 31)
        ]


def store_keys(connection, *days: dt.date) -> None:
    """Store what the analytics report says of the days: the same dollars, by key."""
    rows = [
        replace(record(day, "1", model="opus", api_key_id="apikey_1"), source="analytics_cost")
        for day in days
    ]
    moment = utc("2026-12-01")
    with transaction.atomic():
        replace_window(Window(connection.pk, "analytics_cost", frozenset(days), moment, moment, None), rows)


class TestEnterprise:
    """Connected on 10 January 2026 with a year of history, of which the API has ten days."""

    @pytest.fixture
    def connection(self, account):
        found = stored_connection(
            account, origin="claude_ai", cost_source="enterprise_cost", wanted_from=dt.date(2025, 1, 10)
        )
        Report.objects.update(report_name="enterprise_cost", wanted_from=dt.date(2026, 1, 1))
        for n in range(10):
            DayDigest.objects.create(
                connection=found, source="enterprise_cost", day=dt.date(2026, 1, 1) + n * DAY, digest=b"",
                row_count=0, amount_usd="0", as_of=utc("2026-06-01"),
            )  # fmt: skip
        return found

    def test_is_safe_through_what_the_api_has(self, viewer, connection):
        found = viewer.get(
            f"connections/{connection.pk}/completeness/", **{"from": "2025-12-01", "to": "2026-01-11"}
        ).json()

        assert found["safe_through"] == "2026-01-10"
        assert found["missing"] == [gap("2025-12-01", "2026-01-01", "before_api")]

    def test_its_sum_still_says_what_is_missing(self, viewer, connection):
        found = viewer.get("costs/summary/", **{"from": "2025-12-31", "to": "2026-01-03"}).json()

        assert (found["state"], found["total_usd"], found["complete_through"]) == ("missing", "0.00", None)
        assert found["missing"] == [gap("2025-12-31", "2026-01-01", "before_api")]


def read(answer):
    """Take the file to its end: until then its transaction is open."""
    assert b"".join(answer.streaming_content)
    return answer


@pytest.mark.django_db(transaction=True)
class TestFiles:
    @pytest.fixture
    def connection(self, connection):
        store(connection, record(FIRST, "1"), days=[ALL[0], ALL[3]])
        return connection

    @pytest.mark.parametrize("name", FILES)
    def test_say_what_they_lack(self, viewer, connection, name):
        answer = read(viewer.get(f"exports/{name}", **RANGE))

        assert answer["Tallystick-State"] == "missing"
        assert answer["Tallystick-Missing"] == "2026-10-02/2026-10-04;not_read"
        assert answer["Tallystick-Complete-Through"] == "2026-10-01"

    def test_say_it_without_their_rows(self, viewer, connection):
        answer = viewer("HEAD", "exports/costs.csv", **RANGE)

        assert answer["Tallystick-Missing"] == "2026-10-02/2026-10-04;not_read"

    def test_of_usage_say_it_of_usage(self, viewer, connection):
        answer = read(viewer.get("exports/usage.csv", **RANGE))

        assert answer["Tallystick-Missing"] == "2026-10-01/2026-10-05;not_read"

    def test_with_every_day_say_so(self, viewer, connection):
        answer = read(viewer.get("exports/costs.csv", **{"from": "2026-10-01", "to": "2026-10-02"}))

        assert answer["Tallystick-State"] == "settled"
        assert "Tallystick-Missing" not in answer

    def test_name_the_first_gaps_and_count_the_others(self, viewer, connection):
        store(connection, days=[FIRST + 2 * n * DAY for n in range(15)])

        answer = read(viewer.get("exports/costs.csv", **{"from": "2026-10-01", "to": "2026-10-30"}))

        assert answer["Tallystick-Missing"].endswith(", 3 more")

    def test_of_parquet_say_it_inside(self, viewer, connection):
        answer = viewer.get("exports/costs.parquet", **RANGE)

        known = parquet.read_schema(io.BytesIO(b"".join(answer.streaming_content))).metadata

        assert known[b"tallystick.state"] == b"missing"
        assert (
            known[b"tallystick.missing"]
            == b'[{"from": "2026-10-02", "to": "2026-10-04", "reason": "not_read"}]'
        )


class TestBackfill:
    """A backfill of 366 days, of which the API has 334."""

    DAYS = (dt.date(2025, 11, 30), dt.date(2026, 12, 1))

    @pytest.mark.parametrize(
        ("begins", "total"), [(None, 366), (dt.date(2025, 11, 30), 366), (dt.date(2026, 1, 1), 334)]
    )
    def test_is_done_with_the_days_that_can_be_had(self, begins, total):
        assert runs.days_of_bill(SyncRun(from_day=self.DAYS[0], to_day=self.DAYS[1]), begins) == total


@pytest.mark.django_db(transaction=True)
class TestOneMoment:
    @pytest.mark.parametrize("kind", SUMS)
    def test_sums_and_state_are_read_in_one_look(self, viewer, connection, kind):
        with CaptureQueriesContext(database) as asked:
            viewer.get(SUMS[kind], **RANGE, compare="previous", group_by=["model", "api_key_id"])

        looks = [place for place, query in enumerate(asked) if "REPEATABLE READ" in query["sql"]]
        reads = [place for place, query in enumerate(asked) if "costs_daydigest" in query["sql"]]
        assert len(looks) == 1
        assert looks[0] < min(reads)
