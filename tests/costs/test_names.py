from __future__ import annotations

import datetime as dt

import pytest

from costs.models import Resource, ResourceName
from costs.names import record_names
from costs.records import NameRecord
from integrations.models import Connection

NOW = dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)


@pytest.fixture
def connection(account) -> Connection:
    return Connection.objects.create(
        account=account, origin="claude_platform", label="A", organization_id="o1", backfill_days=365,
        wanted_from="2025-11-01",
    )  # fmt: skip


def tell(connection: Connection, *records: NameRecord, days: int = 0) -> None:
    record_names(connection.pk, records, observed_at=NOW + dt.timedelta(days=days))


def key(name: str = "", **fields) -> NameRecord:
    return NameRecord(
        kind="api_key", resource_id="apikey_1", name=name or "apikey_1", is_nameless=not name, **fields
    )


class TestNameless:
    def test_is_kept_without_a_name(self, connection):
        tell(connection, key(attributes={"status": "active"}))

        assert Resource.objects.get().attributes == {"status": "active"}
        assert ResourceName.objects.count() == 0

    def test_keeps_the_name_it_had(self, connection):
        tell(connection, key("ci-bot"))

        tell(connection, key(attributes={"status": "inactive"}), days=1)

        assert Resource.objects.get().attributes == {"status": "inactive"}
        assert ResourceName.objects.get(valid_to=None).name == "ci-bot"

    def test_takes_the_name_it_gets(self, connection):
        tell(connection, key())

        tell(connection, key("ci-bot"), days=1)

        assert ResourceName.objects.get().name == "ci-bot"
