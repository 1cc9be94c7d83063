"""What the domain knows of each report is what its spec reads."""

import datetime as dt

from costs import sources
from costs.records import Origin
from integrations.anthropic.report_specs import REPORT_SPECS


def test_every_report_by_day_is_known_as_it_is_read():
    read = {
        spec.name: (spec.origin, spec.kind, spec.dimensions, spec.is_bill)
        for spec in REPORT_SPECS.values()
        if spec.kind in {"cost", "usage"}
    }

    assert read == {
        source.name: (source.origin, source.kind, source.dimensions, source.is_bill)
        for source in sources.SOURCES.values()
        if source.name != sources.ALLOCATED
    }


def test_every_report_begins_where_its_spec_says():
    long_ago = dt.date(2000, 1, 1)
    begins = {
        spec.name: spec.first_available_day(long_ago) if spec.first_available_day else None
        for spec in REPORT_SPECS.values()
        if spec.kind in {"cost", "usage"}
    }

    assert begins == {
        source.name: source.begins for source in sources.SOURCES.values() if source.name != sources.ALLOCATED
    }


class TestStating:
    def test_the_bill_alone_is_enough_for_what_it_states(self):
        assert sources.stating("cost", []) is None

    def test_keys_come_with_the_analytics_report_or_with_usage(self):
        found = sources.stating("cost", ["api_key_id"])

        assert found.sources == ["analytics_cost", "allocated"]
        assert found.reports == ["analytics_cost", "analytics_usage", "usage_report"]

    def test_what_a_connection_says_of_itself_needs_no_report(self):
        assert sources.stating("cost", ["connection", "cost_center", "origin"]) is None


class TestRank:
    def best(self, kind, **question):
        ranking = sources.rank(kind, **question)
        top = max(ranking.scores)
        return [name for name, score in zip(ranking.names, ranking.scores, strict=True) if score == top]

    def test_nothing_asked_leaves_all_equal(self):
        assert len(self.best("cost")) == len(sources.rank("cost").names)

    def test_keys_are_known_by_the_reports_of_who(self):
        assert self.best("cost", group_by=["api_key_id"]) == ["analytics_cost", "allocated"]

    def test_what_is_filtered_by_counts_before_what_is_grouped_by(self):
        best = self.best("cost", filters=["context_window"], group_by=["actor_id", "api_key_id", "model"])

        assert best == ["allocated"]

    def test_what_is_grouped_by_first_counts_most(self):
        best = self.best("usage", group_by=["product", "api_key_id"])

        assert "analytics_usage_serving" in best
        assert "analytics_usage" not in best


class TestToldApart:
    def test_two_dimensions_that_no_report_has_together(self):
        assert not sources.reported_together(
            [Origin.CLAUDE_PLATFORM], "usage", ["api_key_id", "context_window"]
        )

    def test_what_an_origin_never_has_is_no_obstacle(self):
        assert sources.reported_together([Origin.CLAUDE_AI], "usage", ["api_key_id", "context_window"])

    def test_shares_are_asked_for_by_name(self):
        both = ["api_key_id", "context_window"]

        assert not sources.reported_together([Origin.CLAUDE_PLATFORM], "cost", both)
        assert sources.reported_together([Origin.CLAUDE_PLATFORM], "cost", [*both, "attribution"])


def test_says_which_reports_do_not_state_a_dimension():
    assert sources.not_reported(["cost_report", "analytics_cost"], ["api_key_id", "model", "connection"]) == {
        "api_key_id": ["cost_report"]
    }
