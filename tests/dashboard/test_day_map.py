from __future__ import annotations

import datetime as dt

import pytest

from costs.models import DayDigest
from dashboard.cards import capabilities
from dashboard.day_map import card_strips, connection_map
from tests.dashboard.conftest import today


@pytest.fixture(autouse=True)
def one_report() -> None:
    """Here every report is read: the map is of all of them."""


class TestConnectionMap:
    def test_has_a_strip_for_each_report_with_days(self, filled):
        strips = connection_map(filled, today())

        expected = filled.reports.filter(wanted_from__isnull=False).count()
        assert len(strips) == expected > 1
        assert all(sum(run.days for run in strip.runs) for strip in strips)

    def test_shows_a_gap_where_it_is(self, filled):
        gap = today() - dt.timedelta(days=10)
        DayDigest.objects.filter(connection=filled, source="cost_report", day=gap).delete()

        strip = next(
            strip for strip in connection_map(filled, today()) if "workspace and model" in strip.label
        )

        missing = [run for run in strip.runs if run.state == "missing"]
        assert [(run.at, run.days) for run in missing] == [(80, 1)]
        assert "1 missing" in strip.summary

    def test_does_not_call_today_missing(self, filled):
        DayDigest.objects.filter(connection=filled, day=today()).delete()

        strips = connection_map(filled, today())

        assert {strip.runs[-1].state for strip in strips} == {"running"}

    def test_says_why_a_report_cannot_be_read(self, filled, viewer, visit):
        report = filled.reports.get(report_name="claude_code")
        report.is_refused, report.detail = True, "The key lacks a scope."
        report.save()

        text = visit(viewer).get(f"/connections/{filled.pk}/").text

        assert "The key lacks a scope." in text


class TestCapabilities:
    def test_tell_what_syncs_found_since_the_key_was_tested(self, filled):
        """The test of a key tries few reports; the first sync tries the others."""
        found = {each.name: each.ok for each in capabilities(filled)}

        assert {each["name"] for each in filled.capabilities if each["ok"] is None}
        assert set(found.values()) == {True}

    def test_tell_what_was_refused_since(self, filled):
        filled.reports.filter(report_name="claude_code").update(
            is_refused=True, detail="The key lacks a scope."
        )

        refused = next(each for each in capabilities(filled) if each.name == "Claude Code activity")

        assert (refused.ok, refused.detail) == (False, "The key lacks a scope.")


class TestCardStrips:
    def test_show_the_bill(self, filled, viewer, visit):
        strip = card_strips([filled], today())[filled.pk]

        assert sum(run.days for run in strip.runs) == 31
        assert f"Last 30 days: {strip.summary}" in visit(viewer).get("/connections/").text

    def test_take_another_report_that_is_the_bill_where_the_chosen_one_has_no_day(self, filled):
        gap = today() - dt.timedelta(days=10)
        DayDigest.objects.filter(connection=filled, source=filled.cost_source, day=gap).delete()

        strip = card_strips([filled], today())[filled.pk]

        assert "missing" not in {run.state for run in strip.runs}


class TestExports:
    def test_offers_files_and_a_command(self, viewer, visit, filled):
        client = visit(viewer)
        text = client.get("/exports/").text

        assert "Authorization: Bearer" in text
        for path in (
            "/explore/table.csv?range=last-month&group_by=workspace_id&rows=all",
            "/usage/table.csv",
        ):
            assert path in text.replace("&amp;", "&")
            assert client.get(path).status_code == 200
