"""Who pays for a billed row that names no key: whoever used what it is billed for, also of a kind that nobody knows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import transaction

from costs import attribution, tables
from costs.attribution import Connected
from costs.ingest import Window, replace_window
from costs.models import CostFact
from costs.records import CostRecord, Origin
from costs.usage_records import UsageRecord
from integrations.models import Connection

DAY = dt.date(2026, 11, 16)
READ = dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)
LONGER = "cache_creation.ephemeral_24h_input_tokens"


@pytest.fixture
def connection(account) -> Connection:
    return Connection.objects.create(
        account=account, origin="claude_platform", label="A", organization_id="o1", backfill_days=365,
        wanted_from="2025-11-01",
    )  # fmt: skip


def put(connection: Connection, *records, table=tables.COSTS) -> None:
    window = Window(connection.pk, records[0].source, frozenset({DAY}), READ, READ, table=table)
    replace_window(window, records)


def billed(amount: str, **columns) -> CostRecord:
    return CostRecord(
        day=DAY, origin=Origin.CLAUDE_PLATFORM, source="cost_report", amount_usd=Decimal(amount), **columns
    )


def used(key: str, **columns) -> UsageRecord:
    return UsageRecord(
        day=DAY, origin=Origin.CLAUDE_PLATFORM, source="usage_report", api_key_id=key, **columns
    )


def shares(connection: Connection) -> dict[tuple[str | None, str], Decimal]:
    attribution.refresh(Connected(connection.pk, "cost_report", None), [DAY], observed_at=READ)
    found = CostFact.objects.filter(source="allocated")
    return {(fact.api_key_id, fact.attribution): fact.amount_usd for fact in found}


class TestUnknownKinds:
    @pytest.fixture(autouse=True)
    def one_transaction(self, db):
        with transaction.atomic():
            yield

    @pytest.mark.parametrize("kind", [LONGER, "thinking_tokens"])
    def test_of_tokens_are_shared_by_the_count_of_the_same_name(self, connection, kind):
        put(connection, billed("3", model="m", service_tier="standard", token_type=kind, cost_type="tokens"))
        put(
            connection,
            used("k1", model="m", service_tier="standard", other_counts={kind: 2}),
            used("k2", model="m", service_tier="standard", other_counts={kind: 1}),
            used("k3", model="m", service_tier="standard", uncached_input_tokens=9),
            table=tables.USAGE,
        )

        assert shares(connection) == {("k1", "token_share"): 2, ("k2", "token_share"): 1}

    def test_of_calls_are_shared_whatever_the_model(self, connection):
        put(connection, billed("3", cost_type="web_fetch"))
        calls = {"server_tool_use.web_fetch_requests": 7}
        put(connection, used("k1", model="m", service_tier="batch", other_counts=calls), table=tables.USAGE)

        assert shares(connection) == {("k1", "token_share"): 3}

    def test_that_nobody_used_stay_with_nobody(self, connection):
        put(connection, billed("3", model="m", token_type=LONGER), billed("-1", cost_type="credit"))
        put(connection, used("k1", model="m", other_counts={"thinking_tokens": 7}), table=tables.USAGE)

        assert {key for key, _ in shares(connection)} == {None}
        assert sum(fact.amount_usd for fact in CostFact.objects.filter(source="allocated")) == 2
