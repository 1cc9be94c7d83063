"""Settings → Cost centres: all connections on one page."""

from __future__ import annotations

import html
import re

import pytest

from accounts.actions import difference
from accounts.models import AuditEvent
from dashboard.forms import CostCenterForm
from integrations.models import Connection

PAGE = "/settings/cost-centers/"


@pytest.fixture
def two(account) -> tuple[Connection, Connection]:
    base = {"account": account, "wanted_from": "2026-10-01", "backfill_days": 30}
    first, second = (
        Connection.objects.create(
            label=label, organization_id=label, organization_name=f"{label} Ltd", **base
        )
        for label in ("Acorn", "Birch")
    )
    return first, second


def inputs(page: str) -> dict[str, str]:
    """What a browser would send of the form: the name and value of each of its lines."""
    form = re.findall(r"<form method=\"post\">.*?</form>", page, re.DOTALL)[-1]
    tags = re.findall(r'<input type="(?:text|hidden)" name="((?:initial-)?[0-9a-f-]{36})"([^>]*)>', form)
    values = {name: re.search(r'value="([^"]*)"', rest) for name, rest in tags}
    return {name: html.unescape(found[1]) if found else "" for name, found in values.items()}


class TestCostCenters:
    def test_changes_those_that_differ_and_records_each(self, admin, visit, two):
        acorn, birch = two
        client = visit(admin)

        answer = client.post(PAGE, {str(acorn.pk): " R&D ", str(birch.pk): ""}, follow=True)

        assert "Saved: Acorn." in answer.text
        assert 'value="R&amp;D"' in answer.text
        assert [c.cost_center for c in Connection.objects.order_by("label")] == ["R&D", ""]
        event = AuditEvent.objects.get(action="connection.edited")
        assert (event.target, event.changes["cost_center"]) == ("Acorn", difference("", "R&D"))

    def test_leaves_alone_what_was_not_sent(self, admin, visit, two):
        Connection.objects.update(cost_center="Support")

        text = visit(admin).post(PAGE, {str(two[0].pk): "Support"}, follow=True).text

        assert "Nothing was changed." in text
        assert set(Connection.objects.values_list("cost_center", flat=True)) == {"Support"}

    @pytest.mark.parametrize(
        ("meanwhile", "told", "stored"),
        [
            ({"label": "Renamed"}, "Saved: Renamed.", ("Renamed", "R&D")),
            ({"disconnected_at": "2026-11-01T00:00Z"}, "Nothing was changed.", ("Acorn", "")),
        ],
    )
    def test_keeps_what_somebody_else_did_meanwhile(
        self, admin, visit, two, monkeypatch, meanwhile, told, stored
    ):
        acorn, changes = two[0], CostCenterForm.changes

        def changes_of_then(form: CostCenterForm) -> object:
            Connection.objects.filter(pk=acorn.pk).update(**meanwhile)
            return changes(form)

        monkeypatch.setattr(CostCenterForm, "changes", changes_of_then)
        text = visit(admin).post(PAGE, {str(acorn.pk): "R&D"}, follow=True).text

        acorn.refresh_from_db()
        assert told in text
        assert (acorn.label, acorn.cost_center) == stored

    def test_leaves_to_somebody_else_what_was_not_touched(self, admin, visit, two):
        client = visit(admin)
        sent = inputs(client.get(PAGE).text)
        Connection.objects.filter(pk=two[0].pk).update(cost_center="Meanwhile")

        client.post(PAGE, {**sent, str(two[1].pk): "R&D"})

        assert [c.cost_center for c in Connection.objects.order_by("label")] == ["Meanwhile", "R&D"]

    def test_has_pages_that_can_be_sent_however_many_there_are(
        self, admin, visit, account, django_assert_max_num_queries
    ):
        """More fields than Django takes of one form; each page is sent as a browser sends it, without scripts."""
        Connection.objects.bulk_create(
            Connection(
                account=account, label=f"Line {number:04}", organization_id=f"{number}", wanted_from="2026-10-01",
                backfill_days=30,
            )
            for number in range(1_050)
        )  # fmt: skip
        client = visit(admin)
        with django_assert_max_num_queries(20):
            last = client.get(f"{PAGE}?page=11").text
        sent = inputs(last)
        first = Connection.objects.get(label="Line 1000")

        answer = client.post(f"{PAGE}?page=11", {**sent, str(first.pk): "R&D"}, follow=True)

        assert "Page 11 of 11" in last
        assert sum(not name.startswith("initial-") for name in sent) == 50
        assert answer.redirect_chain == [(f"{PAGE}?page=11", 302)]
        assert "Saved: Line 1000." in answer.text
        assert list(Connection.objects.exclude(cost_center="").values_list("label")) == [("Line 1000",)]
        # Renamed meanwhile it would be on another page; it is the line that counts, not the place.
        answer = client.post(PAGE, {str(first.pk): "Support"}, follow=True)
        assert "Saved: Line 1000." in answer.text

    def test_passes_over_lines_that_are_no_connections(self, admin, visit, two):
        answer = visit(admin).post(PAGE, {"x": "R&D", "{" + str(two[0].pk) + "}": "R&D"}, follow=True)

        assert "Nothing was changed." in answer.text

    def test_says_what_is_too_long(self, admin, visit, two):
        answer = visit(admin).post(PAGE, {str(two[0].pk): "x" * 121})

        assert answer.status_code == 400
        assert "at most 120 characters" in answer.text
        assert not Connection.objects.exclude(cost_center="").exists()

    def test_can_be_read_but_not_changed_by_a_viewer(self, viewer, visit, two):
        Connection.objects.filter(pk=two[0].pk).update(cost_center="Support")
        client = visit(viewer)

        shown = client.get(PAGE).text
        refused = client.post(PAGE, {str(two[0].pk): "Mine"})

        assert "Support" in shown
        assert ">Save<" not in shown
        assert refused.status_code == 403
        assert Connection.objects.get(pk=two[0].pk).cost_center == "Support"

    def test_shows_nothing_of_another_account(self, charlie, visit, two):
        client = visit(charlie)

        answer = client.post(PAGE, {str(two[0].pk): "Mine"}, follow=True)

        assert "Acorn" not in answer.text
        assert not Connection.objects.exclude(cost_center="").exists()
