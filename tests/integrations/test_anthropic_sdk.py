"""Anthropic's own client reads what the simulator serves, and finds in it what our adapters find.

A misreading that simulator and adapters share would pass every other test: the official SDK (2.12.0, October 2026's API)
was written by those who wrote the API, and here it validates every answer against its own models. It has no model of the
three classic reports; those follow the documents alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from anthropic import Anthropic, APIResponseValidationError, DefaultHttpxClient

from devtools.simulator.keys import MEMBERS, key_text
from devtools.simulator.process import Simulator
from foundation.periods import DayRange, day_start
from tests.integrations.reports.reading import ALL, Origin, client_of, fetch

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
DAYS = DayRange(date(2026, 11, 16), date(2026, 11, 21))
SLUG = "birch-logistics"
COUNTS = {
    "uncached_input_tokens": lambda usage: usage.uncached_input_tokens,
    "output_tokens": lambda usage: usage.output_tokens,
    "cache_read_input_tokens": lambda usage: usage.cache_read_input_tokens,
    "cache_write_5m_tokens": lambda usage: usage.cache_creation.ephemeral_5m_input_tokens,
    "cache_write_1h_tokens": lambda usage: usage.cache_creation.ephemeral_1h_input_tokens,
    "web_search_requests": lambda usage: usage.server_tool_use.web_search_requests,
    "requests": lambda usage: usage.requests,
    "total_tokens": lambda usage: usage.total_tokens,
}


@pytest.fixture(scope="module")
def frozen() -> Iterator[Simulator]:
    with Simulator.start(seed=1, now=NOW.isoformat()) as simulator:
        yield simulator


def key_of(name: str) -> str:
    return key_text(SLUG, "admin" if ALL[name].origin == Origin.CLAUDE_PLATFORM else MEMBERS)


@pytest.fixture
def sdk(frozen: Simulator) -> Iterator[Any]:
    """Their client for a spec's organisation; it refuses an answer that does not fit its models."""
    opened = []

    def open_client(name: str) -> Anthropic:
        client = Anthropic(
            api_key=key_of(name),
            # By itself it sends the key as a bearer token (2.12.0), which the simulator takes for OAuth only.
            default_headers={"x-api-key": key_of(name)},
            base_url=frozen.base_url,
            max_retries=0,
            http_client=DefaultHttpxClient(trust_env=False),
            _strict_response_validation=True,
        )
        opened.append(client)
        return client

    yield open_client
    for client in opened:
        client.close()


def ours(frozen: Simulator, name: str) -> list[Any]:
    return fetch(client_of(frozen, key_of(name)), ALL[name], DAYS).records


def query_of(name: str) -> dict[str, Any]:
    """Our canonical query in the words of their client."""
    asked: dict[str, Any] = {
        "group_by": [value for field, value in ALL[name].first_page(DAYS).query if field == "group_by[]"]
    }
    return {
        field: value
        for field, value in {
            **asked,
            "starting_at": day_start(DAYS.start),
            "ending_at": day_start(DAYS.end),
            "limit": 31,
        }.items()
        if value
    }


def sums(rows: Any) -> dict[Any, Any]:
    """Add up (key, value) pairs."""
    found: dict[Any, Any] = defaultdict(int)
    for key, value in rows:
        found[key] += value
    return dict(found)


def key_of_group(group: Any) -> tuple[Any, ...]:
    return (group.model, group.workspace_id, group.api_key_id, group.service_tier, group.product, group.speed)


def key_of_record(record: Any) -> tuple[Any, ...]:
    return (
        record.model,
        record.workspace_id,
        record.api_key_id,
        record.service_tier,
        record.product,
        record.speed,
    )


class TestTheirModels:
    def test_refuse_an_amount_that_is_no_text(self, frozen, sdk):
        """Without this, an SDK that no longer validates would let every other test here pass."""
        frozen.fault("huge_number", value="5", path="analytics/cost")

        with pytest.raises(APIResponseValidationError):
            sdk("analytics_cost").beta.organization.analytics.cost.list(
                starting_at=day_start(DAYS.start), betas=["analytics-usage-cost-2026-08-24"]
            )


class TestAnalytics:
    @pytest.mark.parametrize(
        "name", ["analytics_cost", "analytics_cost_serving", "enterprise_cost", "enterprise_cost_speed"]
    )
    def test_cost_is_what_we_read(self, frozen, sdk, name):
        theirs = sdk(name).beta.organization.analytics.cost.list(
            **{**query_of(name), "limit": 100}, time_bucket_width="1d", order_by="time", order="asc",
            betas=["analytics-usage-cost-2026-08-24"],
        )  # fmt: skip

        rows = [
            ((row.starting_at.date(), *key_of_group(row.group)), Decimal(row.cost.amount)) for row in theirs
        ]

        assert rows
        assert sums(rows) == sums(
            ((record.day, *key_of_record(record)), record.amount_usd * 100) for record in ours(frozen, name)
        )

    @pytest.mark.parametrize(
        "name", ["analytics_usage", "analytics_usage_serving", "enterprise_usage", "enterprise_usage_speed"]
    )
    def test_usage_is_what_we_read(self, frozen, sdk, name):
        pages = sdk(name).beta.organization.analytics.usage.list(
            **{**query_of(name), "limit": 100}, time_bucket_width="1d", order_by="time", order="asc",
            betas=["analytics-usage-cost-2026-08-24"],
        )  # fmt: skip
        theirs = list(pages)

        records = ours(frozen, name)

        assert theirs
        assert {
            count: sums(
                ((row.starting_at.date(), *key_of_group(row.group)), read(row.usage)) for row in theirs
            )
            for count, read in COUNTS.items()
        } == {
            count: sums(((record.day, *key_of_record(record)), getattr(record, count)) for record in records)
            for count in COUNTS
        }

    @pytest.mark.parametrize("name", ["analytics_cost", "enterprise_cost"])
    def test_actors_are_whom_we_read(self, frozen, sdk, name):
        theirs = sdk(name).beta.organization.analytics.cost.list(
            **{**query_of(name), "limit": 1000},
            time_bucket_width="1d",
            betas=["analytics-usage-cost-2026-08-24"],
        )

        found = {actor_of(row.group.actor) for row in theirs}

        assert found == {(record.actor_type, record.actor_id) for record in ours(frozen, name)}


def actor_of(actor: Any) -> tuple[str | None, str | None]:
    if actor is None:
        return None, None
    ids = ("user_id", "service_account_id", "api_key_id", "subject")
    return actor.type, next(getattr(actor, name) for name in ids if hasattr(actor, name))


class TestOlderEnterpriseReports:
    @pytest.mark.parametrize("name", ["enterprise_cost_report", "enterprise_cost_by_product"])
    def test_cost_is_what_we_read(self, frozen, sdk, name):
        buckets = sdk(name).beta.organization.analytics.cost_report.list(**query_of(name), bucket_width="1d")

        rows = [
            ((bucket.starting_at.date(), spelt(row.product), row.model), Decimal(row.amount))
            for bucket in buckets
            for row in bucket.results
        ]

        assert rows
        assert sums(rows) == sums(
            ((record.day, record.product, record.model), record.amount_usd * 100)
            for record in ours(frozen, name)
        )

    def test_usage_is_what_we_read(self, frozen, sdk):
        name = "enterprise_usage_report"
        buckets = sdk(name).beta.organization.analytics.usage_report.list(**query_of(name), bucket_width="1d")

        rows = [
            ((bucket.starting_at.date(), spelt(row.product), row.model), row.total_tokens)
            for bucket in buckets
            for row in bucket.results
        ]

        assert rows
        assert sums(rows) == sums(
            ((record.day, record.product, record.model), record.total_tokens) for record in ours(frozen, name)
        )

    def test_cost_by_user_is_what_we_read(self, frozen, sdk):
        name = "enterprise_user_cost_report"
        theirs = sdk(name).beta.organization.analytics.user_cost_report.list(
            **query_of(name), bucket_width="1d"
        )

        rows = [((row.starting_at.date(), row.actor.user_id), Decimal(row.amount)) for row in theirs]

        assert rows
        assert sums(rows) == sums(
            ((record.day, record.actor_id), record.amount_usd * 100) for record in ours(frozen, name)
        )

    def test_usage_by_user_is_what_we_read(self, frozen, sdk):
        name = "enterprise_user_usage_report"
        theirs = sdk(name).beta.organization.analytics.user_usage_report.list(
            **query_of(name), bucket_width="1d"
        )

        rows = [((row.starting_at.date(), row.actor.user_id), row.total_tokens) for row in theirs]

        assert rows
        assert sums(rows) == sums(
            ((record.day, record.actor_id), record.total_tokens) for record in ours(frozen, name)
        )


def spelt(product: str | None) -> str | None:
    return "claude_tag" if product == "claude-tag" else product


class TestNames:
    def test_the_organisation_is_the_one_we_read(self, frozen, sdk):
        theirs = sdk("workspaces").organization.retrieve()

        found = client_of(frozen, key_of("workspaces")).organization()

        assert (theirs.id, theirs.name) == (found.id, found.name)

    @pytest.mark.parametrize("name", ["workspaces", "api_keys", "users", "members"])
    def test_every_list_is_what_we_read(self, frozen, sdk, name):
        resource, options = {
            "workspaces": ("workspaces", {"include_archived": True, "include_default": True}),
            "members": ("users", {}),
        }.get(name, (name, {}))
        found = fetch(client_of(frozen, key_of(name)), ALL[name], DAYS).names

        theirs = list(getattr(sdk(name).organization, resource).list(limit=3, **options))

        assert theirs
        assert {each.id: each.name for each in theirs} == {id_: each.name for id_, each in found.items()}

    @pytest.mark.parametrize("name", ["workspaces", "api_keys", "users", "members"])
    def test_each_of_them_can_be_asked_for(self, frozen, sdk, name):
        resource = getattr(sdk(name).organization, {"members": "users"}.get(name, name))
        wanted = next(iter(resource.list(limit=1)))

        assert resource.retrieve(wanted.id).name == wanted.name
