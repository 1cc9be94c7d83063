"""The Claude Code report: one record an actor and place, the same tokens as the usage report, an estimate in cents."""

from collections import Counter
from datetime import date

import pytest

from .test_analytics import Analyst

REPORT = "/v1/organizations/usage_report/claude_code"
DAY, NEXT = date(2026, 11, 18), date(2026, 11, 19)


def records(caller, day="2026-11-18", limit=1000):
    page = caller.get(REPORT, {"starting_at": day, "limit": limit}).json
    found = page["data"]
    while page["has_more"]:
        page = caller.get(REPORT, {"starting_at": day, "limit": limit, "page": page["next_page"]}).json
        found += page["data"]
    return found


def tokens(found):
    counted = Counter()
    for record in found:
        for part in record["model_breakdown"]:
            counted[part["model"]] += sum(part["tokens"].values())
    return counted


class TestRecords:
    @pytest.mark.parametrize("slug", ["acorn-studio", "cedar-group"])
    def test_have_the_tokens_of_the_product(self, call, sim, slug):
        truth = sim.usage_truth(slug, DAY, NEXT, group_by=("product", "model"))

        found = tokens(records(call(slug)))

        assert found == {
            model: sums["total_tokens"]
            for (product, model), sums in truth.groups.items()
            if product == "claude_code"
        }

    def test_are_one_for_each_actor_and_place(self, cedar):
        found = records(cedar)

        keys = [(repr(r["actor"]), r["terminal_type"], r["is_remote"], r["customer_type"]) for r in found]
        assert {record["actor"]["type"] for record in found} == {"user_actor", "api_actor"}
        assert {record["is_remote"] for record in found} == {True, False}
        # Keys' names are not unique, so only people can be told apart.
        people = [key for key in keys if "user_actor" in key[0]]
        assert len(people) == len(set(people))

    def test_cost_is_a_number_in_cents(self, sim, cedar):
        found = records(cedar)
        truth = sim.analytics_truth(
            "cedar-group", DAY, NEXT, group_by=("product", "cost_type", "service_tier")
        )

        estimated = sum(part["estimated_cost"]["amount"] for r in found for part in r["model_breakdown"])

        assert isinstance(found[0]["model_breakdown"][0]["estimated_cost"]["amount"], float)
        billed = truth.groups["claude_code", "tokens", "standard"][0]
        assert float(billed) * 100 < estimated < float(billed) * 110

    def test_follow_a_renamed_user(self, call, sim):
        caller = call("org-00070")
        analyst = Analyst(sim.base_url, "org-00070")
        actors = [
            row["group"]["actor"]
            for row in analyst.every_row(
                "/v1/organizations/analytics/usage", DAY, NEXT, ("actor",), **{"products[]": "claude_code"}
            )
        ]
        user_id = next(actor["user_id"] for actor in actors if actor["type"] == "user_actor")

        sim.world("org-00070", "rename_user", user_id=user_id, email="renamed@example.com")

        assert "renamed@example.com" in {record["actor"].get("email_address") for record in records(caller)}


class TestPaging:
    def test_pages_join(self, cedar):
        assert records(cedar, limit=3) == records(cedar)

    def test_twenty_are_a_page(self, cedar):
        page = cedar.get(REPORT, "starting_at=2026-11-18").json

        assert (len(page["data"]), page["has_more"]) == (20, True)

    def test_only_what_is_an_hour_old(self, cedar, sim):
        sim.set_clock("2026-11-20T12:30:00Z")
        early = tokens(records(cedar, "2026-11-20"))
        sim.set_clock("2026-11-21T00:30:00Z")
        late = tokens(records(cedar, "2026-11-20"))
        sim.set_clock("2026-11-21T01:00:00Z")
        final = tokens(records(cedar, "2026-11-20"))

        assert 0 < early.total() < late.total() < final.total()
        assert final.total() == tokens(records(cedar, "2026-11-20")).total()

    @pytest.mark.parametrize(
        "query",
        ["", "starting_at=2026-11-18T00:00:00Z", "starting_at=20261118", "starting_at=2026-11-18&ending_at=2026-11-19",
         "starting_at=2026-11-18&limit=1001", "starting_at=2026-11-18&page=page_x"],
    )  # fmt: skip
    def test_refuses(self, cedar, query):
        assert cedar.get(REPORT, query).error[:2] == (400, "invalid_request_error")
