from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from costs import selectors
from costs.models import CostFact, DayDigest, Resource, ResourceName
from costs.selectors import CostQuery
from dashboard import labels, ranges
from tests.dashboard.conftest import figures_in, today
from workers import lifecycle


@pytest.fixture(autouse=True)
def one_report() -> None:
    """Here every report is read: the bill alone names no key and no person."""


def some(dimension: str) -> str:
    return CostFact.objects.exclude(**{dimension: None}).values_list(dimension, flat=True).first()


class TestEntity:
    @pytest.mark.parametrize(
        ("kind", "dimension"),
        [("workspaces", "workspace_id"), ("keys", "api_key_id"), ("models", "model"), ("people", "actor_id")],
    )
    def test_is_the_explorer_narrowed_to_it(self, viewer, visit, filled, kind, dimension):
        value = some(dimension)

        answer = visit(viewer).get(f"/{kind}/{value}/?range=7d")

        query = CostQuery(filled.account_id, ranges.period("7d", today()).days, {dimension: [value]})
        assert answer.status_code == 200
        assert Decimal(figures_in(answer.text)[0]) == selectors.total(query)
        assert f"<code>{value}</code>" in answer.text

    def test_tells_its_names_over_time(self, viewer, visit, filled):
        workspace = Resource.objects.filter(kind="workspace", is_default=False).first()
        name = workspace.names.get()
        changed_at = name.valid_from + dt.timedelta(hours=1)
        ResourceName.objects.filter(pk=name.pk).update(valid_to=changed_at)
        ResourceName.objects.create(resource=workspace, name="Newer name", valid_from=changed_at)

        text = visit(viewer).get(f"/workspaces/{workspace.resource_id}/").text

        assert "<h1>Newer name</h1>" in text
        assert f" {name.name}</span>" in text

    def test_of_no_value_is_one_too(self, viewer, visit, filled):
        text = visit(viewer).get("/workspaces/null/?range=7d").text

        assert "<h1>Default</h1>" in text

    @pytest.mark.parametrize("kind", ["workspaces", "keys", "models", "people"])
    def test_does_not_exist_for_another_account(self, charlie, visit, filled, kind):
        dimension = {
            "workspaces": "workspace_id",
            "keys": "api_key_id",
            "models": "model",
            "people": "actor_id",
        }
        value = some(dimension[kind])

        assert visit(charlie).get(f"/{kind}/{value}/").status_code == 404
        assert visit(charlie).get(f"/{kind}/nonsense/").status_code == 404

    def test_is_reached_from_a_filter(self, viewer, visit, filled):
        value = some("model")

        assert f'href="/models/{value}/"' in visit(viewer).get(f"/explore/?model={value}").text


class TestNames:
    @pytest.fixture
    def twins(self, filled) -> list[Resource]:
        keys = list(Resource.objects.filter(kind="api_key")[:2])
        ResourceName.objects.filter(resource__in=keys).update(name="twin")
        return keys

    def test_that_are_the_same_are_told_apart_by_their_workspaces(self, account, twins):
        for key, workspace in zip(twins, ("w1", None), strict=True):
            key.attributes = {"scope": {"type": "workspace", "workspace_id": workspace}}
            key.save()

        names = labels.names(account.pk, ["api_key_id"])

        assert names.label("api_key_id", twins[0].resource_id) == "twin · w1"
        assert names.label("api_key_id", twins[1].resource_id).startswith("twin · Default")

    def test_of_one_workspace_are_told_apart_by_their_ids(self, account, twins):
        Resource.objects.filter(pk__in=[key.pk for key in twins]).update(attributes={"workspace_id": "w1"})

        names = labels.names(account.pk, ["api_key_id", "actor_id"])

        found = [names.label("api_key_id", key.resource_id) for key in twins]
        assert found == [f"twin · w1 · …{key.resource_id[-4:]}" for key in twins]
        assert names.label("actor_id", twins[0].resource_id) == f"{found[0]} (API key)"


class TestAttribution:
    def test_is_named_where_the_bill_does_not_tell_keys(self, viewer, visit, filled):
        CostFact.objects.filter(source="analytics_cost").update(attribution="token_share")

        text = visit(viewer).get("/explore/?range=7d&group_by=api_key_id").text

        assert "100.0 % of this: shared out by tokens used" in text
        assert "shared out" not in visit(viewer).get("/explore/?range=7d&group_by=model").text


class TestAsOf:
    def test_shows_what_was_known_and_what_changed_since(self, viewer, visit, filled, simulator, run_due):
        before = selectors.total(CostQuery(filled.account_id, ranges.period("7d", today()).days))
        two_days_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
        CostFact.objects.update(observed_at=two_days_ago)
        DayDigest.objects.update(first_stored_at=two_days_ago)
        day = today() - dt.timedelta(days=3)
        try:
            simulator.world("acorn-studio", "restate_day", day=day.isoformat(), factor="1.5")
            lifecycle.force_sync(filled, None, actor="alice")
            run_due()
        finally:
            # The simulator lives on for the tests that come after this one.
            simulator.world("acorn-studio", "restore_day", day=day.isoformat())
        yesterday = today() - dt.timedelta(days=1)

        text = visit(viewer).get(f"/explore/?range=7d&as_of={yesterday}").text

        now = selectors.total(CostQuery(filled.account_id, ranges.period("7d", today()).days))
        known, then_now, since = (Decimal(figure) for figure in figures_in(text)[:3])
        assert (known, then_now, since) == (before, now, now - before)
        assert since > 0

    def test_says_when_nothing_was_known_yet(self, viewer, visit, filled):
        text = visit(viewer).get(f"/explore/?range=7d&as_of={today() - dt.timedelta(days=100)}").text

        assert "Nothing of these days had been stored here by then" in text

    @pytest.mark.parametrize("days", [0, 5])
    def test_of_today_or_later_is_what_is_known_now(self, viewer, visit, filled, days):
        text = visit(viewer).get(f"/explore/?range=7d&as_of={today() + dt.timedelta(days=days)}").text

        assert "As known on an earlier day" not in text
        assert ("still to come" in text) == (days > 0)
