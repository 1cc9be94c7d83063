"""The four older Enterprise reports: buckets with their cap, rows by member, and the same truth as the newer ones."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest

from devtools.simulator.keys import MEMBERS, key_text

from .test_analytics import FIRST, LAST, Analyst

SLUG = "cedar-group.enterprise"
COST, USAGE, USER_COST, USER_USAGE = (
    f"/v1/organizations/analytics/{name}_report" for name in ("cost", "usage", "user_cost", "user_usage")
)
NO_BETA = {"anthropic-beta": None}


@pytest.fixture
def enterprise(sim):
    return Analyst(sim.base_url, SLUG)


def every_item(caller, path, groups=(), first=FIRST, last=LAST, **more):
    page = caller.ask(path, first, last, groups, **more).json
    found = page["data"]
    while page["has_more"]:
        page = caller.ask(path, first, last, groups, **more, page=page["next_page"]).json
        found += page["data"]
    return found


def results(buckets):
    return [row for bucket in buckets for row in bucket["results"]]


def money(found, names):
    summed = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in found:
        sums = summed[tuple(row[name] for name in names)]
        sums[0] += Decimal(row["amount"]) / 100
        sums[1] += Decimal(row["list_amount"]) / 100
    return {key: tuple(sums) for key, sums in summed.items()}


class TestBuckets:
    @pytest.mark.parametrize("names", [(), ("model",), ("product",), ("speed", "context_window"), ("rbac_group_id",),
                                       ("cost_type", "token_type"), ("slack_channel_id",)])  # fmt: skip
    def test_sum_to_the_truth(self, enterprise, sim, names):
        truth = sim.analytics_truth(SLUG, FIRST, LAST, group_by=names)
        told = truth.groups if names else {(): (truth.total_usd, truth.list_usd)}

        found = money(results(every_item(enterprise, COST, names)), names)

        # The older reports write one product in another way.
        assert found == {
            tuple("claude-tag" if v == "claude_tag" else v for v in key): sums for key, sums in told.items()
        }

    def test_counts_sum_to_the_truth(self, enterprise, sim):
        truth = sim.usage_truth(SLUG, FIRST, LAST, group_by=("model",))

        found = defaultdict(int)
        for row in results(every_item(enterprise, USAGE, ("model",))):
            found[row["model"],] += row["total_tokens"]

        assert found == {key: sums["total_tokens"] for key, sums in truth.groups.items()}

    def test_more_than_a_hundred_groups_are_cut(self, enterprise, sim):
        groups = ("rbac_group_id", "model", "product", "token_type")
        truth = sim.analytics_truth(SLUG, date(2026, 11, 18), date(2026, 11, 19), group_by=groups)

        (bucket,) = every_item(enterprise, COST, groups, date(2026, 11, 18), date(2026, 11, 19))

        assert len(bucket["results"]) == 100 < len(truth.groups)
        assert (
            sum(Decimal(row["amount"]) for row in bucket["results"])
            < sum(a for a, _ in truth.groups.values()) * 100
        )

    def test_empty_days_are_buckets(self, sim):
        caller = Analyst(sim.base_url, "dormant-labs.enterprise")

        assert [bucket["results"] for bucket in every_item(caller, COST)] == [[]] * 7

    def test_without_an_export_buckets_are_empty_and_the_moment_is_null(self, enterprise):
        page = enterprise.ask(COST, date(2026, 11, 21), date(2026, 11, 23)).json

        assert [bucket["results"] for bucket in page["data"]] == [[], []]
        assert page["data_refreshed_at"] is None

    @pytest.mark.parametrize(("width", "count"), [("1d", 7), ("1h", 24), ("1m", 60)])
    def test_pages_have_each_width_s_length(self, enterprise, width, count):
        last = "2026-11-19T00:00:00Z" if width == "1m" else "2026-11-28T00:00:00Z"
        query = {"starting_at": "2026-11-18T00:00:00Z", "ending_at": last, "bucket_width": width}

        page = enterprise.get(COST, query).json

        assert (len(page["data"]), page["has_more"]) == (count, True)

    def test_hours_add_up(self, enterprise):
        window = {"first": date(2026, 11, 18), "last": date(2026, 11, 19)}

        hours = every_item(enterprise, COST, ("model",), **window, bucket_width="1h", limit=10)

        assert money(results(hours), ("model",)) == money(
            results(every_item(enterprise, COST, ("model",), **window)), ("model",)
        )


class TestMembers:
    def test_sum_to_less_than_the_organisation(self, enterprise, sim):
        truth = sim.analytics_truth(SLUG, FIRST, LAST, group_by=("actor_id",))

        found = defaultdict(Decimal)
        for row in every_item(enterprise, USER_COST, limit=50):
            found[row["actor"]["user_id"],] += Decimal(row["amount"]) / 100

        assert found == {key: amount for key, (amount, _) in truth.groups.items() if key != (None,)}
        assert sum(found.values()) < truth.total_usd

    def test_types_do_not_count_as_rows(self, enterprise):
        page = enterprise.ask(USER_COST, groups=("cost_type", "token_type"), limit=3).json

        assert len({row["actor"]["user_id"] for row in page["data"]}) == 3
        assert len(page["data"]) > 3

    def test_bounds_are_null_without_a_width(self, enterprise):
        whole = enterprise.ask(USER_USAGE, limit=1).json["data"][0]
        daily = enterprise.ask(USER_USAGE, limit=1, bucket_width="1d").json["data"][0]

        assert (whole["starting_at"], whole["ending_at"]) == (None, None)
        assert daily["ending_at"][:10] > daily["starting_at"][:10] >= "2026-11-14"
        assert whole["total_tokens"] > daily["total_tokens"] > 0

    def test_those_deleted_can_be_left_out(self, sim):
        slug = "org-00075.enterprise"
        caller = Analyst(sim.base_url, slug)
        user_id = caller.ask(USER_COST, limit=1).json["data"][0]["actor"]["user_id"]

        sim.world(slug, "delete_user", user_id=user_id)

        found = {row["actor"]["user_id"]: row["actor"] for row in every_item(caller, USER_COST)}
        assert found[user_id] == {
            "type": "user_actor",
            "user_id": user_id,
            "email_address": None,
            "name": "Deleted User",
            "deleted": True,
        }
        without = every_item(caller, USER_COST, exclude_deleted_users="true", limit=2)
        assert {row["actor"]["user_id"] for row in without} == set(found) - {user_id}

    def test_can_be_chosen(self, enterprise):
        user_id = enterprise.ask(USER_COST, limit=1).json["data"][0]["actor"]["user_id"]

        found = every_item(enterprise, USER_COST, ("product",), **{"user_ids[]": user_id})

        assert {row["actor"]["user_id"] for row in found} == {user_id}

    def test_are_listed_for_keys_that_may(self, enterprise):
        path, key = "/v1/organizations/users", key_text("cedar-group", MEMBERS)

        refused = enterprise.get(path)
        page = enterprise.get(path, "limit=1000", headers={"x-api-key": key}).json

        assert "read:members" in refused.error[2]
        assert {user["role"] for user in page["data"]} <= {
            "managed",
            "membership_admin",
            "owner",
            "primary_owner",
            "user",
        }
        assert len(page["data"]) > 100


class TestStrictness:
    @pytest.mark.parametrize("path", [COST, USAGE, USER_COST, USER_USAGE])
    def test_is_for_enterprise_keys_and_needs_no_beta(self, cedar, enterprise, path):
        query = "starting_at=2026-11-18T00:00:00Z&ending_at=2026-11-19T00:00:00Z"

        assert enterprise.get(path, query, headers=NO_BETA).status == 200
        expected = "Missing required scopes. Got: ['api:admin'] Needed: ['read:analytics']"
        assert cedar.get(path, query).error == (403, "permission_error", expected)

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            (COST, "group_by[]=actor"),
            (COST, "group_by[]=workspace_id"),
            (USAGE, "group_by[]=token_type"),
            (COST, "bucket_width=1d&limit=32"),
            (COST, "bucket_width=1m&limit=257"),
            (COST, "order_by=amount"),
            (USER_COST, "bucket_width=1d"),
            (USER_COST, "limit=1001"),
            (USER_COST, "order_by=time"),
            (COST, "time_bucket_width=1d"),
            (COST, "claude_tag_user_ids[]=U1&group_by[]=rbac_group_id"),
        ],
    )
    def test_refuses(self, enterprise, path, query):
        assert enterprise.get(path, f"starting_at=2026-11-18T00:00:00Z&{query}").error[:2] == (
            400,
            "invalid_request_error",
        )

    def test_a_refresh_is_410_and_a_changed_query_400(self, enterprise, sim):
        token = enterprise.ask(COST, limit=1).json["next_page"]

        assert enterprise.ask(COST, limit=2, page=token).status == 400
        sim.set_clock("2026-11-20T20:00:00Z")
        assert enterprise.ask(COST, limit=1, page=token).status == 410
