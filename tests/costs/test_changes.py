from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from hashlib import blake2b

import pytest
from django.db import transaction

from accounts.models import Account
from costs import tables
from costs.changes import Change, tell
from costs.ingest import Window, replace_window
from costs.models import CostFact, CostHistory, DayDigest, Restatement, UsageFact
from costs.records import AND_MORE, MOST_VALUES, CostRecord, Origin, merge_equal_keys
from costs.usage_records import UsageRecord
from integrations.models import Connection

DAY = dt.date(2026, 11, 16)
READ = dt.datetime(2026, 11, 20, 6, tzinfo=dt.UTC)
AGAIN = READ + dt.timedelta(days=1)


def cost(amount: str = "1", **columns) -> CostRecord:
    given = {"day": DAY, "origin": Origin.CLAUDE_PLATFORM, "source": "cost_report", **columns}
    return CostRecord(amount_usd=Decimal(amount), **given)


def used(tokens: int = 1, **columns) -> UsageRecord:
    return UsageRecord(
        day=DAY, origin=Origin.CLAUDE_PLATFORM, source="usage_report", uncached_input_tokens=tokens, **columns
    )


class TestTell:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param([cost()], [cost(extra={"new": "x"})], id="an unknown field"),
            pytest.param([cost()], [cost(speed="standard")], id="a known field that the report had not"),
            pytest.param(
                [cost("3")], [cost("1", speed="fast"), cost("2", speed="standard")], id="a split row"
            ),
            pytest.param([cost("1", speed="fast"), cost("2")], [cost("3")], id="a field that went away"),
            pytest.param([cost()], [cost(list_amount_usd=Decimal(2))], id="a list price"),
            pytest.param([cost()], [cost(), cost("0", model="m")], id="a row of nothing"),
            pytest.param([], [cost("0")], id="nothing but a row of nothing"),
            pytest.param(
                [cost("1", model="a"), cost("2")], [cost("2"), cost("1", model="a")], id="another order"
            ),
            pytest.param([used()], [used(other_counts={"thinking_tokens": 3})], id="a new count"),
            pytest.param([used()], [used(requests=3)], id="requests that were not counted"),
        ],
    )
    def test_takes_what_only_one_side_states_for_words(self, before, after):
        assert tell(before, after) is Change.WORDS

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param([cost("1")], [cost("2")], id="another amount"),
            pytest.param([cost()], [cost(workspace_id="w")], id="another workspace than the default one"),
            pytest.param(
                [cost("1", model="a"), cost("2", model="b")], [cost("2", model="a"), cost("1", model="b")],
                id="moved between models",
            ),
            pytest.param(
                [cost(list_amount_usd=Decimal(2))], [cost(list_amount_usd=Decimal(3))], id="another list price"
            ),
            pytest.param([], [cost()], id="a day that was empty"),
            pytest.param([used()], [], id="a day that became empty"),
            pytest.param([used(1)], [used(2)], id="another count"),
            pytest.param(
                [used(other_counts={"thinking_tokens": 3})], [used(other_counts={"thinking_tokens": 4})],
                id="another count of a kind that we do not know",
            ),
        ],
    )  # fmt: skip
    def test_tells_money_and_counts(self, before, after):
        assert tell(before, after) is Change.MONEY


class TestSummedFields:
    def test_keeps_every_value_of_the_rows_that_are_summed(self):
        (row,) = merge_equal_keys([cost("1", extra={"lane": "b"}), cost("2", extra={"lane": "a"}), cost("4")])

        assert (row.amount_usd, row.extra) == (Decimal(7), {"lane": ("a", "b", None)})

    def test_does_not_grow_with_a_field_that_differs_on_every_row(self):
        (row,) = merge_equal_keys([cost(extra={"id": f"{n:03}"}) for n in reversed(range(100))])

        assert row.extra["id"] == (*(f"{n:03}" for n in range(MOST_VALUES)), AND_MORE)


@pytest.fixture
def connection(account: Account) -> Connection:
    return Connection.objects.create(
        account=account, origin="claude_platform", label="A", organization_id="o1", backfill_days=365,
        wanted_from="2025-11-01",
    )  # fmt: skip


def put(connection: Connection, *records, at: dt.datetime = READ, table=tables.COSTS):
    window = Window(connection.pk, records[0].source, frozenset({DAY}), at, at, table=table)
    with transaction.atomic():
        return replace_window(window, records)


def revised() -> list[dt.datetime | None]:
    return list(DayDigest.objects.values_list("revised_at", flat=True))


class TestAnotherWording:
    """A settled day that comes back with the same money is no revision, whatever else its rows say."""

    def test_is_stored_without_a_restatement(self, connection):
        put(connection, cost("1", model="a"), cost("2", model="b"))

        again = put(
            connection,
            cost("1", model="a", extra={"new": "x"}),
            cost("2", model="b", extra={"new": "y"}),
            at=AGAIN,
        )

        assert (Restatement.objects.count(), revised()) == (0, [None])
        assert (again.added, again.changed, again.removed, again.unchanged) == (0, 0, 0, 2)
        assert sorted(fact.extra["new"] for fact in CostFact.objects.all()) == ["x", "y"]

    def test_leaves_the_moment_since_which_the_money_is_known(self, connection):
        put(connection, cost())

        put(connection, cost(extra={"new": "x"}), at=AGAIN)

        assert CostFact.objects.get().observed_at == READ

    def test_keeps_the_sum_of_every_moment_when_a_row_is_split(self, connection):
        put(connection, cost("3"))

        put(connection, cost("1", speed="fast"), cost("2", speed="standard"), at=AGAIN)

        early = CostHistory.objects.filter(observed_at__lte=READ, superseded_at__gt=READ)
        late = CostHistory.objects.filter(observed_at__lte=AGAIN, superseded_at=None)
        assert Restatement.objects.count() == 0
        assert [sum(row.amount_usd for row in rows) for rows in (early, late)] == [3, 3]

    def test_is_no_revision_of_usage(self, connection):
        put(connection, used(5), table=tables.USAGE)

        put(connection, used(5, other_counts={"thinking_tokens": 2}), at=AGAIN, table=tables.USAGE)

        assert revised() == [None]
        assert UsageFact.objects.get().other_counts == {"thinking_tokens": 2}

    def test_does_not_hide_money_that_moved_beside_it(self, connection):
        put(connection, cost("1", model="a"), cost("2", model="b"))

        put(connection, cost("2", model="a", extra={"new": "x"}), cost("1", model="b"), at=AGAIN)

        found = Restatement.objects.get()
        assert (found.before_usd, found.after_usd, found.rows_changed) == (3, 3, 2)


def key_of_the_release_before(record: CostRecord) -> bytes:
    """Unknown fields were a part of a row's identity until digests had a version."""
    columns = {name: value for name in record.KEY if (value := getattr(record, name)) is not None}
    columns |= {"origin": record.origin.value, "source": record.source}
    columns |= {"extra": dict(record.extra)} if record.extra else {}
    text = json.dumps(columns, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).digest()


def store_as_the_release_before(connection: Connection, *records: CostRecord) -> None:
    rows = {key_of_the_release_before(record): record for record in records}
    lines = sorted(f"{key.hex()} {' '.join(row.value_texts())}\n" for key, row in rows.items())
    CostFact.objects.bulk_create(
        CostFact(
            connection=connection, source=row.source, day=row.day, row_key=key, origin=row.origin.value, model=row.model,
            extra=dict(row.extra), amount_usd=row.amount_usd, observed_at=READ,
        )
        for key, row in rows.items()
    )  # fmt: skip
    DayDigest.objects.create(
        connection=connection, source="cost_report", day=DAY, row_count=len(rows), as_of=READ,
        digest=blake2b("".join(lines).encode(), digest_size=16).digest(),
        amount_usd=sum(row.amount_usd for row in rows.values()),
    )  # fmt: skip


class TestUpgrade:
    """The first sync after an upgrade, over days that the release before had stored."""

    @pytest.mark.parametrize(
        "rows",
        [
            pytest.param([cost("1", model="a"), cost("2", model="b")], id="rows of known fields"),
            pytest.param([cost("1", model="a", extra={"new": "x"})], id="a row with an unknown field"),
            pytest.param(
                [cost("1", model="a", extra={"new": "x"}), cost("2", model="a", extra={"new": "y"})],
                id="rows that differed by an unknown field alone",
            ),
        ],
    )
    def test_revises_nothing(self, connection, rows):
        store_as_the_release_before(connection, *rows)

        put(connection, *rows, at=AGAIN)
        put(connection, *rows, at=AGAIN + dt.timedelta(days=1))

        assert (Restatement.objects.count(), revised()) == (0, [None])
        assert sum(fact.amount_usd for fact in CostFact.objects.all()) == sum(row.amount_usd for row in rows)
        assert DayDigest.objects.get().version == 2

    def test_leaves_rows_of_known_fields_as_they_are(self, connection):
        rows = [cost("1", model="a"), cost("2", model="b")]
        store_as_the_release_before(connection, *rows)
        before = list(CostFact.objects.order_by("pk").values_list())

        put(connection, *rows, at=AGAIN)

        assert list(CostFact.objects.order_by("pk").values_list()) == before

    def test_still_tells_money_that_changed_meanwhile(self, connection):
        store_as_the_release_before(connection, cost("1", model="a"))

        put(connection, cost("1.5", model="a"), at=AGAIN)

        assert (Restatement.objects.get().after_usd, revised()) == (Decimal("1.5"), [AGAIN])

    def test_gives_stored_days_the_version_of_the_release_before(self, connection):
        store_as_the_release_before(connection, cost())

        assert DayDigest.objects.get().version == 1
