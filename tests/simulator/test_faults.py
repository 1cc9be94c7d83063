"""Every kind of fault does to the wire what it says; totals stay true where that is promised."""

import gzip
import http.client
import json
import time
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.error import HTTPError

import pytest

from devtools.simulator.faults.kinds import KINDS

from .caller import rows, total_usd
from .test_analytics import COST, Analyst

FULL = ("workspace_id", "description")
WINDOW = ("2026-11-16", "2026-11-20")


@pytest.fixture
def strike(sim):
    """Order a fault for the small organisation."""
    return lambda kind, **fields: sim.fault(kind, organisation="acorn-studio", **fields)


@pytest.fixture
def true_usd(sim):
    return sim.truth("acorn-studio", date(2026, 11, 16), date(2026, 11, 20)).total_usd


class TestReplies:
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("rate_limit_bare", (429, "rate_limit_error")),
            ("server_error", (500, "api_error")),
            ("overloaded", (529, "overloaded_error")),
            ("missing_scope", (403, "permission_error")),
            ("revoked", (401, "authentication_error")),
        ],
    )
    def test_refusals_have_upstreams_form(self, acorn, strike, kind, expected):
        strike(kind)

        reply = acorn.report(*WINDOW)

        assert reply.error[:2] == expected
        assert reply.json["request_id"] == reply.headers["request-id"]
        assert "retry-after" not in reply.headers
        assert acorn.report(*WINDOW).status == 200

    def test_rate_limit_retry_after(self, acorn, strike):
        strike("rate_limit_retry_after", seconds=7)

        reply = acorn.report(*WINDOW)

        assert (reply.status, reply.headers["retry-after"]) == (429, "7")

    def test_rate_limit_with_a_date(self, acorn, strike):
        strike("rate_limit_retry_after", seconds=70, as_date=True, clock=3600)

        headers = acorn.report(*WINDOW).headers

        until, now = (parsedate_to_datetime(headers[name]) for name in ("retry-after", "date"))
        assert (until - now).total_seconds() == 70
        assert 3500 < now.timestamp() - time.time() < 3700

    @pytest.mark.parametrize(
        ("options", "tokens", "days"),
        [
            ({"circle": 2}, ["endless_1", "endless_2", "endless_1"], []),
            ({}, ["endless_1", "endless_2", "endless_3"], []),
            ({"rows": "same"}, ["endless_1", "endless_2", "endless_3"], ["16", "16", "16"]),
            ({"rows": "new"}, ["endless_1", "endless_2", "endless_3"], ["16", "17", "18"]),
        ],
    )
    def test_endless_pages(self, acorn, strike, options, tokens, days):
        strike("endless_pages", times=3, **options)

        first = acorn.report(*WINDOW).json
        second = acorn.report(*WINDOW, page=first["next_page"]).json
        third = acorn.report(*WINDOW, page=second["next_page"]).json

        pages = (first, second, third)
        assert [page["next_page"] for page in pages] == tokens
        assert [row["starting_at"][8:10] for page in pages for row in page["data"]] == days
        assert all(page["has_more"] for page in pages)

    def test_one_query_can_be_struck_alone(self, acorn, strike):
        strike("server_error", query="ending_at=2026-11-18", times=-1)

        assert acorn.report("2026-11-16", "2026-11-18").status == 500
        assert acorn.report(*WINDOW).status == 200

    def test_rate_limit_reset_header(self, acorn, strike):
        strike("rate_limit_reset_header", at="2026-11-20T12:01:00Z")

        reply = acorn.report(*WINDOW)

        assert reply.status == 429
        assert reply.headers["anthropic-ratelimit-requests-reset"] == "2026-11-20T12:01:00Z"
        assert "retry-after" not in reply.headers

    def test_status(self, acorn, strike):
        strike(
            "status", status=403, type="permission_error", message="No.", error_code="organization_on_hold"
        )

        reply = acorn.report(*WINDOW)

        assert reply.error == (403, "permission_error", "No.")
        assert reply.json["error"]["details"] == {"error_code": "organization_on_hold"}

    @pytest.mark.parametrize(
        ("kind", "status", "content_type"),
        [
            ("gateway_html", 502, "text/html"),
            ("html_200", 200, "text/html"),
            ("not_json", 200, "application/json"),
        ],
    )
    def test_bodies_that_are_not_the_api(self, acorn, strike, kind, status, content_type):
        strike(kind)

        reply = acorn.report(*WINDOW)

        assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (status, content_type)
        with pytest.raises(ValueError):
            json.loads(reply.body)

    @pytest.mark.parametrize(("kind", "status"), [("cursor_expired", 410), ("cursor_mismatch", 400)])
    def test_cursor_faults_wait_for_a_cursor(self, acorn, strike, kind, status):
        strike(kind)
        page = acorn.report(*WINDOW, limit=2)

        reply = acorn.report(*WINDOW, limit=2, page=page.json["next_page"])

        assert (page.status, reply.status) == (200, status)

    def test_gzip_bomb(self, acorn, strike):
        strike("gzip_bomb", megabytes=32)

        reply = acorn.report(*WINDOW)

        assert reply.headers["content-encoding"] == "gzip"
        assert len(reply.body) < 100_000
        assert len(gzip.decompress(reply.body)) == 32 * 2**20


class TestDocuments:
    def test_repeat_page_token_gives_the_same_page_for_ever(self, acorn, strike):
        strike("repeat_page_token", times=-1)
        first = acorn.report(*WINDOW, limit=2).json

        pages = [acorn.report(*WINDOW, limit=2, page=first["next_page"]).json for _ in range(2)]

        assert pages[0] == pages[1]
        assert pages[0]["has_more"] is True
        assert pages[0]["next_page"] == first["next_page"]

    def test_repeat_page_token_works_on_a_single_page(self, acorn, strike):
        strike("repeat_page_token", times=-1)
        first = acorn.report(*WINDOW).json

        again = acorn.report(*WINDOW, page=first["next_page"]).json

        assert again == first
        assert first["has_more"] is True

    def test_has_more_without_token(self, acorn, strike):
        strike("has_more_without_token")

        page = acorn.report(*WINDOW).json

        assert (page["has_more"], page["next_page"]) == (True, None)

    def test_day_outside_window(self, acorn, strike):
        strike("day_outside_window")

        assert acorn.report(*WINDOW).json["data"][0]["starting_at"] == "2026-11-15T00:00:00Z"

    def test_bad_amount(self, acorn, strike):
        strike("bad_amount")

        found = rows(acorn.report(*WINDOW, *FULL).json["data"])

        with pytest.raises(InvalidOperation):
            Decimal(found[0]["amount"])

    def test_refreshed_between_pages(self, sim, strike):
        analyst = Analyst(sim.base_url, "acorn-studio")
        options = {"groups": ("model", "workspace_id"), "time_bucket_width": "1d", "limit": 3}
        strike("refreshed_between_pages", times=-1)

        first = analyst.ask(COST, **options).json
        second = analyst.ask(COST, **options, page=first["next_page"]).json
        third = analyst.ask(COST, **options, page=second["next_page"]).json

        moments = {datetime.fromisoformat(each["data_refreshed_at"]) for each in (first, second, third)}
        assert len(moments) == 3
        assert min(moments) == datetime.fromisoformat(first["data_refreshed_at"])

    def test_currency_eur(self, acorn, strike):
        strike("currency_eur")

        assert [row["currency"] for row in rows(acorn.report(*WINDOW, *FULL).json["data"])].count("EUR") == 1

    def test_faults_without_anything_to_spoil_are_not_used_up(self, acorn, strike, sim):
        strike("bad_amount")
        acorn.report("2030-01-01", "2030-01-03")

        assert sim.faults()[0]["struck"] == 0
        assert "USD" in rows(acorn.report(*WINDOW).json["data"])[0]["amount"]

    @pytest.mark.parametrize("groups", [(), FULL])
    def test_duplicate_rows_add_up(self, acorn, strike, true_usd, groups):
        strike("duplicate_rows")

        buckets = acorn.report(*WINDOW, *groups).json["data"]

        keys = [
            (b["starting_at"], *(v for n, v in row.items() if n != "amount"))
            for b in buckets
            for row in b["results"]
        ]
        assert {keys.count(key) for key in keys} == {2}
        assert total_usd(buckets) == true_usd

    @pytest.mark.parametrize("groups", [(), FULL])
    def test_negative_rows_add_up(self, acorn, strike, true_usd, groups):
        strike("negative_rows")

        buckets = acorn.report(*WINDOW, *groups).json["data"]

        assert any(Decimal(row["amount"]) < 0 for row in rows(buckets))
        assert total_usd(buckets) == true_usd

    @pytest.mark.parametrize("groups", [(), FULL])
    def test_unknown_values_add_up(self, acorn, strike, true_usd, groups):
        strike("unknown_values")

        page = acorn.report(*WINDOW, *groups).json

        assert "report_flavour" in page
        assert all("carbon_grams" in row for row in rows(page["data"]))
        assert ("quantum_tokens" in {row["cost_type"] for row in rows(page["data"])}) == bool(groups)
        assert total_usd(page["data"]) == true_usd

    def test_new_field_leaves_every_number(self, acorn, strike, true_usd):
        strike("new_field", name="lane", value="fast")

        buckets = acorn.report(*WINDOW, *FULL).json["data"]

        assert {row["lane"] for row in rows(buckets)} == {"fast"}
        assert total_usd(buckets) == true_usd

    def test_open_bucket_ends_the_last_day_early(self, acorn, strike):
        strike("open_bucket", hour=9)

        *before, last = acorn.report(*WINDOW).json["data"]

        assert last["ending_at"] == f"{last['starting_at'][:10]}T09:00:00Z"
        assert {bucket["ending_at"][11:] for bucket in before} == {"00:00:00Z"}


class TestBodies:
    def test_wrong_content_type(self, acorn, strike):
        strike("wrong_content_type")

        reply = acorn.report(*WINDOW)

        assert reply.headers["content-type"].startswith("text/html")
        assert reply.json["data"]

    def test_invalid_utf8(self, acorn, strike):
        strike("invalid_utf8")

        with pytest.raises(UnicodeDecodeError):
            acorn.report(*WINDOW).body.decode()

    @pytest.mark.parametrize(
        ("kind", "text"), [("nan_json", b'"amount":NaN'), ("huge_number", b'"amount":1e400')]
    )
    def test_numbers_that_are_none(self, acorn, strike, kind, text):
        strike(kind)

        assert acorn.report(*WINDOW).body.count(text) == 1

    def test_numbers_that_are_none_as_strings(self, acorn, strike):
        strike("huge_number", as_string=True)

        assert b'"amount":"1e400"' in acorn.report(*WINDOW).body

    def test_duplicate_keys(self, acorn, strike, true_usd):
        strike("duplicate_keys")

        reply = acorn.report(*WINDOW)

        assert reply.body.count(b'"amount"') == len(rows(reply.json["data"])) + 1
        assert total_usd(reply.json["data"]) != true_usd

    def test_big_page(self, acorn, strike, true_usd):
        strike("big_page", megabytes=8)

        reply = acorn.report(*WINDOW)

        assert len(reply.body) > 8 * 2**20
        assert total_usd(reply.json["data"]) == true_usd


class TestDeliveries:
    def test_slow(self, acorn, strike):
        strike("slow", seconds=0.3)
        started = time.monotonic()

        assert acorn.report(*WINDOW).status == 200
        assert time.monotonic() - started >= 0.3

    def test_drip(self, acorn, strike, true_usd):
        strike("drip", bytes=200, interval=0.02)
        started = time.monotonic()

        assert total_usd(acorn.report(*WINDOW).json["data"]) == true_usd
        assert time.monotonic() - started >= 0.06

    def test_cut_body(self, acorn, strike):
        strike("cut_body")

        with pytest.raises(http.client.IncompleteRead):
            acorn.report(*WINDOW)

    def test_hang(self, acorn, strike):
        strike("hang")

        with pytest.raises(TimeoutError):
            acorn.get("/v1/organizations/me", timeout=0.2)

    def test_hang_ends_by_itself(self, acorn, strike):
        strike("hang", seconds=0.1)

        with pytest.raises(http.client.RemoteDisconnected):
            acorn.get("/v1/organizations/me")

    def test_hang_inside_the_body(self, acorn, strike):
        strike("hang", inside_body=True)

        with pytest.raises(TimeoutError):
            acorn.get("/v1/organizations/me", timeout=0.2)

    def test_connection_reset(self, acorn, strike):
        strike("connection_reset")

        with pytest.raises(ConnectionResetError):
            acorn.report(*WINDOW)


class TestOrders:
    def test_strike_the_times_ordered_after_those_skipped(self, acorn, strike):
        strike("overloaded", times=2, after=1)

        assert [acorn.report(*WINDOW).status for _ in range(5)] == [200, 529, 529, 200, 200]

    def test_strike_one_organisation_and_path_only(self, acorn, cedar, strike):
        strike("overloaded", path="cost_report", times=-1)

        assert acorn.get("/v1/organizations/me").status == 200
        assert cedar.report(*WINDOW).status == 200
        assert acorn.report(*WINDOW).status == 529

    def test_can_be_cleared(self, acorn, strike, sim):
        strike("overloaded", times=-1)
        sim.clear_faults()

        assert acorn.report(*WINDOW).status == 200

    def test_can_strike_a_share(self, acorn, strike):
        strike("overloaded", times=-1, permille=500)

        assert {acorn.get("/v1/organizations/me").status for _ in range(40)} == {200, 529}

    @pytest.mark.parametrize(
        "fields", [{"kind": "meteor"}, {"kind": "slow", "colour": 1}, {"kind": "slow", "times": "x"}]
    )
    def test_a_wrong_order_is_refused(self, sim, fields):
        with pytest.raises(HTTPError) as refused:
            sim.fault(**fields)

        assert refused.value.code == 400
        refused.value.close()


def test_every_kind_has_a_test_here():
    written = Path(__file__).read_text(encoding="utf-8")

    assert [kind for kind in KINDS if f'"{kind}"' not in written] == []
