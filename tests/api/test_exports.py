"""Files of all rows: what is in them, that they add up, and how they end when something breaks."""

from __future__ import annotations

import csv
import datetime as dt
import io
from contextlib import closing
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from django.db import connections, transaction
from pyarrow import parquet

from costs.ingest import Window, replace_window
from costs.models import CostFact, UsageFact
from costs.names import record_names
from costs.records import NameRecord, Origin
from costs.tables import USAGE
from costs.usage_records import UsageRecord
from foundation import csv_text, streaming
from foundation.concurrency import ConcurrencyLimit
from foundation.money import sum_usd, usd_text
from foundation.streaming import Export, Stream
from tests.api.conftest import DAY, pointers, problem, record, store, stored_connection, utc
from tests.api.test_costs import FIRST, OCTOBER, named

FILES = ("costs.csv", "usage.csv", "focus.csv", "costs.parquet")
# A snapshot is a transaction of its own, which a test inside one could not see.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(transactional_db, account):
    return account


@pytest.fixture
def filled(account):
    """Two days with names, a list price, a credit, an empty text and texts that are formulas to a spreadsheet."""
    connection = stored_connection(account, cost_center="R&D")
    named(connection, "wrkspc_1", '=cmd|"x"!A1')
    told = [NameRecord(kind="api_key", resource_id="apikey_1", name="+1, or less")]
    record_names(connection.pk, told, observed_at=utc("2026-11-01"))
    store(
        connection,
        record(FIRST, "1.10", model="opus", workspace_id="wrkspc_1", description="-a", token_type="output_tokens"),
        record(FIRST, "0.000000000123", model="opus", description='two "quoted"\nlines', speed=""),
        record(FIRST + DAY, "-0.30", description="credit", api_key_id="apikey_1", list_amount_usd=Decimal("-0.5")),
    )  # fmt: skip
    usage = UsageRecord(
        day=FIRST, origin=Origin.CLAUDE_PLATFORM, source="usage_report", model="opus", output_tokens=7,
        cache_read_input_tokens=5,
    )  # fmt: skip
    moment = utc("2026-12-01")
    with transaction.atomic():
        replace_window(
            Window(connection.pk, "usage_report", frozenset({FIRST}), moment, moment, table=USAGE), [usage]
        )
    return connection


def fetched(caller, name: str, **query: Any) -> bytes:
    answer = caller.get(f"exports/{name}", **{**OCTOBER, **query})
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def lines_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def table_of(content: bytes) -> pa.Table:
    return parquet.read_table(io.BytesIO(content))


class TestCostsCsv:
    def test_has_the_columns_and_values_of_the_list(self, viewer, filled):
        rows = viewer.get("costs/", **OCTOBER).json()["results"]

        found = lines_of(fetched(viewer, "costs.csv"))

        assert list(found[0]) == list(rows[0])
        assert [line["amount_usd"] for line in found] == [row["amount_usd"] for row in rows]
        assert found[1] == {
            **{name: value or "" for name, value in rows[1].items()},
            "observed_at": found[1]["observed_at"],
        }
        assert dt.datetime.fromisoformat(found[1]["observed_at"]) == dt.datetime.fromisoformat(
            rows[1]["observed_at"]
        )

    def test_tells_null_from_an_empty_text(self, viewer, filled):
        second = fetched(viewer, "costs.csv", description='two "quoted"\nlines').decode()

        assert ',,,,,,opus,,,,,,"","two ""quoted""\nlines",,R&D,0.000000000123,,settled,' in second

    def test_holds_no_formula(self, viewer, filled):
        texts = lines_of(fetched(viewer, "costs.csv"))

        assert [line["description"] for line in texts] == ["'-a", 'two "quoted"\nlines', "credit"]
        assert texts[0]["workspace_name"] == '\'=cmd|"x"!A1'
        assert texts[2]["api_key_name"] == "'+1, or less"
        assert texts[2]["amount_usd"] == "-0.30"

    @pytest.mark.parametrize(
        "query",
        [
            {"model": "opus"},
            {"model": "null"},
            {"workspace_id": ["null", "wrkspc_1"]},
            {"description": "credit"},
        ],
    )
    def test_filters_like_the_list(self, viewer, filled, query):
        rows = viewer.get("costs/", **OCTOBER, **query).json()["results"]

        found = lines_of(fetched(viewer, "costs.csv", **query))

        assert [line["amount_usd"] for line in found] == [row["amount_usd"] for row in rows]

    def test_is_as_of_a_moment(self, viewer, filled):
        store(filled, record(FIRST, "99", description="later"), as_of=utc("2027-02-01"))

        then = lines_of(fetched(viewer, "costs.csv", as_of="2027-01-01", to="2026-10-02"))

        assert [line["amount_usd"] for line in then] == ["1.10", "0.000000000123"]

    def test_is_a_header_alone_without_rows(self, viewer, account):
        content = fetched(viewer, "costs.csv")

        assert content.decode().startswith("day,connection,origin,source,workspace_id,")
        assert content.count(b"\r\n") == 1


class TestUsageCsv:
    def test_has_the_columns_and_values_of_the_list(self, viewer, filled):
        row = viewer.get("usage/", **OCTOBER).json()["results"][0]

        line = lines_of(fetched(viewer, "usage.csv"))[0]

        assert list(line) == list(row)
        numbers = {name: str(value) for name, value in row.items() if isinstance(value, int)}
        assert {name: line[name] for name in numbers} == numbers
        assert (line["total_tokens"], line["requests"]) == ("12", "")


def whole(table: pa.Table, name: str) -> list[str | None]:
    """The amounts of a file as a reader puts them together."""
    both = zip(table[name].to_pylist(), table[f"{name}_text"].to_pylist(), strict=True)
    return [text or (None if amount is None else usd_text(amount)) for amount, text in both]


class TestUnknownFields:
    @pytest.fixture
    def told(self, filled):
        CostFact.objects.filter(description="credit").update(
            extra={"lane": ["a", None], "new_dimension": "é"}
        )
        UsageFact.objects.update(other_counts={"thinking_tokens": 300}, extra={"new_dimension": "standard"})

    def test_are_in_the_last_column_of_costs(self, viewer, told):
        texts = [line["extra"] for line in lines_of(fetched(viewer, "costs.csv"))]

        assert texts == ["", "", '{"lane": ["a", null], "new_dimension": "é"}']

    def test_are_in_the_last_columns_of_usage(self, viewer, told):
        line = lines_of(fetched(viewer, "usage.csv"))[0]

        assert line["other_counts"] == '{"thinking_tokens": 300}'
        assert line["extra"] == '{"new_dimension": "standard"}'

    def test_are_texts_in_parquet(self, viewer, told):
        texts = table_of(fetched(viewer, "costs.parquet"))["extra"].to_pylist()

        assert texts == [None, None, '{"lane": ["a", null], "new_dimension": "é"}']


class TestParquet:
    def test_is_typed_and_exact(self, viewer, filled):
        table = table_of(fetched(viewer, "costs.parquet"))

        assert table.schema.field("day").type == pa.date32()
        assert table.schema.field("observed_at").type == pa.timestamp("us", tz="UTC")
        assert table.schema.field("amount_usd").type == pa.decimal128(38, 16)
        assert table["amount_usd"].to_pylist() == [
            Decimal("1.10"),
            Decimal("0.000000000123"),
            Decimal("-0.30"),
        ]
        assert table["list_amount_usd"].to_pylist() == [None, None, Decimal("-0.5")]
        assert table["speed"].to_pylist() == [None, "", None]
        assert table["description"].to_pylist()[0] == "-a"

    def test_has_the_columns_of_the_list_and_two_for_what_no_decimal_holds(self, viewer, filled):
        row = viewer.get("costs/", **OCTOBER).json()["results"][0]

        names = table_of(fetched(viewer, "costs.parquet")).column_names

        assert names == [*row, "amount_usd_text", "list_amount_usd_text"]

    def test_has_more_digits_after_the_point_where_an_amount_needs_them(self, viewer, filled):
        finest = "12345678." + "0" * 27 + "1"
        store(filled, record(FIRST + 2 * DAY, finest, description="fine"))

        table = table_of(fetched(viewer, "costs.parquet"))

        assert table.schema.field("amount_usd").type == pa.decimal128(38, 28)
        assert table["amount_usd"].to_pylist()[-1] == Decimal(finest)
        assert table["amount_usd_text"].null_count == table.num_rows

    def test_holds_as_text_what_no_decimal_of_38_digits_holds(self, viewer, filled):
        finest = "123456789012345678." + "0" * 31 + "1"
        store(filled, record(FIRST + 2 * DAY, finest, description="fine"))

        table = table_of(fetched(viewer, "costs.parquet"))

        assert table.schema.field("amount_usd").type == pa.decimal128(38, 16)
        assert table["amount_usd"].to_pylist()[-2:] == [Decimal("-0.30"), None]
        assert table["amount_usd_text"].to_pylist()[-2:] == [None, finest]

    def test_loses_no_digit_of_any_amount(self, viewer, filled):
        """Both columns together are the list, whatever a row needs."""
        CostFact.objects.filter(description="credit").update(list_amount_usd=Decimal("0." + "0" * 40 + "1"))
        store(filled, record(FIRST + 2 * DAY, "1234567890123456789012.5", description="large"))

        table = table_of(fetched(viewer, "costs.parquet"))

        listed = viewer.get("costs/", **OCTOBER).json()["results"]
        assert whole(table, "amount_usd") == [row["amount_usd"] for row in listed]
        assert whole(table, "list_amount_usd") == [row["list_amount_usd"] for row in listed]

    def test_is_a_table_without_rows(self, viewer, account):
        table = table_of(fetched(viewer, "costs.parquet"))

        assert table.num_rows == 0
        assert table.schema.field("amount_usd").type == pa.decimal128(38, 16)


class TestFocus:
    def test_says_what_is_known_and_leaves_the_rest_null(self, viewer, filled):
        first, _, credit = lines_of(fetched(viewer, "focus.csv"))

        assert {name: first[name] for name in first if first[name] and not name.startswith("x_")} == {
            "BilledCost": "1.10",
            "BillingAccountId": filled.organization_id,
            "BillingAccountName": "Organisation 1",
            "BillingAccountType": "Organization",
            "BillingCurrency": "USD",
            "BillingPeriodEnd": "2026-11-01T00:00:00Z",
            "BillingPeriodStart": "2026-10-01T00:00:00Z",
            "ChargeCategory": "Usage",
            "ChargeDescription": "'-a",
            "ChargeFrequency": "Usage-Based",
            "ChargePeriodEnd": "2026-10-02T00:00:00Z",
            "ChargePeriodStart": "2026-10-01T00:00:00Z",
            "ContractedCost": "1.10",
            "EffectiveCost": "1.10",
            "InvoiceIssuerName": "Anthropic",
            "ListCost": "1.10",
            "PricingCategory": "Standard",
            "ProviderName": "Anthropic",
            "PublisherName": "Anthropic",
            "ServiceCategory": "AI and Machine Learning",
            "ServiceName": "Claude Platform",
            "ServiceSubcategory": "Generative AI",
            "SkuId": "opus/output_tokens",
            "SkuMeter": "output_tokens",
            "SkuPriceId": "opus/output_tokens",
            "SubAccountId": "wrkspc_1",
            "SubAccountName": '\'=cmd|"x"!A1',
            "SubAccountType": "Workspace",
        }
        assert (first["x_ListCostIsStated"], first["x_CostCenter"]) == ("false", "R&D")
        assert (credit["BilledCost"], credit["ListCost"], credit["x_ListCostIsStated"]) == (
            "-0.30",
            "-0.50",
            "true",
        )
        assert (credit["SkuId"], credit["SubAccountId"], credit["SubAccountName"]) == ("credit", "", "")

    def test_writes_terms_of_a_price_as_an_object(self, viewer, account):
        connection = stored_connection(account)
        store(connection, record(FIRST, "1", model="opus", service_tier="batch", inference_geo="us"))

        charge = lines_of(fetched(viewer, "focus.csv"))[0]

        assert (charge["SkuId"], charge["SkuPriceId"]) == ("opus", "opus/batch/us")
        assert charge["SkuPriceDetails"] == '{"x_ServiceTier": "batch", "x_InferenceGeo": "us"}'

    def test_ends_december_with_the_year(self, viewer, account):
        store(stored_connection(account), record(dt.date(2025, 12, 31), "1"))

        charge = lines_of(fetched(viewer, "focus.csv", **{"from": "2025-12-31", "to": "2026-01-01"}))[0]

        assert charge["BillingPeriodEnd"] == charge["ChargePeriodEnd"] == "2026-01-01T00:00:00Z"


class TestSums:
    @pytest.mark.parametrize("query", [{}, {"model": "opus"}, {"as_of": "2027-01-01"}])
    def test_of_all_files_are_the_summarys(self, viewer, filled, query):
        store(filled, record(FIRST, "0.1234567890123456", model="opus"), as_of=utc("2027-02-01"))
        total = Decimal(viewer.get("costs/summary/", **OCTOBER, **query).json()["total_usd"])

        costs = [Decimal(line["amount_usd"]) for line in lines_of(fetched(viewer, "costs.csv", **query))]
        focus = [Decimal(line["BilledCost"]) for line in lines_of(fetched(viewer, "focus.csv", **query))]
        table = table_of(fetched(viewer, "costs.parquet", **query))["amount_usd"].to_pylist()

        assert total
        assert [sum_usd(costs), sum_usd(focus), sum_usd(table)] == [total] * 3


class TestEveryFile:
    @pytest.mark.parametrize("name", FILES)
    def test_says_what_it_is(self, viewer, filled, name):
        answer = viewer.get(f"exports/{name}", **OCTOBER)
        list(answer.streaming_content)

        kind = "application/vnd.apache.parquet" if name.endswith("parquet") else "text/csv; charset=utf-8"
        stem, suffix = name.split(".")
        assert answer["Content-Type"] == kind
        assert (
            answer["Content-Disposition"] == f'attachment; filename="{stem}_2026-10-01_2026-11-01.{suffix}"'
        )
        assert answer["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("name", FILES)
    def test_is_empty_for_another_account(self, charlie, filled, name):
        content = fetched(charlie, name)

        rows = table_of(content).num_rows if name.endswith("parquet") else content.count(b"\r\n") - 1
        assert rows == 0

    @pytest.mark.parametrize("name", FILES)
    def test_is_refused_without_a_token(self, nobody, db, name):
        problem(nobody.get(f"exports/{name}", **OCTOBER), 401)

    @pytest.mark.parametrize("name", FILES)
    def test_refuses_what_it_does_not_understand(self, viewer, name):
        wrong = problem(viewer.get(f"exports/{name}", **OCTOBER, page_size="5"), 400)

        assert pointers(wrong) == ["/page_size"]

    @pytest.mark.parametrize("name", FILES)
    def test_has_a_head_without_a_body(self, viewer, filled, name):
        answer = viewer("HEAD", f"exports/{name}", **OCTOBER)

        assert (answer.status_code, b"".join(answer.streaming_content)) == (200, b"")
        assert "Content-Length" not in answer
        assert answer["Content-Disposition"].startswith("attachment")

    @pytest.mark.parametrize("name", FILES)
    def test_is_not_sent_where_a_short_one_would_look_whole(self, viewer, filled, name):
        viewer.client.defaults["SERVER_PROTOCOL"] = "HTTP/1.0"

        refused = problem(viewer.get(f"exports/{name}", **OCTOBER), 426)

        assert refused["code"] == "http_1_1_required"

    def test_is_not_sent_in_a_form_nobody_asked_for(self, viewer, filled):
        refused = viewer("GET", "exports/costs.csv", headers={"Accept": "application/json"}, **OCTOBER)
        accepted = viewer("GET", "exports/costs.csv", headers={"Accept": "text/csv"}, **OCTOBER)

        assert problem(refused, 406)["code"] == "not_acceptable"
        assert len(list(accepted.streaming_content)) == 1


class TestSnapshot:
    def test_sees_one_moment_of_the_database(self, viewer, filled, monkeypatch):
        """Rows that change while the file is sent are in it as they were when it began."""
        monkeypatch.setattr(csv_text, "_CHARACTERS_A_CHUNK", 1)
        answer = viewer.get("exports/costs.csv", **OCTOBER)
        chunks = iter(answer.streaming_content)
        begun = next(chunks)

        in_another_session("UPDATE costs_costfact SET amount_usd = 77")

        found = lines_of(begun + b"".join(chunks))
        assert [line["amount_usd"] for line in found] == ["1.10", "0.000000000123", "-0.30"]

    def test_writes_nothing(self, filled):
        def produce():
            CostFact.objects.update(amount_usd=0)
            yield b""

        with pytest.raises(Exception, match="read-only transaction"):
            Stream(Export("costs.csv", filled.account_id, produce))

    def test_holds_what_was_announced(self, account):
        """What is written down before the file begins is in it, and stays when the file breaks off."""
        told = []

        def produce():
            yield str(CostFact.objects.count()).encode()

        def announce():
            store(stored_connection(account), record(FIRST, "1"))
            told.append(CostFact.objects.count())

        with closing(Stream(Export("costs.csv", account.pk, produce, announce))) as stream:
            found = next(stream)

        assert (told, found) == ([1], b"1")
        assert CostFact.objects.count() == 1

    def test_is_sent_in_pieces_that_a_slow_client_can_take(self, account, monkeypatch):
        monkeypatch.setattr(streaming, "_BYTES_A_PIECE", 4)

        def produce():
            yield b"0123456789"
            yield b""
            yield b"ab"

        assert list(Stream(Export("costs.parquet", account.pk, produce))) == [b"0123", b"4567", b"89", b"ab"]

    def test_gives_its_place_back(self, viewer, filled, monkeypatch):
        monkeypatch.setattr(csv_text, "_CHARACTERS_A_CHUNK", 1)
        for _ in range(2 * streaming.MOST_AT_ONCE):
            answer = viewer.get("exports/costs.csv", **OCTOBER)
            next(iter(answer.streaming_content))
            answer.close()

        assert len(lines_of(fetched(viewer, "costs.csv"))) == 3
        assert not connections["default"].in_atomic_block


def in_another_session(statement: str) -> None:
    with closing(connections.create_connection("default")) as other, other.cursor() as cursor:
        cursor.execute(statement)


class TestTrouble:
    @pytest.fixture
    def places(self, monkeypatch) -> ConcurrencyLimit:
        """Three, two of them for one account; taken by no thread but the test's."""
        made = ConcurrencyLimit(3, 2)
        monkeypatch.setattr(streaming, "_places", made)
        return made

    @pytest.mark.parametrize("name", FILES)
    def test_too_many_at_once_are_asked_to_come_back(self, viewer, filled, places, name):
        with places.held(uuid4()), places.held(uuid4()), places.held(uuid4()):
            answer = viewer.get(f"exports/{name}", **OCTOBER)

        assert problem(answer, 503)["code"] == "exports_busy"
        assert answer["Retry-After"] == "15"

    @pytest.mark.parametrize("name", FILES)
    def test_an_account_with_its_share_is_asked_to_wait(self, viewer, charlie, account, places, name):
        with places.held(account.pk), places.held(account.pk):
            refused = viewer.get(f"exports/{name}", **OCTOBER)
            of_another = fetched(charlie, name)

        assert problem(refused, 429)["code"] == "too_many_exports"
        assert refused["Retry-After"] == "15"
        assert of_another
        assert fetched(viewer, name)

    def test_a_head_takes_no_place(self, viewer, account, places):
        with places.held(account.pk), places.held(account.pk):
            assert viewer("HEAD", "exports/costs.csv", **OCTOBER).status_code == 200

    def test_a_transfer_without_end_is_broken_off_in_the_middle_of_a_chunk(self, account, monkeypatch):
        monkeypatch.setattr(streaming, "_BYTES_A_PIECE", 4)

        def produce():
            yield b"0123456789"

        with closing(Stream(Export("costs.parquet", account.pk, produce))) as stream:
            assert next(stream) == b"0123"
            monkeypatch.setattr(streaming, "MOST_SECONDS", -1)

            with pytest.raises(streaming.ExportTooSlowError):
                next(stream)

    def test_a_transfer_without_end_is_broken_off(self, viewer, filled, monkeypatch):
        monkeypatch.setattr(csv_text, "_CHARACTERS_A_CHUNK", 1)
        answer = viewer.get("exports/costs.csv", **OCTOBER)
        chunks = iter(answer.streaming_content)
        next(chunks)
        monkeypatch.setattr(streaming, "MOST_SECONDS", -1)

        with pytest.raises(streaming.ExportTooSlowError):
            next(chunks)
