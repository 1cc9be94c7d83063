"""The classic usage report: every grouping and width against the truth, and its strictness."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import combinations

import pytest

from devtools.simulator.world.catalogue import MODELS, TOKEN_TYPES
from devtools.simulator.world.money import UNITS_PER_USD

from .caller import rows

USAGE = "/v1/organizations/usage_report/messages"
FAST = {"anthropic-beta": "fast-mode-2026-02-01"}
DIMENSIONS = {
    "account_id": "account_id",
    "api_key_id": "api_key_id",
    "context_window": "context_window",
    "inference_geo": "inference_geo",
    "model": "model",
    "service_account_id": "service_account_id",
    "service_tier": "service_tier",
    "speed": "speed",
    "workspace_id": "report_workspace_id",
}
NUMBERS = (
    "uncached_input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
    "web_search_requests",
)
CELL = ("workspace_id", "model", "service_tier", "context_window", "inference_geo")


def counts(row):
    flat = row | row["cache_creation"] | row["server_tool_use"]
    return tuple(flat[name] for name in NUMBERS)


def usage(caller, first, last, *groups, **more):
    """Follow every page of whole days and return all buckets."""
    pairs = [("starting_at", f"{first}T00:00:00Z"), ("ending_at", f"{last}T00:00:00Z"), *more.items()]
    pairs += [("group_by[]", group) for group in groups]
    page = caller.get(USAGE, pairs, headers=FAST).json
    buckets = page["data"]
    while page["has_more"]:
        page = caller.get(USAGE, [*pairs, ("page", page["next_page"])], headers=FAST).json
        buckets += page["data"]
    return buckets


def sums(found, groups):
    summed = defaultdict(lambda: [0] * len(NUMBERS))
    for row in found:
        known = summed[tuple(row[group] for group in groups)]
        known[:] = [a + b for a, b in zip(known, counts(row), strict=True)]
    return {key: tuple(value) for key, value in summed.items()}


def truth(sim, slug, first, last, groups):
    told = sim.usage_truth(slug, first, last, group_by=tuple(DIMENSIONS[group] for group in groups))
    return {key: tuple(value[name] for name in NUMBERS) for key, value in told.groups.items()} or {
        (): tuple(told.totals[name] for name in NUMBERS)
    }


class TestGrouping:
    @pytest.mark.parametrize(
        "groups",
        [
            (),
            *combinations(DIMENSIONS, 1),
            ("workspace_id", "api_key_id", "model"),
            ("api_key_id", "account_id", "service_account_id", "workspace_id", "speed"),
            CELL,
        ],
    )
    def test_every_grouping_sums_to_the_truth(self, cedar, sim, groups):
        found = rows(usage(cedar, "2026-11-12", "2026-11-21", *groups))

        assert sums(found, groups) == truth(
            sim, "cedar-group", date(2026, 11, 12), date(2026, 11, 21), groups
        )

    @pytest.mark.parametrize("slug", ["acorn-studio", "birch-logistics", "org-00017"])
    def test_of_every_size(self, call, sim, slug):
        groups = ("api_key_id", "model", "service_tier")

        found = rows(usage(call(slug), "2026-10-01", "2026-11-21", *groups))

        assert sums(found, groups) == truth(sim, slug, date(2026, 10, 1), date(2026, 11, 21), groups)

    def test_rows_do_not_repeat_a_key_and_hide_what_was_not_grouped(self, cedar):
        (bucket,) = usage(cedar, "2026-11-18", "2026-11-19", "workspace_id", "model")

        keys = [(row["workspace_id"], row["model"]) for row in bucket["results"]]
        assert len(keys) == len(set(keys))
        assert {(row["api_key_id"], row["service_tier"], row["account_id"]) for row in bucket["results"]} == {
            (None, None, None)
        }
        assert not any("speed" in row for row in bucket["results"])

    def test_tokens_times_price_are_the_cost(self, cedar):
        tokens = rows(usage(cedar, "2026-11-18", "2026-11-19", *CELL))
        billed = rows(cedar.buckets("2026-11-18", "2026-11-19", "workspace_id", "description"))
        models = {model.id: model for model in MODELS}

        priced = {}
        for row in tokens:
            unit = {
                "is_batch": row["service_tier"] == "batch",
                "is_us": row["inference_geo"] == "us",
                "is_long": row["context_window"] != "0-200k",
            }
            for place, count in enumerate(counts(row)[:5]):
                amount = count * models[row["model"]].unit_price(place, **unit)
                if amount and row["service_tier"] != "priority":
                    key = (*(row[name] for name in CELL), TOKEN_TYPES[place])
                    priced[key] = Decimal(amount) / UNITS_PER_USD

        assert priced == {
            (*(row[name] for name in CELL), row["token_type"]): Decimal(row["amount"]) / 100
            for row in billed
            if row["cost_type"] == "tokens"
        }


class TestContent:
    def test_shows_every_kind_of_traffic(self, cedar):
        groups = ("api_key_id", "account_id", "service_account_id", "service_tier", "speed")

        found = rows(usage(cedar, "2026-11-12", "2026-11-20", *groups))

        assert {row["service_tier"] for row in found} == {"standard", "batch", "priority"}
        assert {row["speed"] for row in found} == {"standard", "fast"}
        # A key, OAuth, a federated service account, and the Playground, which nothing names.
        assert {
            (bool(row["api_key_id"]), bool(row["account_id"]), bool(row["service_account_id"]))
            for row in found
        } == {
            (True, False, False),
            (False, True, False),
            (False, False, True),
            (False, False, False),
        }

    def test_days_without_traffic_are_empty_buckets(self, call):
        buckets = usage(call("dormant-labs"), "2026-11-01", "2026-11-08", "model")

        assert [bucket["results"] for bucket in buckets] == [[]] * 7


class TestWidths:
    @pytest.mark.parametrize(
        ("width", "first", "count"), [("1h", "2026-11-19", 24), ("1h", "2026-11-20", 24)]
    )
    def test_hours_add_up_to_their_day(self, cedar, width, first, count):
        last = f"2026-11-{int(first[-2:]) + 1}"

        hours = usage(cedar, first, last, "api_key_id", bucket_width=width)
        day = usage(cedar, first, last, "api_key_id")

        assert len(hours) == count
        assert sums(rows(hours), ("api_key_id",)) == sums(rows(day), ("api_key_id",))

    def test_minutes_add_up_to_their_day(self, call):
        caller = call("acorn-studio")

        minutes = usage(caller, "2026-11-18", "2026-11-19", "model", bucket_width="1m", limit=1440)

        assert len(minutes) == 1440
        assert sums(rows(minutes), ("model",)) == sums(
            rows(usage(caller, "2026-11-18", "2026-11-19", "model")), ("model",)
        )

    def test_nothing_lies_in_the_future(self, call, sim):
        sim.set_clock("2026-11-20T12:30:00Z")

        minutes = usage(call("birch-logistics"), "2026-11-20", "2026-11-21", bucket_width="1m", limit=1440)

        assert max(bucket["starting_at"] for bucket in minutes if bucket["results"]) <= "2026-11-20T12:30:00Z"

    @pytest.mark.parametrize(("width", "count"), [("1d", 7), ("1h", 24), ("1m", 60)])
    def test_pages_have_each_width_s_default_length(self, acorn, width, count):
        page = acorn.get(USAGE, {"starting_at": "2026-11-01T00:00:00Z", "bucket_width": width}).json

        assert (len(page["data"]), page["has_more"]) == (count, True)


class TestFilters:
    @pytest.mark.parametrize(
        ("name", "group"),
        [
            ("account_ids", "account_id"),
            ("api_key_ids", "api_key_id"),
            ("service_account_ids", "service_account_id"),
            ("models", "model"),
            ("service_tiers", "service_tier"),
            ("context_window", "context_window"),
            ("inference_geos", "inference_geo"),
            ("speeds", "speed"),
        ],
    )
    def test_keep_the_rows_asked_for(self, cedar, name, group):
        everything = sums(rows(usage(cedar, "2026-11-18", "2026-11-19", group)), (group,))
        wanted = sorted(key for key in everything if key[0] is not None)[:1]

        found = rows(usage(cedar, "2026-11-18", "2026-11-19", group, **{f"{name}[]": wanted[0][0]}))

        assert sums(found, (group,)) == {wanted[0]: everything[wanted[0]]}

    def test_the_default_workspace_is_found_by_its_real_id(self, cedar, sim):
        (known,) = sim.organisations(organisation="cedar-group")

        found = rows(
            usage(
                cedar,
                "2026-11-18",
                "2026-11-19",
                "workspace_id",
                **{"workspace_ids[]": known["workspaces"][0]["id"]},
            )
        )

        assert [row["workspace_id"] for row in found] == [None]


class TestStrictness:
    @pytest.mark.parametrize(
        "query",
        [
            "",
            "bucket_width=1w",
            "bucket_width=1d&limit=32",
            "bucket_width=1h&limit=169",
            "bucket_width=1m&limit=1441",
            "group_by[]=description",
            "group_by=model",
            "context_windows[]=0-200k",
            "context_window[]=1M",
            "service_tiers[]=gold",
            "inference_geos[]=moon",
            "page=page_nonsense",
        ],
    )
    def test_refuses(self, acorn, query):
        start = "starting_at=2026-11-10T00:00:00Z&" if query else ""

        assert acorn.get(USAGE, f"{start}{query}").error[:2] == (400, "invalid_request_error")

    def test_refuses_a_sixth_dimension(self, acorn):
        pairs = [("starting_at", "2026-11-10T00:00:00Z")] + [
            ("group_by[]", group) for group in (*CELL, "api_key_id")
        ]

        assert acorn.get(USAGE, pairs).error[2] == "Cannot specify more than 5 group_by[] dimensions."

    @pytest.mark.parametrize("pair", [("group_by[]", "speed"), ("speeds[]", "fast")])
    def test_speed_needs_its_header(self, acorn, pair):
        query = [("starting_at", "2026-11-10T00:00:00Z"), pair]

        assert acorn.get(USAGE, query).status == 400
        assert acorn.get(USAGE, query, headers=FAST).status == 200

    def test_an_end_that_is_not_after_the_start_has_upstreams_words(self, acorn):
        query = {"starting_at": "2026-11-20T00:00:00Z"}

        assert (
            acorn.get(USAGE, query).error[2] == "Invalid date range: ending date must be after starting date"
        )

    def test_a_cursor_is_bound_to_its_query(self, acorn):
        query = {"starting_at": "2026-11-01T00:00:00Z"}
        token = acorn.get(USAGE, query).json["next_page"]

        reply = acorn.get(USAGE, query | {"page": token, "models[]": "claude-opus-5"})

        assert "cursor does not match" in reply.error[2]
