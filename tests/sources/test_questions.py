"""Questions to the API over what both surfaces were filled with: names over time, as of a moment, who and how."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from urllib.parse import parse_qs

import pytest

from accounts.models import Membership, Role
from costs.models import ResourceName
from foundation.periods import DayRange
from integrations.models import Connection
from tests.api.conftest import Caller, caller, problem
from tests.conftest import BILL_ONLY
from tests.sources.conftest import CONSOLE, ENTERPRISE
from workers import lifecycle
from workers.clock import database_now
from workers.models import Lane

pytestmark = pytest.mark.django_db(transaction=True)
_DAY = dt.timedelta(days=1)


@pytest.fixture
def api(account, admin_user) -> Caller:
    assert Membership.objects.filter(account=account).exists()
    return caller(account, Role.ADMIN, admin_user)


def ask(api: Caller, address: str):
    path, _, query = address.partition("?")
    return api.get(path, **parse_qs(query))


def span(days: DayRange) -> str:
    return f"from={days.start}&to={days.end}"


class TestNames:
    @pytest.mark.parametrize(("sums", "measure"), [("costs", "amount_usd"), ("usage", "output_tokens")])
    def test_a_renamed_workspace_shows_both_names_on_their_days(
        self, filled, simulator, days, api, sums, measure
    ):
        connection = filled(CONSOLE)
        renamed = simulator.organisations(organisation=CONSOLE)[0]["workspaces"][1]["id"]
        first = ResourceName.objects.get(resource__resource_id=renamed)
        # It was renamed ten days ago; both names were seen by a sync of their time.
        changed_at = dt.datetime.combine(days.end - 10 * _DAY, dt.time(6), dt.UTC)
        first.valid_from, first.valid_to = changed_at - 30 * _DAY, changed_at
        first.save()
        ResourceName.objects.create(resource=first.resource, name="Research", valid_from=changed_at)

        now = ask(api, f"{sums}/summary/?{span(days)}&group_by=workspace_id").json()
        then = ask(api, f"{sums}/summary/?{span(days)}&group_by=workspace_id&names=as_of_day").json()

        def of(answer):
            return {
                row["group"]["workspace_name"]: Decimal(row[measure])
                for row in answer["rows"]
                if row["group"]["workspace_id"] == renamed
            }

        assert list(of(now)) == ["Research"]
        assert set(of(then)) == {first.name, "Research"}
        assert sum(of(then).values()) == of(now)["Research"]
        assert sum(Decimal(row[measure]) for row in then["rows"]) == sum(
            Decimal(row[measure]) for row in now["rows"]
        )
        assert connection.pk

    def test_keys_people_and_models_are_listed_with_the_days_they_were_seen(self, filled, simulator, api):
        filled(CONSOLE)

        keys = ask(api, "api-keys/").json()["results"]
        people = ask(api, "people/").json()["results"]

        assert {key["attributes"]["status"] for key in keys} >= {"active"}
        assert any(key["last_day"] for key in keys)
        assert any(person["name"] and person["first_day"] for person in people)
        assert {model["id"] for model in ask(api, "models/").json()["results"]} >= {"claude-sonnet-5"}
        assert not any("sk-ant-api03" in str(key) and "..." not in str(key) for key in keys)

    def test_rows_name_keys_and_people(self, filled, days, api):
        filled(CONSOLE)

        rows = ask(api, f"costs/?{span(days)}&dimensions=api_key_id&page_size=1000").json()["results"]

        assert {row["source"] for row in rows} == {"analytics_cost"}
        named = [row for row in rows if row["api_key_id"]]
        assert named
        assert all(row["api_key_name"] for row in named)
        by_keys = [row for row in rows if (row["actor_id"] or "").startswith("apikey_")]
        assert by_keys
        assert all(row["actor_name"] == row["api_key_name"] for row in by_keys)


class TestAsOf:
    def test_shows_a_restated_day_as_it_was_known(self, filled, simulator, days, api, run_due):
        connection = filled(CONSOLE)
        before = ask(api, f"costs/summary/?{span(days)}").json()["total_usd"]
        known_at = database_now()
        day = days.end - 3 * _DAY
        try:
            simulator.world(CONSOLE, "restate_day", day=day.isoformat(), delta="12.34")
            lifecycle.force_sync(connection, None, actor="alice")
            run_due()
        finally:
            simulator.world(CONSOLE, "restore_day", day=day.isoformat())

        now = ask(api, f"costs/summary/?{span(days)}").json()["total_usd"]
        then = ask(api, f"costs/summary/?{span(days)}&as_of={known_at:%Y-%m-%dT%H:%M:%S.%fZ}").json()
        rows = ask(api, f"costs/?{span(days)}&as_of={known_at:%Y-%m-%dT%H:%M:%S.%fZ}&page_size=1000").json()[
            "results"
        ]

        assert Decimal(now) - Decimal(before) == Decimal("12.34")
        assert then["total_usd"] == before
        assert sum(Decimal(row["amount_usd"]) for row in rows) == Decimal(before)
        (restated,) = [
            each
            for each in ask(api, f"restatements/?{span(days)}").json()["results"]
            if each["day"] == str(day)
        ]
        assert Decimal(restated["after_usd"]) - Decimal(restated["before_usd"]) == Decimal("12.34")

    def test_wants_a_moment_with_its_zone(self, filled, days, api):
        filled(CONSOLE)

        assert problem(ask(api, f"costs/summary/?{span(days)}&as_of=2026-11-01T00:00:00"), 400)


class TestSummaries:
    def test_say_what_a_report_does_not_state(self, filled, days, api):
        filled(CONSOLE)

        answer = ask(api, f"costs/summary/?{span(days)}&group_by=product&group_by=api_key_id").json()

        assert answer["sources"] == ["analytics_cost_serving"]
        assert answer["not_reported"] == {"api_key_id": ["analytics_cost_serving"]}

    def test_refuse_filters_that_no_report_states_together(self, filled, days, api):
        filled(CONSOLE)

        answer = ask(
            api, f"usage/summary/?{span(days)}&api_key_id=apikey_1&product=chat&origin=claude_platform"
        )

        assert problem(answer, 400)["code"] == "not_reported_together"

    def test_add_usage_up_under_the_same_controls(self, filled, simulator, days, api):
        connection = filled(CONSOLE)

        answer = ask(api, f"usage/summary/?{span(days)}&group_by=api_key_id&granularity=month").json()

        truth = simulator.usage_truth(connection.organization_id, days.start, days.end).totals
        assert answer["totals"]["output_tokens"] == truth["output_tokens"]
        assert sum(row["output_tokens"] for row in answer["rows"]) == truth["output_tokens"]
        rows = ask(api, f"usage/?{span(days)}&page_size=1000").json()["results"]
        assert rows[0]["total_tokens"] > 0

    def test_mix_both_surfaces_without_adding_reports(self, filled, simulator, days, api):
        whole = DayRange(days.start, days.end - _DAY)
        console, enterprise = filled(CONSOLE), filled(ENTERPRISE)

        answer = ask(api, f"costs/summary/?{span(whole)}&group_by=origin").json()

        sums = {row["group"]["origin"]: Decimal(row["amount_usd"]) for row in answer["rows"]}
        assert sums == {
            "claude_platform": simulator.truth(console.organization_id, whole.start, whole.end).total_usd,
            "claude_ai": simulator.analytics_truth(
                enterprise.organization_id, whole.start, whole.end
            ).total_usd,
        }


class TestGenerations:
    def test_can_be_switched_when_they_agree(self, filled, simulator, days, api):
        connection = filled(CONSOLE)
        path = f"connections/{connection.pk}"

        compared = ask(api, f"{path}/generations/").json()
        answer = api.post(f"{path}/cost-source/", {"cost_source": "analytics_cost"})

        assert compared["days_different"] == 0
        assert compared["days_compared"] >= 30
        assert answer.json() == {"cost_source": "analytics_cost"}
        bill = simulator.truth(connection.organization_id, days.start, days.end).total_usd
        summary = ask(api, f"costs/summary/?{span(days)}").json()
        assert Decimal(summary["total_usd"]) == bill
        assert summary["sources"] == ["analytics_cost"]

    def test_switched_back_shares_out_the_days_on_which_they_differ(
        self, filled, simulator, days, api, run_due
    ):
        """Such a day was not shared while the report that tells keys was the bill."""
        connection = filled(CONSOLE)
        switch = f"connections/{connection.pk}/cost-source/"
        assert api.post(switch, {"cost_source": "analytics_cost"}).status_code == 200
        day = days.end - 2 * _DAY
        try:
            simulator.world(CONSOLE, "plant_difference", day=day.isoformat(), delta="0.42")
            lifecycle.force_sync(connection, None, actor="alice")
            run_due()
        finally:
            simulator.world(CONSOLE, "restore_day", day=day.isoformat())

        assert api.post(switch, {"cost_source": "cost_report"}).status_code == 200

        one_day = span(DayRange(day, day + _DAY))
        by_key = ask(api, f"costs/summary/?{one_day}&group_by=api_key_id&group_by=attribution").json()
        bill = simulator.truth(connection.organization_id, day, day + _DAY).total_usd
        assert Decimal(by_key["total_usd"]) == bill
        assert by_key["sources"] == ["allocated"]
        assert "dollar_share" in {row["group"]["attribution"] for row in by_key["rows"]}

    def test_cannot_be_switched_while_they_differ(self, filled, simulator, days, api):
        day = days.start + 2 * _DAY
        try:
            simulator.world(CONSOLE, "plant_difference", day=day.isoformat(), delta="0.42")
            connection = filled(CONSOLE)
        finally:
            simulator.world(CONSOLE, "restore_day", day=day.isoformat())

        answer = api.post(f"connections/{connection.pk}/cost-source/", {"cost_source": "analytics_cost"})

        told = problem(answer, 400)
        assert str(day) in str(told)
        assert "0.42" in str(told)


class TestCapabilities:
    def test_are_shown_before_saving_and_on_the_connection(self, filled, api, key_of):
        tested = api.post("connections/test/", {"api_key": key_of(CONSOLE)}).json()
        connection = filled(CONSOLE)

        shown = ask(api, f"connections/{connection.pk}/").json()

        seen = {found["name"]: found["ok"] for found in tested["capabilities"]}
        assert seen["cost_report"] is True
        assert seen["analytics_cost"] is True
        assert None in seen.values()
        assert {report["report"]: report["is_refused"] for report in shown["reports"]}[
            "usage_report"
        ] is False
        assert all(report["read_at"] for report in shown["reports"])


class TestUpgrade:
    def test_a_connection_from_before_a_family_gets_its_lane_and_reports(self, filled, settings, run_due):
        settings.REPORTS_OFF = BILL_ONLY
        connection = filled(CONSOLE)
        assert set(Lane.objects.values_list("family", flat=True)) == {"classic"}
        settings.REPORTS_OFF = frozenset()
        Connection.objects.update(next_sync_at=database_now())

        run_due()

        assert set(Lane.objects.values_list("family", flat=True)) == {"classic", "analytics"}
        assert connection.reports.get(report_name="analytics_cost").read_at is not None
