"""The newer analytics reports: sums against the truth, agreement with the classic report, cursors and strictness."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from devtools.simulator.keys import ENTERPRISE, INFERENCE, key_text

from .caller import Caller, rows

COST, USAGE = "/v1/organizations/analytics/cost", "/v1/organizations/analytics/usage"
BETA = {"anthropic-beta": "analytics-usage-cost-2026-08-24"}
FIRST, LAST = date(2026, 11, 14), date(2026, 11, 21)
ANYBODY = ("actor", "actor_type", "context_window", "inference_geo", "model", "product", "speed", "claude_tag_category",
           "claude_tag_user_id", "slack_channel_id")  # fmt: skip
CONSOLE_ONLY = ("api_key_id", "workspace_id", "service_tier", "agent_id", "session_id", "deployment_id", "environment_id",
                "user_profile_id")  # fmt: skip
TRUE_NAMES = {"actor": "actor_id", "inference_geo": "analytics_geo"}
ACTOR_IDS = ("user_id", "service_account_id", "api_key_id", "subject")


class Analyst(Caller):
    """A caller of the analytics family, as a Console or an Enterprise organisation."""

    def __init__(self, base_url, slug):
        super().__init__(base_url, slug)
        self.headers |= BETA | {"anthropic-version": "2026-10-21"}
        if slug.endswith(".enterprise"):
            self.headers["x-api-key"] = key_text(slug.removesuffix(".enterprise"), ENTERPRISE)

    def ask(self, path, first=FIRST, last=LAST, groups=(), **more):
        pairs = [("starting_at", f"{first}T00:00:00Z"), ("ending_at", f"{last}T00:00:00Z"), *more.items()]
        return self.get(path, [*pairs, *(("group_by[]", group) for group in groups)], timeout=30)

    def every_row(self, path, first=FIRST, last=LAST, groups=(), **more):
        more = {"time_bucket_width": "1d", "order_by": "time", "order": "asc", "limit": 1000} | more
        page = self.ask(path, first, last, groups, **more).json
        found = page["data"]
        while page["has_more"]:
            page = self.ask(path, first, last, groups, **more, page=page["next_page"]).json
            found += page["data"]
        return found


@pytest.fixture
def analyst(sim):
    return lambda slug: Analyst(sim.base_url, slug)


def value_of(group, name):
    value = group[name]
    if name == "actor" and value is not None:
        return next(value[id_name] for id_name in ACTOR_IDS if id_name in value)
    return value


def money(found, names):
    summed = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in found:
        sums = summed[tuple(value_of(row["group"], name) for name in names)]
        sums[0] += Decimal(row["cost"]["amount"]) / 100
        sums[1] += Decimal(row["cost"]["list_amount"]) / 100
    return {key: tuple(sums) for key, sums in summed.items()}


def counted(found, names):
    summed = defaultdict(lambda: [0, 0, 0])
    for row in found:
        sums = summed[tuple(value_of(row["group"], name) for name in names)]
        for place, name in enumerate(("total_tokens", "output_tokens", "requests")):
            sums[place] += row["usage"][name]
    return {key: tuple(sums) for key, sums in summed.items()}


def true_names(names):
    return tuple(TRUE_NAMES.get(name, name) for name in names)


GROUPINGS = [
    *(("cedar-group", (name,)) for name in (*ANYBODY, *CONSOLE_ONLY)),
    ("cedar-group", ()),
    ("cedar-group", ("workspace_id", "api_key_id", "model", "service_tier", "actor")),
    ("birch-logistics", ("workspace_id", "api_key_id", "product", "speed", "actor_type")),
    ("acorn-studio", ("actor", "model")),
    *(("cedar-group.enterprise", (name,)) for name in (*ANYBODY, "rbac_group_id")),
    ("cedar-group.enterprise", ("actor", "product", "model", "rbac_group_id", "inference_geo")),
    ("acorn-studio.enterprise", ("actor", "product")),
]


class TestSums:
    @pytest.mark.parametrize(("slug", "names"), GROUPINGS)
    def test_cost_sums_to_the_truth(self, analyst, sim, slug, names):
        truth = sim.analytics_truth(slug, FIRST, LAST, group_by=true_names(names))

        found = money(analyst(slug).every_row(COST, groups=names), names)

        assert found == (truth.groups if names else {(): (truth.total_usd, truth.list_usd)})

    @pytest.mark.parametrize(("slug", "names"), GROUPINGS)
    def test_usage_sums_to_the_truth(self, analyst, sim, slug, names):
        truth = sim.usage_truth(slug, FIRST, LAST, group_by=true_names(names))
        told = truth.groups if names else {(): truth.totals}

        found = counted(analyst(slug).every_row(USAGE, groups=names), names)

        assert found == {
            key: (sums["total_tokens"], sums["output_tokens"], sums["requests"]) for key, sums in told.items()
        }

    @pytest.mark.parametrize("fans", [("cost_type",), ("cost_type", "token_type")])
    def test_types_sum_to_the_truth(self, analyst, sim, fans):
        truth = sim.analytics_truth("cedar-group", FIRST, LAST, group_by=(*fans, "workspace_id"))

        found = analyst("cedar-group").every_row(COST, groups=(*fans, "workspace_id"))

        assert money(found, (*fans, "workspace_id")) == truth.groups
        assert {row["cost"]["requests"] for row in found} == {None}

    def test_token_type_alone_leaves_out_what_is_no_tokens(self, analyst, sim):
        truth = sim.analytics_truth("cedar-group", FIRST, LAST, group_by="cost_type")

        found = analyst("cedar-group").every_row(COST, groups=("token_type",))

        assert money(found, ()) == {(): truth.groups["tokens"]}
        assert set(truth.groups) == {"tokens", "web_search", "code_execution", "session_usage"}

    @pytest.mark.parametrize("slug", ["cedar-group", "acorn-studio.enterprise"])
    def test_hours_and_ranges_add_up_to_their_days(self, analyst, slug):
        caller = analyst(slug)
        window = (date(2026, 11, 19), date(2026, 11, 21))

        days = caller.every_row(COST, *window, ("model",))
        hours = caller.every_row(COST, *window, ("model",), time_bucket_width="1h")
        whole = caller.ask(COST, *window, ("model",), limit=1000).json["data"]

        assert money(hours, ("model",)) == money(days, ("model",)) == money(whole, ("model",))
        assert {row["starting_at"] for row in whole} == {"2026-11-19T00:00:00Z"}

    def test_enterprise_amounts_are_after_a_discount(self, analyst, sim):
        truth = sim.analytics_truth("cedar-group.enterprise", FIRST, LAST)

        assert truth.list_usd * Decimal("0.8") == pytest.approx(truth.total_usd)


class TestAgreement:
    @pytest.mark.parametrize("slug", ["acorn-studio", "birch-logistics", "cedar-group", "org-00017"])
    def test_console_cost_equals_the_classic_report_day_by_day(self, analyst, call, sim, slug):
        first, last = date(2026, 10, 21), date(2026, 11, 21)
        classic = {
            (bucket["starting_at"], row["workspace_id"]): Decimal(row["amount"])
            for bucket in call(slug).buckets(str(first), str(last), "workspace_id")
            for row in bucket["results"]
        }
        (known,) = sim.organisations(organisation=slug)
        default = known["workspaces"][0]["id"]

        found = analyst(slug).every_row(COST, first, last, ("workspace_id",))

        assert {
            (row["starting_at"], row["group"]["workspace_id"]): Decimal(row["cost"]["amount"])
            for row in found
        } == {(day, workspace or default): amount for (day, workspace), amount in classic.items()}

    @pytest.mark.parametrize("change", [{"delta": "-12.5"}, {"factor": "1.01"}])
    def test_a_difference_can_be_planted(self, analyst, call, sim, change):
        caller, day = call("org-00060"), date(2026, 11, 18)
        before = sim.truth("org-00060", day, day + timedelta(days=1)).total_usd

        done = sim.world("org-00060", "plant_difference", day=day, **change)

        found = money(analyst("org-00060").every_row(COST, day, day + timedelta(days=1)), ())
        classic = (
            sum(Decimal(row["amount"]) for row in rows(caller.buckets("2026-11-18", "2026-11-19"))) / 100
        )
        assert classic == before == Decimal(done["cost_usd"])
        assert found[()][0] == Decimal(done["analytics_usd"]) != before
        sim.world("org-00060", "restore_day", day=day)
        assert money(analyst("org-00060").every_row(COST, day, day + timedelta(days=1)), ())[()][0] == before

    @pytest.mark.parametrize("slug", ["org-00061", "org-00061.enterprise"])
    def test_a_day_is_restated_when_its_time_has_come(self, analyst, sim, slug):
        day, caller = date(2026, 11, 18), analyst(slug)
        window = (day, day + timedelta(days=1))
        before = money(caller.every_row(COST, *window), ())

        sim.world(slug, "restate_after", day=day, after_days=10, factor="0.97")

        assert money(caller.every_row(COST, *window), ()) == before
        sim.set_clock("2026-11-28T00:00:00Z")
        after = money(caller.every_row(COST, *window), ())
        truth = sim.analytics_truth(slug, *window)
        assert after == {(): (truth.total_usd, truth.list_usd)} != before
        sim.world(slug, "restore_day", day=day)

    @pytest.mark.parametrize(
        "change", [{"action": "vanish_row", "index": 0}, {"action": "restate_day", "delta": "-3"},
                   {"action": "add_row", "amount_cents": "77.5", "model": "claude-unknown"}]
    )  # fmt: skip
    def test_every_edit_is_seen_by_both(self, analyst, sim, change):
        slug, day = "org-00062", date(2026, 11, 18)

        sim.world(slug, day=day, **change)

        found = money(analyst(slug).every_row(COST, day, day + timedelta(days=1)), ())
        assert found[()][0] == sim.truth(slug, day, day + timedelta(days=1)).total_usd
        sim.world(slug, "restore_day", day=day)


class TestPaging:
    @pytest.mark.parametrize(
        "order", [{}, {"order": "asc"}, {"order_by": "list_amount"}, {"order_by": "time"}]
    )
    def test_pages_join_without_overlap(self, analyst, order):
        caller = analyst("cedar-group")
        query = {
            "groups": ("model", "workspace_id", "cost_type", "token_type"),
            "time_bucket_width": "1d",
        } | order

        pages = caller.every_row(COST, **query, limit=37)
        whole = caller.every_row(COST, **query)

        assert pages == whole if order == {"order_by": "time"} else True
        keys = [repr((row["starting_at"], row["group"])) for row in pages]
        assert len(keys) == len(set(keys)) == len(whole)

    def test_types_do_not_count_as_rows(self, analyst):
        page = analyst("cedar-group").ask(COST, groups=("model", "cost_type", "token_type"), limit=5).json

        assert len({row["group"]["model"] for row in page["data"]}) == 5
        assert len(page["data"]) == 25

    def test_the_dearest_comes_first_by_default(self, analyst):
        page = analyst("cedar-group").ask(COST, groups=("model",)).json

        amounts = [Decimal(row["cost"]["amount"]) for row in page["data"]]
        assert amounts == sorted(amounts, reverse=True)
        assert len(amounts) == 9

    @pytest.mark.parametrize("name", ["total_tokens", "output_tokens", "uncached_input_tokens", "requests"])
    def test_usage_orders(self, analyst, name):
        page = analyst("cedar-group").ask(USAGE, groups=("model",), order_by=name).json

        counts = [row["usage"][name] for row in page["data"]]
        assert counts == sorted(counts, reverse=True)

    def test_a_changed_query_is_400(self, analyst):
        caller = analyst("cedar-group")
        token = caller.ask(COST, groups=("model",), limit=2).json["next_page"]

        reply = caller.ask(COST, groups=("model", "speed"), limit=2, page=token)

        assert reply.status == 400
        assert "cursor does not match" in reply.error[2]

    @pytest.mark.parametrize(
        ("slug", "later"),
        [("cedar-group", "2026-11-20T13:00:00Z"), ("cedar-group.enterprise", "2026-11-20T16:01:00Z")],
    )
    def test_a_refresh_of_the_data_is_410(self, analyst, sim, slug, later):
        caller = analyst(slug)
        query = {"groups": ("model",), "limit": 2}
        token = caller.ask(COST, **query).json["next_page"]

        same = caller.ask(COST, **query, page=token)
        sim.set_clock(later)
        reply = caller.ask(COST, **query, page=token)

        assert (same.status, reply.status) == (200, 410)
        assert caller.ask(COST, **query).status == 200

    def test_a_change_of_the_data_is_410(self, analyst, sim):
        caller = analyst("org-00063")
        query = {"groups": ("model", "workspace_id"), "limit": 1}
        token = caller.ask(COST, **query).json["next_page"]

        sim.world("org-00063", "restate_day", day="2026-11-18", factor="2")

        assert caller.ask(COST, **query, page=token).status == 410


class TestContent:
    def test_every_dimension_is_a_key(self, analyst):
        cost = analyst("cedar-group").ask(COST).json["data"][0]
        usage = analyst("cedar-group").ask(USAGE).json["data"][0]

        assert len(cost["group"]) == len(usage["group"]) + 2 == 22
        assert set(cost["group"].values()) == {None}
        assert set(cost["cost"]) == {"amount", "list_amount", "currency", "requests"}
        assert usage["usage"]["cache_creation"]["ephemeral_5m_input_tokens"] > 0

    def test_actors_of_every_kind(self, analyst):
        found = analyst("cedar-group").every_row(COST, groups=("actor",))

        kinds = {row["group"]["actor"]["type"] for row in found if row["group"]["actor"]}
        assert kinds == {"user_actor", "service_account_actor", "api_actor", "federated_actor"}
        # Those that cannot be shown are several rows that look alike.
        nameless = [
            row
            for row in found
            if row["group"]["actor"] is None and row["starting_at"].startswith("2026-11-18")
        ]
        assert len(nameless) > 1

    def test_a_deleted_user_keeps_the_usage_and_loses_the_name(self, analyst, sim):
        caller = analyst("org-00064")
        found = caller.every_row(COST, groups=("actor",))
        actors = [row["group"]["actor"] for row in found if row["group"]["actor"]]
        user = next(actor for actor in actors if actor["type"] == "user_actor")

        sim.world("org-00064", "delete_user", user_id=user["user_id"])

        after = caller.every_row(COST, groups=("actor",))
        assert money(after, ("actor",)) == money(found, ("actor",))
        assert user | {"email_address": None, "name": "Deleted User", "deleted": True} in [
            row["group"]["actor"] for row in after
        ]
        shown = caller.every_row(COST, groups=("actor",), exclude_deleted_users="true", limit=2)
        assert 0 < len(shown) < len(found)
        assert user["user_id"] not in {value_of(row["group"], "actor") for row in shown}

    def test_priority_is_usage_without_cost(self, analyst):
        caller = analyst("cedar-group")

        assert "priority" in {
            key[0] for key in counted(caller.every_row(USAGE, groups=("service_tier",)), ("service_tier",))
        }
        assert "priority" not in {
            key[0] for key in money(caller.every_row(COST, groups=("service_tier",)), ("service_tier",))
        }

    def test_there_are_no_empty_buckets(self, analyst):
        page = analyst("dormant-labs").ask(COST, time_bucket_width="1d").json

        assert (page["data"], page["has_more"], page["data_refreshed_at"]) == (
            [],
            False,
            "2026-11-20T12:00:00Z",
        )

    @pytest.mark.parametrize("slug", ["cedar-group", "cedar-group.enterprise"])
    def test_a_range_without_any_export_is_null(self, analyst, slug):
        page = analyst(slug).ask(COST, date(2026, 11, 21), date(2026, 11, 22)).json

        assert (page["data"], page["data_refreshed_at"]) == ([], None)

    def test_enterprise_is_refreshed_every_four_hours(self, analyst, sim):
        sim.set_clock("2026-11-20T11:59:00Z")
        caller = analyst("cedar-group.enterprise")

        early = caller.ask(COST).json
        sim.set_clock("2026-11-20T12:00:00Z")
        late = caller.ask(COST).json

        assert (early["data_refreshed_at"], late["data_refreshed_at"]) == (
            "2026-11-20T08:00:00Z",
            "2026-11-20T12:00:00Z",
        )
        assert Decimal(early["data"][0]["cost"]["amount"]) < Decimal(late["data"][0]["cost"]["amount"])

    def test_an_enterprise_organisation_is_another_one(self, analyst, sim):
        (known,) = sim.organisations(organisation="cedar-group.enterprise")

        reply = analyst("cedar-group.enterprise").ask(COST)

        assert reply.headers["anthropic-organization-id"] == known["id"]
        assert known["id"] != sim.organisations(organisation="cedar-group")[0]["id"]
        assert known["is_enterprise"] is True


class TestFilters:
    @pytest.mark.parametrize(
        ("slug", "filter_name", "name"),
        [
            ("cedar-group", "api_key_ids[]", "api_key_id"),
            ("cedar-group", "workspace_ids[]", "workspace_id"),
            ("cedar-group", "service_tiers[]", "service_tier"),
            ("cedar-group", "actor_ids[]", "actor"),
            ("cedar-group", "actor_types[]", "actor_type"),
            ("cedar-group", "models[]", "model"),
            ("cedar-group", "context_windows[]", "context_window"),
            ("cedar-group", "inference_geos[]", "inference_geo"),
            ("cedar-group", "speeds[]", "speed"),
            ("cedar-group", "products[]", "product"),
            ("cedar-group", "session_ids[]", "session_id"),
            ("cedar-group.enterprise", "slack_channel_ids[]", "slack_channel_id"),
            ("cedar-group.enterprise", "claude_tag_categories[]", "claude_tag_category"),
            ("cedar-group.enterprise", "rbac_group_ids[]", "rbac_group_id"),
        ],
    )
    def test_keep_the_rows_asked_for(self, analyst, slug, filter_name, name):
        caller = analyst(slug)
        everything = money(caller.every_row(COST, groups=(name,)), (name,))
        wanted = next(key for key in everything if key[0] is not None)

        found = money(caller.every_row(COST, groups=(name,), **{filter_name: wanted[0]}), (name,))

        assert found == {wanted: everything[wanted]}

    @pytest.mark.parametrize(
        ("pair", "name"),
        [({"api_key_ids[]": ""}, "api_key_id"), ({"inference_geos[]": "not_available"}, "inference_geo")],
    )
    def test_absent_values_can_be_asked_for(self, analyst, pair, name):
        caller = analyst("cedar-group")
        everything = money(caller.every_row(COST, groups=(name,)), (name,))

        assert money(caller.every_row(COST, groups=(name,), **pair), (name,)) == {
            (None,): everything[(None,)]
        }


class TestStrictness:
    @pytest.mark.parametrize("path", [COST, USAGE])
    @pytest.mark.parametrize("kind", [ENTERPRISE, "admin"])
    def test_needs_its_header(self, analyst, path, kind):
        caller = analyst("cedar-group")

        reply = caller.get(
            path,
            "starting_at=2026-11-10T00:00:00Z",
            headers={"anthropic-beta": None, "x-api-key": key_text("cedar-group", kind)},
        )

        assert reply.error[:2] == (400, "invalid_request_error")

    def test_refuses_inference_keys(self, analyst):
        reply = analyst("cedar-group").get(COST, headers={"x-api-key": key_text("cedar-group", INFERENCE)})

        assert reply.error[:2] == (403, "permission_error")

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "starting_at=2025-12-31T00:00:00Z&ending_at=2026-01-02T00:00:00Z",
            "starting_at=2026-10-01T00:00:00Z&ending_at=2026-11-02T00:00:00Z",
            "starting_at=2026-11-10T00:00:00Z&ending_at=2026-11-10T00:00:00Z",
            "starting_at=2026-11-10T00:00:00Z&time_bucket_width=1d",
            "starting_at=2026-11-10T00:00:00Z&ending_at=2026-11-12T00:00:00Z&time_bucket_width=1m",
            "starting_at=2026-11-10T00:00:00Z&ending_at=2026-11-12T00:00:00Z&time_bucket_width=1w",
            "starting_at=2026-11-10T00:00:00Z&bucket_width=1d",
            "starting_at=2026-11-10T00:00:00Z&limit=1001",
            "starting_at=2026-11-10T00:00:00Z&order_by=requests",
            "starting_at=2026-11-10T00:00:00Z&order=up",
            "starting_at=2026-11-10T00:00:00Z&group_by[]=description",
            "starting_at=2026-11-10T00:00:00Z&products[]=abacus",
            "starting_at=2026-11-10T00:00:00Z&context_window[]=0-200k",
            "starting_at=2026-11-10T00:00:00Z&exclude_deleted_users=true",
            "starting_at=2026-11-10T00:00:00Z&page=page_x",
        ],
    )
    def test_refuses(self, analyst, query):
        assert analyst("cedar-group").get(COST, query).error[:2] == (400, "invalid_request_error")

    def test_the_floor_moves_with_the_clock(self, analyst, sim):
        sim.set_clock("2027-03-01T00:00:00Z")

        query = {"starting_at": "2026-02-28T00:00:00Z"}
        assert (
            analyst("cedar-group").get(COST, query).error[2]
            == "starting_at: must be within the last 365 days"
        )

    @pytest.mark.parametrize(
        ("slug", "name", "code"),
        [
            ("cedar-group", "rbac_group_id", "organization_type_not_supported"),
            ("cedar-group.enterprise", "api_key_id", "organization_type_not_supported"),
            ("cedar-group.enterprise", "workspace_id", "organization_type_not_supported"),
            ("cedar-group", "organization_id", "parent_organization_required"),
        ],
    )
    def test_dimensions_of_another_kind_of_organisation(self, analyst, slug, name, code):
        reply = analyst(slug).ask(COST, groups=(name,))

        assert (reply.status, reply.json["error"]["details"]) == (400, {"error_code": code})

    def test_five_dimensions_and_both_types_are_the_most(self, analyst):
        five = ("actor", "model", "speed", "product", "api_key_id")

        assert analyst("cedar-group").ask(COST, groups=(*five, "cost_type", "token_type")).status == 200
        reply = analyst("cedar-group").ask(COST, groups=(*five, "workspace_id"))
        assert reply.error[2] == "Cannot specify more than 5 group_by[] dimensions."

    def test_usage_has_no_types(self, analyst):
        assert analyst("cedar-group").ask(USAGE, groups=("token_type",)).status == 400
