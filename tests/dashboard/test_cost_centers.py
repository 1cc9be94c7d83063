"""Settings → Cost centres: all connections on one page."""

from __future__ import annotations

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
