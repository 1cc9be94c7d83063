"""Every spec read from the simulator, against what the simulator knows to be true: equal to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

from devtools.simulator.keys import MEMBERS, key_text
from devtools.simulator.process import Simulator
from foundation.periods import DayRange
from tests.integrations.reports.reading import ALL, Origin, Read, by, client_of, fetch, without_nothing

# Half past nine: the last day is still running, and its data ends on the hour.
NOW = "2026-11-20T09:30:00+00:00"
# Many people, keys and identities on few days; and few of them over everything that analytics still report.
LARGE = ("cedar-group", DayRange(date(2026, 11, 12), date(2026, 11, 21)))
LONG = ("acorn-studio", DayRange(date(2026, 1, 1), date(2026, 11, 21)))
COUNTS = {
    "uncached_input_tokens": "uncached_input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "cache_write_5m_tokens": "ephemeral_5m_input_tokens",
    "cache_write_1h_tokens": "ephemeral_1h_input_tokens",
    "web_search_requests": "web_search_requests",
}
# How the simulator calls the one column whose name differs.
ANALYTICS_GEO = {"inference_geo": "analytics_geo"}


@pytest.fixture(scope="module")
def frozen() -> Iterator[Simulator]:
    with Simulator.start(seed=1, now=NOW) as simulator:
        yield simulator


@dataclass
class World:
    """One organisation, its Enterprise sibling, and what was read of both, each spec once."""

    simulator: Simulator
    slug: str
    days: DayRange
    known: dict[str, Read] = field(default_factory=dict)

    def read(self, name: str) -> Read:
        if name not in self.known:
            kind = "admin" if ALL[name].origin == Origin.CLAUDE_PLATFORM else MEMBERS
            client = client_of(self.simulator, key_text(self.slug, kind))
            self.known[name] = fetch(client, ALL[name], self.days)
        return self.known[name]

    def asked(self, name: str) -> tuple[str, date, date]:
        suffix = "" if ALL[name].origin == Origin.CLAUDE_PLATFORM else ".enterprise"
        return f"{self.slug}{suffix}", self.days.start, self.days.end


@pytest.fixture(scope="module", params=[LARGE, LONG], ids=["large", "long"])
def world(frozen: Simulator, request: Any) -> World:
    slug, days = request.param
    return World(frozen, slug, days)


def cells(records: list[Any], value: str, names: tuple[str, ...]) -> dict[Any, Any]:
    """Add up by the day, as text, and the other columns."""
    return {(key[0].isoformat(), *key[1:]): amount for key, amount in by(records, value, *names).items()}


def truly(names: tuple[str, ...], spelling: dict[str, str]) -> tuple[str, ...]:
    return tuple(spelling.get(name, name) for name in names)


def finest(name: str) -> tuple[str, ...]:
    """The day and every dimension of a spec, in one fixed order."""
    return ("day", *sorted(ALL[name].dimensions))


class TestBills:
    @pytest.mark.parametrize("name", [name for name, spec in ALL.items() if spec.is_bill])
    def test_add_up_to_the_truth_of_every_day(self, world, name):
        truth = world.simulator.truth(*world.asked(name))

        assert by(world.read(name).records, "amount_usd", "day") == without_nothing(truth.days)

    def test_hold_every_day_that_has_begun(self, world):
        assert world.read("analytics_cost").covered == set(world.days.days())
        assert world.read("enterprise_cost").covered == set(world.days.days())

    def test_are_more_than_what_members_cause(self, world):
        """The older report by user leaves out what no person caused: Slack channels, Code Review."""
        whole = by(world.read("enterprise_cost").records, "amount_usd", "day", "actor_id")
        members = by(world.read("enterprise_user_cost_report").records, "amount_usd", "day", "actor_id")

        assert {key: amount for key, amount in whole.items() if key[1]} == members
        assert {key for key in whole if key[1] is None}


# Cells of the day and all dimensions of a query are its finest grain: when each of them is true, so is every sum of
# every grouping that can be made of them.


def test_classic_cost_is_true_in_every_cell(world):
    # The classic report writes the default workspace as null, as its own truth does.
    names = finest("cost_report")
    truth = world.simulator.truth(*world.asked("cost_report"), group_by=names)

    assert cells(world.read("cost_report").records, "amount_usd", names) == without_nothing(truth.groups)


@pytest.mark.parametrize(
    "name", ["analytics_cost", "analytics_cost_serving", "enterprise_cost", "enterprise_cost_speed",
             "enterprise_cost_by_product"]
)  # fmt: skip
def test_analytics_cost_is_true_in_every_cell(world, name):
    names = finest(name)
    truth = world.simulator.analytics_truth(*world.asked(name), group_by=truly(names, ANALYTICS_GEO))

    records = world.read(name).records

    assert cells(records, "amount_usd", names) == without_nothing(
        {key: amount for key, (amount, _) in truth.groups.items()}
    )
    assert cells(records, "list_amount_usd", names) == without_nothing(
        {key: list_amount for key, (_, list_amount) in truth.groups.items()}
    )


@pytest.mark.parametrize(
    "name", ["analytics_usage", "analytics_usage_serving", "enterprise_usage", "enterprise_usage_speed",
             "enterprise_usage_report"]
)  # fmt: skip
def test_usage_is_true_in_every_cell(world, name):
    names = finest(name)
    truth = world.simulator.usage_truth(*world.asked(name), group_by=truly(names, ANALYTICS_GEO))

    records = world.read(name).records

    assert {ours: cells(records, ours, names) for ours in COUNTS} == {
        ours: without_nothing({key: counts[theirs] for key, counts in truth.groups.items()})
        for ours, theirs in COUNTS.items()
    }


def test_classic_usage_is_true_in_every_cell(world):
    """The report knows accounts and keys; whose a row is follows from these two."""
    names = ("day", "account_id", "api_key_id", "report_workspace_id", "model", "service_tier")
    truth = world.simulator.usage_truth(*world.asked("usage_report"), group_by=names)

    records = world.read("usage_report").records

    ours = ("day", "actor_type", "actor_id", "api_key_id", "workspace_id", "model", "service_tier")
    assert {count: cells(records, count, ours) for count in COUNTS} == {
        count: without_nothing(
            {
                (day, *attributed(account, key), key, *rest): counts[theirs]
                for (day, account, key, *rest), counts in truth.groups.items()
            }
        )
        for count, theirs in COUNTS.items()
    }


def attributed(account_id: str | None, api_key_id: str | None) -> tuple[str | None, str | None]:
    if account_id:
        return "user_actor", account_id
    return ("api_actor", api_key_id) if api_key_id else (None, None)
