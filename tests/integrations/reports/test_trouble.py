"""Every report read from a simulator that misbehaves: the sums stay true, or the window is refused, never silently less."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from devtools.simulator.keys import MEMBERS, key_text
from devtools.simulator.process import Simulator
from foundation.periods import DayRange
from integrations.errors import Fate, Reason, UpstreamError
from tests.integrations.reports.reading import ALL, Origin, client_of, fetch_window, total

NOW = "2026-11-20T09:30:00+00:00"
DAYS = DayRange(date(2026, 11, 16), date(2026, 11, 21))
SLUG = "acorn-studio"
COSTS = [name for name, spec in ALL.items() if spec.kind == "cost"]
BY_DAY = [name for name, spec in ALL.items() if spec.kind in {"cost", "usage"}]


@pytest.fixture(scope="module")
def frozen() -> Iterator[Simulator]:
    with Simulator.start(seed=1, now=NOW) as simulator:
        yield simulator


@pytest.fixture
def upstream(frozen: Simulator) -> Iterator[Simulator]:
    yield frozen
    frozen.clear_faults()
    frozen.set_clock(NOW)


def read(simulator: Simulator, name: str) -> Any:
    kind = "admin" if ALL[name].origin == Origin.CLAUDE_PLATFORM else MEMBERS
    return fetch_window(client_of(simulator, key_text(SLUG, kind)), ALL[name], DAYS)[0]


def refused(simulator: Simulator, name: str) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read(simulator, name)
    return caught.value


class TestStrangeButTrue:
    @pytest.mark.parametrize("name", COSTS)
    @pytest.mark.parametrize("kind", ["duplicate_rows", "negative_rows", "unknown_values"])
    def test_answers_keep_their_sum(self, upstream, name, kind):
        expected = total(record.amount_usd for record in read(upstream, name).records)
        upstream.fault(kind, times=-1)

        records = read(upstream, name).records

        assert total(record.amount_usd for record in records) == expected
        assert upstream.faults()[0]["struck"] > 0


class TestUntrue:
    @pytest.mark.parametrize("name", COSTS)
    @pytest.mark.parametrize(
        "kind", ["bad_amount", "currency_eur", "nan_json", "huge_number", "duplicate_keys"]
    )
    def test_amounts_are_refused(self, upstream, name, kind):
        upstream.fault(kind, times=-1)

        error = refused(upstream, name)

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.FATAL)

    @pytest.mark.parametrize("name", BY_DAY)
    def test_days_are_refused(self, upstream, name):
        upstream.fault("day_outside_window", times=-1)

        assert refused(upstream, name).reason is Reason.UPSTREAM_UNREADABLE

    @pytest.mark.parametrize("name", BY_DAY)
    @pytest.mark.parametrize("kind", ["not_json", "html_200", "invalid_utf8", "cut_body"])
    def test_bodies_are_asked_for_again(self, upstream, name, kind):
        upstream.fault(kind, times=-1)

        error = refused(upstream, name)

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.RETRYABLE)


class TestRefreshedWhileReading:
    def test_restarts_the_query_and_then_reads_the_truth(self, upstream):
        """An hour passes between two pages: what was read before may have moved."""
        spec = ALL["analytics_usage"]
        client = client_of(upstream, key_text("cedar-group"))
        first = client.fetch(spec.first_page(DAYS))
        upstream.set_clock("2026-11-20T10:30:00+00:00")

        with pytest.raises(UpstreamError) as caught:
            client.fetch(spec.next_page(first.request, first))
        again, _ = fetch_window(client, spec, DAYS)

        assert caught.value.fate is Fate.RESTART
        truth = upstream.usage_truth("cedar-group", DAYS.start, DAYS.end)
        assert sum(record.total_tokens for record in again.records) == truth.totals["total_tokens"]

    def test_restarts_even_if_upstream_does_not_notice(self, upstream):
        spec = ALL["analytics_cost"]
        client = client_of(upstream, key_text(SLUG))
        older = client.fetch(spec.first_page(DAYS)).body.replace(b'"has_more":false', b'"has_more":true')
        older = older.replace(b'"next_page":null', b'"next_page":"page_2"')
        upstream.set_clock("2026-11-20T10:30:00+00:00")
        newer = client.fetch(spec.first_page(DAYS)).body

        with pytest.raises(UpstreamError) as caught:
            spec.read(DAYS, [older, newer])

        assert caught.value.fate is Fate.RESTART


class TestNotExportedYet:
    @pytest.mark.parametrize("name", ["enterprise_cost", "enterprise_usage", "enterprise_cost_report"])
    def test_a_window_that_begins_after_the_export_is_unknown_not_empty(self, upstream, name):
        upstream.set_clock("2026-11-20T02:00:00+00:00")
        client = client_of(upstream, key_text(SLUG, MEMBERS))
        today = DayRange(date(2026, 11, 20), date(2026, 11, 21))

        reading, _ = fetch_window(client, ALL[name], today)

        assert (list(reading.records), reading.covered, reading.as_of) == ([], frozenset(), None)


class TestDeletedUser:
    def test_keeps_the_money_and_says_that_the_name_is_a_stand_in(self, upstream):
        before = read(upstream, "enterprise_cost")
        gone = before.names[0].resource_id
        upstream.world(f"{SLUG}.enterprise", "delete_user", user_id=gone)

        after = read(upstream, "enterprise_cost")

        names = {name.resource_id: (name.name, name.is_placeholder) for name in after.names}
        assert names[gone] == ("Deleted User", True)
        assert total(record.amount_usd for record in after.records) == total(
            record.amount_usd for record in before.records
        )
