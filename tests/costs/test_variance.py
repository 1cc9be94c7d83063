from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costs import selectors
from costs.selectors import CostQuery
from costs.variance import Comparison, Explain, GroupDelta, GroupDeltas, read_group_deltas, read_series
from foundation.money import sum_usd
from foundation.periods import DayRange
from tests.costs.test_ingest import make_connection, put, record

MONDAY = dt.date(2026, 11, 16)
ONE = dt.timedelta(days=1)
WEEK = DayRange(MONDAY, MONDAY + 7 * ONE)
BEFORE = DayRange(MONDAY - 7 * ONE, MONDAY)
NOTHING = DayRange(MONDAY, MONDAY)


@pytest.fixture
def query(account) -> CostQuery:
    connection = make_connection(account)
    rows = [
        record("5", BEFORE.start, model="a", workspace_id="w1"),
        record("1", BEFORE.start + ONE, model="b", workspace_id="w1"),
        record("9", MONDAY, model="a", workspace_id="w1"),
        record("2", MONDAY, model="a", workspace_id="w2"),
        record("0.5", MONDAY + ONE, model=None),
    ]
    put(connection, *rows, days=frozenset([*BEFORE.days(), *WEEK.days()]))
    return CostQuery(account.pk, WEEK)


class TestReadMovements:
    def test_gathers_by_any_of_its_dimensions(self, query):
        moved = read_group_deltas(query, BEFORE, ["model", "workspace_id"])

        assert moved.by(["model"]) == [
            GroupDelta(("a",), Decimal(11), Decimal(5)),
            GroupDelta((None,), Decimal("0.5"), Decimal(0)),
            GroupDelta(("b",), Decimal(0), Decimal(1)),
        ]
        assert [each.key for each in moved.by(["workspace_id"])] == [("w1",), ("w2",), (None,)]

    def test_adds_up_to_both_ranges(self, query):
        moved = read_group_deltas(query, BEFORE, ["model", "workspace_id"])

        assert sum_usd(each.now_usd for each in moved.cells) == selectors.total(query)
        assert sum_usd(each.before_usd for each in moved.cells) == 6

    def test_compares_with_nothing_when_there_is_nothing_before(self, query):
        moved = read_group_deltas(query, NOTHING, ["model"])

        assert {each.before_usd for each in moved.cells} == {0}
        assert sum_usd(each.now_usd for each in moved.cells) == Decimal("11.5")

    def test_leaves_out_the_days_between_two_ranges(self, account, query):
        long_ago = DayRange(BEFORE.start - 30 * ONE, BEFORE.start - 23 * ONE)

        moved = read_group_deltas(query, long_ago, ["model"])

        assert {each.before_usd for each in moved.cells} == {0}

    def test_does_not_see_another_account(self, other_account, query):
        assert read_group_deltas(CostQuery(other_account.pk, WEEK), BEFORE, ["model"]).cells == ()

    def test_refuses_what_is_no_dimension(self, query):
        with pytest.raises(KeyError):
            read_group_deltas(query, BEFORE, ["password"])


class TestCauses:
    def test_name_the_part_that_moved_most(self, query):
        causes = read_group_deltas(query, BEFORE, ["model", "workspace_id"]).causes(
            ["model"], ["workspace_id"]
        )

        assert (causes["a",].dimension, causes["a",].value) == ("workspace_id", "w1")
        assert causes["a",].difference_usd == 4

    def test_follow_the_direction_of_their_group(self):
        """The group fell by 3: w1 fell by 5 and w2 rose by 2."""
        moved = GroupDeltas(
            ("model", "workspace_id"),
            (
                GroupDelta(("a", "w1"), Decimal(0), Decimal(5)),
                GroupDelta(("a", "w2"), Decimal(4), Decimal(2)),
            ),
        )

        cause = moved.causes(["model"], ["workspace_id"])["a",]

        assert (cause.value, cause.difference_usd) == ("w1", -5)

    def test_take_the_first_dimension_that_tells_half_of_it(self):
        """Workspaces share the rise of 10 as 4, 3 and 3; of the keys one has 9."""
        moved = GroupDeltas(
            ("model", "workspace_id", "api_key_id"),
            (
                GroupDelta(("a", "w1", "k1"), Decimal(4), Decimal(0)),
                GroupDelta(("a", "w2", "k1"), Decimal(3), Decimal(0)),
                GroupDelta(("a", "w3", "k1"), Decimal(2), Decimal(0)),
                GroupDelta(("a", "w3", "k2"), Decimal(1), Decimal(0)),
            ),
        )

        assert moved.causes(["model"], ["workspace_id", "api_key_id"])["a",].value == "k1"

    def test_are_not_sought_in_a_dimension_with_one_value(self, query):
        moved = read_group_deltas(query, BEFORE, ["model", "origin"])

        assert moved.causes(["model"], ["origin"]) == {}

    def test_are_no_absence_of_what_a_report_does_not_tell(self):
        cells = (
            GroupDelta(("a", None, "w1"), Decimal(9), Decimal(0)),
            GroupDelta(("a", "k", "w2"), Decimal(1), Decimal(0)),
        )
        moved = GroupDeltas(("model", "api_key_id", "workspace_id"), cells)

        by = ["api_key_id", "workspace_id"]
        assert moved.causes(["model"], by)["a",].value is None
        assert moved.causes(["model"], by, untold={"api_key_id"})["a",].value == "w1"

    def test_are_not_given_to_what_did_not_change(self):
        cells = (
            GroupDelta(("a", "w1"), Decimal(1), Decimal(1)),
            GroupDelta(("b", "w2"), Decimal(1), Decimal(0)),
        )

        assert set(GroupDeltas(("model", "workspace_id"), cells).causes(["model"], ["workspace_id"])) == {
            ("b",)
        }

    @given(
        st.dictionaries(
            st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")),
            st.tuples(st.decimals(0, 100, places=3), st.decimals(0, 100, places=3)),
            min_size=1,
        )
    )
    def test_always_move_with_their_group(self, cells):
        moved = GroupDeltas(("model", "speed"), tuple(GroupDelta(key, *both) for key, both in cells.items()))
        groups = {each.key: each for each in moved.by(["model"])}

        for key, cause in moved.causes(["model"], ["speed"]).items():
            assert (cause.difference_usd > 0) == (groups[key].difference_usd > 0)


class TestComparison:
    def test_explains_as_one_pass_over_everything_does(self, query):
        together = read_group_deltas(query, BEFORE, ["model", "workspace_id", "token_type"])
        compared = Comparison(query, BEFORE)

        moved = compared.by(["model"])

        assert moved == together.by(["model"])
        explain = Explain(["model"], ["workspace_id", "token_type"])
        assert compared.causes(moved, explain) == together.causes(["model"], ["workspace_id", "token_type"])

    def test_asks_facts_only_about_what_nothing_else_explains(self, account):
        connection = make_connection(account)
        put(connection, record("9", model="a", description="x"), record("1", model="a", description="y"))
        compared = Comparison(CostQuery(account.pk, WEEK), BEFORE)
        moved = compared.by(["model"])

        described = compared.causes(moved, Explain(["model"], ["workspace_id", "description"]))

        assert (described["a",].dimension, described["a",].value) == ("description", "x")

    def test_reads_what_it_has_only_once(self, query, django_assert_num_queries):
        compared = Comparison(query, BEFORE)
        compared.causes(compared.by(["model"]), Explain(["model"], ["workspace_id"]))

        with django_assert_num_queries(0):
            assert {each.key for each in compared.by(["model", "workspace_id"])} >= {("a", "w1")}


class TestReadSeries:
    def test_puts_earlier_days_onto_the_days_of_the_range(self, query):
        cells = read_series(query, BEFORE, group_by=["model"], granularity="day")

        assert {(cell.bucket, cell.key): (cell.now_usd, cell.before_usd) for cell in cells} == {
            (MONDAY, ("a",)): (11, 5),
            (MONDAY + ONE, ("b",)): (0, 1),
            (MONDAY + ONE, (None,)): (Decimal("0.5"), 0),
        }

    @pytest.mark.parametrize("granularity", ["week", "month"])
    def test_gathers_buckets(self, query, granularity):
        cells = read_series(query, BEFORE, group_by=[], granularity=granularity)

        assert [(cell.now_usd, cell.before_usd) for cell in cells] == [(Decimal("11.5"), 6)]
        assert cells[0].bucket == selectors.bucket_of(MONDAY, granularity)

    def test_keeps_earlier_days_that_have_no_counterpart_apart(self, account, query):
        """Two days are compared with a week: the second earlier cost is on its second day, the rest beyond."""
        connection = make_connection_again(account)
        put(connection, record("7", BEFORE.end - ONE), days=frozenset(BEFORE.days()))
        short = CostQuery(account.pk, DayRange(MONDAY, MONDAY + 2 * ONE))

        cells = read_series(short, BEFORE, group_by=[], granularity="day")

        assert {cell.bucket: cell.before_usd for cell in cells} == {MONDAY: 5, MONDAY + ONE: 1, None: 7}

    @pytest.mark.parametrize(
        ("granularity", "found"),
        [
            ("month", {dt.date(2026, 8, 1): 3, dt.date(2026, 9, 1): 4}),
            ("day", {dt.date(2026, 8, 30): 3, dt.date(2026, 8, 31): 4}),
        ],
    )
    def test_puts_months_beside_months(self, account, granularity, found):
        """June is shorter than August: by position the 1st of July stands on the 31st of August."""
        put_in(account, {dt.date(2026, 6, 30): "3", dt.date(2026, 7, 1): "4"})
        shown = DayRange(dt.date(2026, 8, 1), dt.date(2026, 10, 1))
        before = DayRange(dt.date(2026, 6, 1), dt.date(2026, 8, 1))

        cells = read_series(CostQuery(account.pk, shown), before, group_by=[], granularity=granularity)

        assert {cell.bucket: cell.before_usd for cell in cells} == found

    @pytest.mark.parametrize(
        ("granularity", "found"),
        [
            ("month", {dt.date(2026, 11, 1): 9}),
            ("week", {dt.date(2026, 11, 30): 4, None: 5}),
            ("day", {dt.date(2026, 11, 30): 4, None: 5}),
        ],
    )
    def test_of_a_longer_month_stands_beside_a_shorter_one(self, account, granularity, found):
        """October has a day more than November: only months take it in."""
        put_in(account, {dt.date(2026, 10, 30): "4", dt.date(2026, 10, 31): "5"})
        shown = DayRange(dt.date(2026, 11, 1), dt.date(2026, 12, 1))
        before = DayRange(dt.date(2026, 10, 1), dt.date(2026, 11, 1))
        query = CostQuery(account.pk, shown)

        cells = read_series(query, before, group_by=[], granularity=granularity)
        summed = selectors.summarise(query, granularity=granularity, before=before)

        assert {cell.bucket: cell.before_usd for cell in cells} == found
        assert {row.bucket: row.previous_usd for row in summed.rows} == found
        assert summed.previous_total_usd == 9

    def test_refuses_ranges_that_overlap(self, query):
        with pytest.raises(ValueError, match="of its own"):
            read_series(query, DayRange(MONDAY - ONE, MONDAY + ONE), group_by=[], granularity="day")


def make_connection_again(account):
    from integrations.models import Connection

    return Connection.objects.create(
        account=account, origin="claude_platform", label="B", organization_id="o2", backfill_days=365,
        wanted_from="2025-11-01",
    )  # fmt: skip


def put_in(account, amounts: dict[dt.date, str]) -> None:
    rows = [record(amount, day) for day, amount in amounts.items()]
    put(make_connection_again(account), *rows, days=frozenset(amounts))
