from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from foundation.periods import DayRange
from integrations.anthropic.endpoints import ENDPOINTS
from integrations.anthropic.report_specs import REPORT_SPECS, analytics_first_day
from integrations.anthropic.reports.classic_cost import cost_report_request
from integrations.anthropic.reports.names import workspaces_request
from integrations.pages import Page

WINDOW = DayRange(date(2026, 11, 19), date(2026, 11, 20))
ALL = REPORT_SPECS
COST = REPORT_SPECS["cost_report"]
WORKSPACES = REPORT_SPECS["workspaces"]
COST_BODY = b"""{"data":[{"starting_at":"2026-11-19T00:00:00Z","ending_at":"2026-11-20T00:00:00Z",
  "results":[{"amount":"150","currency":"USD"}]}],"has_more":false,"next_page":null}"""


def page(request, next_cursor):
    return Page(request, 200, None, None, b"", next_cursor is not None, next_cursor, None, 0)


def about(spec):
    return spec.family, spec.kind, spec.origin.value, spec.max_window_days


class TestStreams:
    def test_are_found_by_the_name_their_requests_carry(self):
        assert all(spec.first_page(WINDOW).report_name == name for name, spec in ALL.items())

    def test_ask_endpoints_that_the_client_knows(self):
        assert {spec.first_page(WINDOW).path for spec in ALL.values()} == ENDPOINTS.keys()

    def test_tell_the_engine_how_to_cut_them(self):
        assert {name: about(spec) for name, spec in ALL.items()} == {
            "cost_report": ("classic", "cost", "claude_platform", 31),
            "usage_report": ("classic", "usage", "claude_platform", 31),
            "claude_code": ("classic", "activity", "claude_platform", 1),
            "workspaces": ("classic", "names", "claude_platform", None),
            "api_keys": ("classic", "names", "claude_platform", None),
            "users": ("classic", "names", "claude_platform", None),
            "analytics_cost": ("analytics", "cost", "claude_platform", 31),
            "analytics_cost_serving": ("analytics", "cost", "claude_platform", 31),
            "analytics_usage": ("analytics", "usage", "claude_platform", 31),
            "analytics_usage_serving": ("analytics", "usage", "claude_platform", 31),
            "enterprise_cost": ("analytics", "cost", "claude_ai", 31),
            "enterprise_cost_speed": ("analytics", "cost", "claude_ai", 31),
            "enterprise_usage": ("analytics", "usage", "claude_ai", 31),
            "enterprise_usage_speed": ("analytics", "usage", "claude_ai", 31),
            "members": ("analytics", "names", "claude_ai", None),
            "enterprise_cost_report": ("analytics", "cost", "claude_ai", 31),
            "enterprise_cost_by_product": ("analytics", "cost", "claude_ai", 31),
            "enterprise_user_cost_report": ("analytics", "cost", "claude_ai", 31),
            "enterprise_usage_report": ("analytics", "usage", "claude_ai", 31),
            "enterprise_user_usage_report": ("analytics", "usage", "claude_ai", 31),
        }

    def test_name_one_bill_for_each_source(self):
        assert [name for name, spec in ALL.items() if spec.is_bill] == [
            "cost_report",
            "analytics_cost",
            "enterprise_cost",
            "enterprise_cost_report",
        ]

    def test_read_the_older_reports_only_instead_of_the_newer(self):
        assert {name: spec.instead_of for name, spec in ALL.items() if spec.instead_of} == {
            "enterprise_cost_report": "enterprise_cost",
            "enterprise_cost_by_product": "enterprise_cost",
            "enterprise_user_cost_report": "enterprise_cost",
            "enterprise_usage_report": "enterprise_usage",
            "enterprise_user_usage_report": "enterprise_usage",
        }

    @pytest.mark.parametrize("name", ALL)
    def test_ask_for_no_more_than_five_dimensions(self, name):
        query = ALL[name].first_page(WINDOW).query
        asked = [value for field, value in query if field == "group_by[]" and not value.endswith("_type")]

        assert len(asked) <= 5
        assert len(set(asked)) == len(asked)

    def test_say_which_columns_their_rows_fill(self):
        assert ALL["analytics_cost"].dimensions == {
            "actor_type", "actor_id", "api_key_id", "workspace_id", "model", "service_tier", "cost_type", "token_type",
        }  # fmt: skip
        assert ALL["usage_report"].dimensions == {
            "actor_type", "actor_id", "api_key_id", "workspace_id", "model", "service_tier",
        }  # fmt: skip
        assert ALL["enterprise_user_cost_report"].dimensions == {
            "actor_type", "actor_id", "product", "model",
        }  # fmt: skip
        assert ALL["enterprise_cost_report"].dimensions == frozenset()

    @pytest.mark.parametrize(
        ("today", "floor"),
        [
            (date(2026, 11, 22), date(2026, 1, 1)),
            (date(2026, 12, 31), date(2026, 1, 1)),
            (date(2027, 1, 1), date(2026, 1, 2)),
        ],
    )
    def test_know_how_far_analytics_reach(self, today, floor):
        assert analytics_first_day(today) == floor
        assert [spec.first_available_day for spec in ALL.values() if spec.first_available_day] == [
            analytics_first_day
        ] * 13


class TestFirstPage:
    def test_asks_for_the_whole_window(self):
        assert COST.first_page(WINDOW) == cost_report_request(WINDOW)

    @pytest.mark.parametrize("name", [name for name, spec in ALL.items() if spec.kind != "names"])
    def test_needs_a_window_where_days_matter(self, name):
        with pytest.raises(ValueError, match="window"):
            ALL[name].first_page(None)

    def test_needs_none_for_names(self):
        assert WORKSPACES.first_page(None) == workspaces_request()


class TestNextPage:
    def test_changes_nothing_but_the_cursor(self):
        first = COST.first_page(WINDOW)

        following = COST.next_page(first, page(first, "page_2"))

        assert following == replace(first, cursor="page_2")
        assert following.query_hash() == first.query_hash()

    def test_ends_after_the_last_page(self):
        first = COST.first_page(WINDOW)

        assert COST.next_page(first, page(first, None)) is None


class TestRead:
    def test_returns_cost_and_the_days_it_covers(self):
        reading = COST.read(WINDOW, [COST_BODY])

        assert [str(record.amount_usd) for record in reading.records] == ["1.50"]
        assert reading.covered == {date(2026, 11, 19)}

    def test_returns_names_and_no_days(self):
        reading = WORKSPACES.read(None, [b'{"data":[{"id":"w","name":"A"}],"has_more":false,"last_id":"w"}'])

        assert [record.name for record in reading.names] == ["A"]
        assert reading.covered == frozenset()
