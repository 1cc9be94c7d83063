from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from costs.money import sum_usd
from costs.periods import DayRange
from costs.records import CostRecord, Origin
from integrations.anthropic.normalise import read_cost_report, read_workspaces
from integrations.errors import Fate, Reason, UpstreamError

PAYLOADS = Path(__file__).parent.parent / "payloads"
THREE_DAYS = DayRange(date(2026, 11, 17), date(2026, 11, 20))


def recorded(name):
    return [path.read_bytes() for path in sorted(PAYLOADS.glob(f"{name}.page-*.json"))]


def expected(name):
    return json.loads((PAYLOADS / f"{name}.expected.json").read_text(encoding="utf-8"))


def expected_cost(row):
    amounts = {name: Decimal(row[name]) for name in ("amount_usd", "list_amount_usd") if name in row}
    columns = {**row, **amounts, "day": date.fromisoformat(row["day"])}
    return CostRecord(origin=Origin.CLAUDE_PLATFORM, source="cost_report", **columns)


def bucket(day, *rows, hours=24):
    start = datetime.fromisoformat(f"{day}T00:00:00Z")
    end = datetime.fromtimestamp(start.timestamp() + hours * 3600, tz=start.tzinfo)
    return {"starting_at": start.isoformat(), "ending_at": end.isoformat(), "results": list(rows)}


def row(amount="100", **fields):
    return {"amount": amount, "currency": "USD", **fields}


def body(*data, has_more=False, **fields):
    return json.dumps({"data": data, "has_more": has_more, **fields}).encode()


def whole(*rows):
    return body(bucket("2026-11-17", *rows), bucket("2026-11-18"), bucket("2026-11-19"))


def refused(*bodies, window=THREE_DAYS, request_ids=()) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read_cost_report(window, bodies, request_ids=request_ids)
    return caught.value


class TestReadCostReport:
    def test_turns_the_recorded_pages_into_the_expected_records(self):
        report = read_cost_report(THREE_DAYS, recorded("cost_report"))

        assert report.records == [expected_cost(row) for row in expected("cost_report")]

    def test_keeps_the_sum_of_the_recorded_cents(self):
        pages = [json.loads(page) for page in recorded("cost_report")]
        cents = [row["amount"] for page in pages for bucket in page["data"] for row in bucket["results"]]

        total = sum_usd(
            record.amount_usd for record in read_cost_report(THREE_DAYS, recorded("cost_report")).records
        )

        assert Fraction(total) == sum(map(Fraction, cents)) / 100

    def test_does_not_depend_on_the_order_of_pages(self):
        pages = recorded("cost_report")

        assert read_cost_report(THREE_DAYS, pages[::-1]) == read_cost_report(THREE_DAYS, pages)

    def test_covers_days_without_cost(self):
        report = read_cost_report(THREE_DAYS, recorded("cost_report"))

        assert report.covered == set(THREE_DAYS.days())

    def test_keeps_null_and_empty_workspaces_apart(self):
        report = read_cost_report(THREE_DAYS, [whole(row(workspace_id=None), row(workspace_id=""))])

        assert [record.workspace_id for record in report.records] == [None, ""]

    def test_leaves_days_upstream_does_not_know_yet_uncovered(self):
        report = read_cost_report(THREE_DAYS, [body(bucket("2026-11-17", row()))])

        assert report.covered == {date(2026, 11, 17)}

    def test_covers_nothing_when_no_day_was_sent(self):
        report = read_cost_report(THREE_DAYS, [body()])

        assert (report.records, report.covered) == ([], frozenset())

    def test_reads_bounds_in_any_zone(self):
        shifted = {
            "starting_at": "2026-11-17T01:00:00+01:00",
            "ending_at": "2026-11-17T19:00:00-05:00",
            "results": [],
        }

        assert read_cost_report(THREE_DAYS, [body(shifted)]).covered == {date(2026, 11, 17)}

    @pytest.mark.parametrize(
        ("page", "words"),
        [
            (body(bucket("2026-11-16")), "was not asked for"),
            (body(bucket("2026-11-20")), "was not asked for"),
            (body(bucket("2026-11-17", hours=1)), "not one UTC day"),
            (body(bucket("2026-11-17", hours=48)), "not one UTC day"),
            (body({**bucket("2026-11-17"), "starting_at": "2026-11-17T00:00:01Z"}), "not one UTC day"),
            (body(bucket("2026-11-17"), bucket("2026-11-17")), "holds 2026-11-17 twice"),
            (body(bucket("2026-11-18")), "leaves out 2026-11-17"),
            (body(bucket("2026-11-17"), bucket("2026-11-19")), "leaves out 2026-11-18"),
            (whole(row(currency="EUR")), "is in 'EUR', not in USD"),
            (whole(row("12,5")), "of 2026-11-17 cannot be read"),
            (whole(row("NaN")), "of 2026-11-17 cannot be read"),
            (whole(row("1e400")), "of 2026-11-17 cannot be read"),
            (whole(row(list_amount="x")), "of 2026-11-17 cannot be read"),
            (whole({"currency": "USD"}), "amount is missing"),
            (body(has_more=True, next_page="page_2"), "pages are not complete"),
        ],
    )
    def test_refuses_what_it_cannot_trust(self, page, words):
        error = refused(page)

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.FATAL)
        assert words in error.detail

    def test_refuses_a_day_twice_across_pages(self):
        first = body(bucket("2026-11-17"), has_more=True, next_page="page_2")

        assert "twice" in refused(first, body(bucket("2026-11-17"))).detail

    def test_refuses_two_last_pages(self):
        assert "not complete" in refused(body(bucket("2026-11-17")), body(bucket("2026-11-18"))).detail

    def test_refuses_no_pages(self):
        assert "not complete" in refused().detail

    def test_names_the_request_of_the_page_it_refuses(self):
        first = body(bucket("2026-11-17"), has_more=True, next_page="page_2")

        error = refused(first, body(bucket("2026-11-16")), request_ids=["req_1", "req_2"])

        assert error.request_id == "req_2"
        assert "req_2" in error.remedy

    def test_calls_a_damaged_archive_what_it_is(self):
        assert refused(b'{"data":').fate is Fate.RETRYABLE


def workspace(number, name="Default", **fields):
    return {"id": f"wrkspc_{number}", "name": name, **fields}


def default_of(*rows):
    return [
        record.resource_id for record in read_workspaces([body(*rows, last_id=None)]) if record.is_default
    ]


class TestReadWorkspaces:
    def test_turns_the_recorded_pages_into_the_expected_records(self):
        records = [asdict(record) for record in read_workspaces(recorded("workspaces"))]

        for record in records:
            record["archived_at"] = record["archived_at"] and record["archived_at"].isoformat()
        assert records == expected("workspaces")

    def test_takes_the_last_spelling_when_the_list_moved_while_paging(self):
        pages = [
            body(workspace(1, "Old"), has_more=True, last_id="wrkspc_1"),
            body(workspace(1, "New"), last_id=None),
        ]

        assert [record.name for record in read_workspaces(pages)] == ["New"]

    def test_refuses_a_row_without_an_id_and_names_the_request(self):
        with pytest.raises(UpstreamError, match="id is missing") as caught:
            read_workspaces([body({"name": "A"})], request_ids=["req_1"])

        assert caught.value.request_id == "req_1"

    def test_finds_the_default_workspace_by_its_name(self):
        assert default_of(workspace(1, "A"), workspace(2)) == ["wrkspc_2"]

    def test_takes_the_oldest_of_several(self):
        older = workspace(1, created_at="2024-01-01T00:00:00Z")

        assert default_of(workspace(2, created_at="2025-01-01T00:00:00Z"), older) == ["wrkspc_1"]

    def test_passes_over_archived_ones(self):
        assert default_of(workspace(1, archived_at="2026-01-01T00:00:00Z"), workspace(2)) == ["wrkspc_2"]

    @pytest.mark.parametrize(
        "rows",
        [
            [workspace(1, "A")],
            [workspace(1), workspace(2)],
            [workspace(1), workspace(2, created_at="2025-01-01T00:00:00Z")],
        ],
    )
    def test_names_none_rather_than_guess(self, rows):
        assert default_of(*rows) == []
