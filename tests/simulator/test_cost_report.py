"""The classic cost report: groupings, paging, windows and the provisional day, all against the truth."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest

from .caller import COST_REPORT, rows, total_usd

FULL = ("workspace_id", "description")
WINDOW = ("2026-09-28", "2026-11-21")
DESCRIBED = (
    "cost_type",
    "description",
    "model",
    "token_type",
    "service_tier",
    "context_window",
    "inference_geo",
)


class TestGrouping:
    @pytest.mark.parametrize("groups", [(), ("workspace_id",), ("description",), FULL])
    @pytest.mark.parametrize("slug", ["acorn-studio", "birch-logistics", "cedar-group", "org-00017"])
    def test_every_grouping_sums_to_the_truth(self, call, sim, slug, groups):
        truth = sim.truth(slug, date(2026, 9, 28), date(2026, 11, 21))

        buckets = call(slug).buckets(*WINDOW, *groups)

        assert total_usd(buckets) == truth.total_usd
        assert {b["starting_at"][:10]: total_usd([b]) for b in buckets} == {
            day.isoformat(): amount for day, amount in truth.days.items()
        }

    def test_ungrouped_is_one_row_a_day_with_nothing_but_the_amount(self, cedar):
        (row,) = cedar.buckets("2026-11-18", "2026-11-19")[0]["results"]

        assert {name for name, value in row.items() if value is not None} == {"amount", "currency"}
        assert set(row) == {"amount", "currency", "workspace_id", *DESCRIBED}

    def test_by_workspace_leaves_the_described_fields_null(self, cedar, sim):
        truth = sim.truth("cedar-group", date(2026, 11, 18), date(2026, 11, 19), group_by="workspace_id")

        found = rows(cedar.buckets("2026-11-18", "2026-11-19", "workspace_id"))

        assert {row["workspace_id"]: Decimal(row["amount"]) / 100 for row in found} == truth.groups
        assert None in truth.groups
        assert {row[name] for row in found for name in DESCRIBED} == {None}

    def test_by_description_leaves_the_workspace_null(self, cedar, sim):
        truth = sim.truth("cedar-group", date(2026, 11, 18), date(2026, 11, 19), group_by=DESCRIBED)

        found = rows(cedar.buckets("2026-11-18", "2026-11-19", "description"))

        assert {
            tuple(row[name] for name in DESCRIBED): Decimal(row["amount"]) / 100 for row in found
        } == truth.groups
        assert {row["workspace_id"] for row in found} == {None}

    def test_full_detail_has_every_truth_row_once(self, cedar, sim):
        truth = sim.truth("cedar-group", date(2026, 11, 16), date(2026, 11, 19), detail=True)

        found = rows(cedar.buckets("2026-11-16", "2026-11-19", *FULL))

        assert len(found) == truth.rows
        assert Counter(row["amount"] for row in found) == Counter(row["amount_cents"] for row in truth.detail)


class TestContent:
    def test_a_large_organisation_shows_every_kind_of_row(self, cedar):
        found = rows(cedar.buckets(*WINDOW, *FULL))

        values = {name: {row[name] for row in found} for name in DESCRIBED}
        assert values["cost_type"] == {"tokens", "web_search", "code_execution", "session_usage"}
        assert values["service_tier"] == {"standard", "batch", None}
        assert values["context_window"] == {"0-200k", "200k-1M", None}
        assert values["inference_geo"] == {"global", "us", "not_available", None}
        assert len(values["token_type"]) == 6
        assert len(values["model"]) == 9
        assert "Claude Opus 5 Usage - Input Tokens, Cache Write" in values["description"]

    def test_amounts_are_decimal_cents_with_six_to_fourteen_digits(self, cedar):
        digits = {len(row["amount"].partition(".")[2]) for row in rows(cedar.buckets(*WINDOW, *FULL))}

        assert (min(digits), max(digits)) == (6, 14)

    def test_a_small_organisation_has_two_models_and_two_workspaces(self, acorn):
        found = rows(acorn.buckets(*WINDOW, *FULL))

        assert len({row["model"] for row in found}) == len({row["workspace_id"] for row in found}) == 2

    def test_days_without_traffic_are_empty_buckets(self, call):
        buckets = call("dormant-labs").buckets("2026-11-01", "2026-11-08", *FULL)

        assert [bucket["results"] for bucket in buckets] == [[]] * 7

    def test_rows_do_not_repeat_a_key(self, cedar):
        for bucket in cedar.buckets("2026-11-10", "2026-11-20", *FULL):
            keys = [
                tuple(value for name, value in row.items() if name != "amount") for row in bucket["results"]
            ]
            assert len(keys) == len(set(keys))


class TestPaging:
    @pytest.mark.parametrize("limit", [1, 5, 31])
    def test_pages_join_to_the_same_days(self, acorn, limit):
        buckets = acorn.buckets("2026-10-01", "2026-11-20", limit=limit)

        days = [date(2026, 10, 1) + timedelta(days=n) for n in range(50)]
        assert [bucket["starting_at"] for bucket in buckets] == [f"{day}T00:00:00Z" for day in days]
        assert [bucket["ending_at"] for bucket in buckets] == [
            f"{day + timedelta(days=1)}T00:00:00Z" for day in days
        ]

    def test_seven_days_are_a_page_by_default(self, acorn):
        page = acorn.get(COST_REPORT, "starting_at=2026-11-01T00:00:00Z").json

        assert (len(page["data"]), page["has_more"]) == (7, True)

    def test_the_last_page_has_no_token(self, acorn):
        page = acorn.report("2026-11-01", "2026-11-20").json

        assert (len(page["data"]), page["has_more"], page["next_page"]) == (19, False, None)

    @pytest.mark.parametrize(
        "changed", [{"limit": 6}, {"group_by[]": "description"}, {"ending_at": "2026-11-19T00:00:00Z"}]
    )
    def test_a_cursor_is_bound_to_its_query(self, acorn, changed):
        query = {"starting_at": "2026-11-01T00:00:00Z", "limit": 5}
        token = acorn.get(COST_REPORT, query).json["next_page"]

        reply = acorn.get(COST_REPORT, query | changed | {"page": token})

        assert reply.error[:2] == (400, "invalid_request_error")
        assert "cursor does not match" in reply.error[2]

    def test_a_cursor_is_bound_to_its_organisation(self, acorn, cedar):
        query = {"starting_at": "2026-11-01T00:00:00Z"}
        token = acorn.get(COST_REPORT, query).json["next_page"]

        assert cedar.get(COST_REPORT, query | {"page": token}).status == 400

    def test_a_query_without_an_end_keeps_its_days_over_midnight(self, acorn, sim):
        query = {"starting_at": "2026-11-08T00:00:00Z"}
        token = acorn.get(COST_REPORT, query).json["next_page"]

        sim.set_clock("2026-11-21T00:05:00Z")
        page = acorn.get(COST_REPORT, query | {"page": token}).json

        assert page["data"][-1]["starting_at"] == "2026-11-19T00:00:00Z"


class TestWindow:
    def test_the_start_is_snapped_down_to_midnight(self, acorn):
        query = "starting_at=2026-11-18T17:45:00Z&ending_at=2026-11-20T00:00:00Z"

        page = acorn.get(COST_REPORT, query).json

        assert [bucket["starting_at"] for bucket in page["data"]] == [
            "2026-11-18T00:00:00Z",
            "2026-11-19T00:00:00Z",
        ]

    def test_an_end_before_midnight_leaves_the_last_day_out(self, acorn):
        query = "starting_at=2026-11-18T00:00:00Z&ending_at=2026-11-19T23:59:59Z"

        assert len(acorn.get(COST_REPORT, query).json["data"]) == 1

    def test_offsets_are_read_as_utc(self, acorn):
        query = "starting_at=2026-11-18T02:00:00%2B02:00&ending_at=2026-11-19T00:00:00Z"

        assert acorn.get(COST_REPORT, query).json["data"][0]["starting_at"] == "2026-11-18T00:00:00Z"

    def test_without_an_end_today_is_left_out(self, acorn):
        page = acorn.get(COST_REPORT, "starting_at=2026-11-18T00:00:00Z").json

        assert page["data"][-1]["ending_at"] == "2026-11-20T00:00:00Z"

    def test_today_grows_with_the_clock_and_is_final_after_midnight(self, cedar, sim):
        seen = []
        for moment in (
            "2026-11-20T01:00:00Z",
            "2026-11-20T12:59:00Z",
            "2026-11-20T23:59:59Z",
            "2026-11-21T00:00:01Z",
        ):
            sim.set_clock(moment)
            seen.append(total_usd(cedar.buckets("2026-11-20", "2026-11-21", *FULL)))
            assert seen[-1] == sim.truth("cedar-group", date(2026, 11, 20), date(2026, 11, 21)).total_usd

        assert sorted(set(seen)) == seen

        sim.set_clock("2026-12-24T00:00:00Z")
        assert total_usd(cedar.buckets("2026-11-20", "2026-11-21")) == seen[-1]

    def test_days_to_come_are_empty(self, acorn):
        assert rows(acorn.buckets("2026-11-21", "2026-12-01")) == []
