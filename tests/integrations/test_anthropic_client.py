from __future__ import annotations

import json
import traceback
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import responses

from foundation.periods import DayRange
from integrations.anthropic.client import AnthropicClient, Organization
from integrations.anthropic.reports.analytics import glance_request
from integrations.anthropic.reports.classic_cost import cost_report_request
from integrations.anthropic.reports.names import workspaces_request
from integrations.errors import Fate, Reason, UpstreamError
from integrations.http import HttpTransport

BASE = "https://api.example"
COST = f"{BASE}/v1/organizations/cost_report"
WORKSPACES = f"{BASE}/v1/organizations/workspaces"
ME = f"{BASE}/v1/organizations/me"
KEY = "sk-ant-admin01-secret"
WINDOW = DayRange(date(2026, 11, 1), date(2026, 12, 1))
HEADERS = {"request-id": "req_1", "anthropic-organization-id": "7d0c1111-2222-4333-8444-555566667777"}


@pytest.fixture
def upstream():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def client():
    transport = HttpTransport(BASE, timeout_seconds=5, user_agent="Tallystick/1.0")
    return AnthropicClient(transport, KEY, now=lambda: datetime(2026, 11, 21, 6, tzinfo=UTC))


def page(data=(), *, has_more=False, **fields):
    return {"data": list(data), "has_more": has_more, **fields}


def bucket(day, *amounts):
    results = [{"amount": amount, "currency": "USD"} for amount in amounts]
    return {
        "starting_at": f"2026-11-{day:02}T00:00:00Z",
        "ending_at": f"2026-11-{day + 1:02}T00:00:00Z",
        "results": results,
    }


FIRST = cost_report_request(WINDOW)
SECOND = replace(FIRST, cursor="page_2")


def refused(call, *arguments) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        call(*arguments)
    return caught.value


class TestCostReport:
    def test_returns_one_page_as_it_came(self, upstream, client):
        body = json.dumps(page([bucket(1, "1", "2"), bucket(2)], has_more=True, next_page="page_2"), indent=3)
        upstream.get(COST, body=body, headers=HEADERS, content_type="application/json; charset=utf-8")

        got = client.fetch(FIRST)

        assert got.body == body.encode()
        assert (got.request, got.status, got.request_id) == (FIRST, 200, "req_1")
        assert got.organization_id == HEADERS["anthropic-organization-id"]
        assert (got.has_more, got.next_cursor, got.row_count) == (True, "page_2", 2)
        assert got.data_refreshed_at is None

    def test_sends_the_one_canonical_query(self, upstream, client):
        upstream.get(COST, json=page(next_page=None))

        client.fetch(replace(cost_report_request(WINDOW, limit=7), cursor="page_2"))

        request = upstream.calls[0].request
        assert request.url.partition("?")[2] == (
            "starting_at=2026-11-01T00%3A00%3A00Z&ending_at=2026-12-01T00%3A00%3A00Z&bucket_width=1d"
            "&group_by%5B%5D=workspace_id&group_by%5B%5D=description&limit=7&page=page_2"
        )
        assert request.headers["anthropic-version"] == "2023-06-01"
        assert request.headers["x-api-key"] == KEY

    def test_ignores_a_token_after_the_last_page(self, upstream, client):
        upstream.get(COST, json=page(next_page="page_9"))

        assert client.fetch(FIRST).next_cursor is None

    def test_keeps_the_time_of_the_data(self, upstream, client):
        upstream.get(COST, json=page(next_page=None, data_refreshed_at="2026-11-20T11:00:00Z"))

        assert client.fetch(FIRST).data_refreshed_at == datetime(2026, 11, 20, 11, tzinfo=UTC)


class TestWorkspaces:
    def test_pages_by_id(self, upstream, client):
        rows = [{"id": "wrkspc_1", "name": "A"}, {"id": "wrkspc_2", "name": "B"}]
        upstream.get(WORKSPACES, json=page(rows, has_more=True, first_id="wrkspc_1", last_id="wrkspc_2"))

        request = replace(workspaces_request(), cursor="wrkspc_0")

        got = client.fetch(request)

        assert (got.next_cursor, got.row_count) == ("wrkspc_2", 2)
        assert got.request == request
        sent = upstream.calls[0].request
        assert (
            sent.url.partition("?")[2]
            == "include_archived=true&include_default=true&limit=1000&after_id=wrkspc_0"
        )
        assert sent.headers["anthropic-version"] == "2026-10-21"
        assert "anthropic-beta" not in sent.headers


class TestAnalytics:
    def test_sends_the_header_of_the_beta(self, upstream, client):
        upstream.get(f"{BASE}/v1/organizations/analytics/cost", json=page([{"any": 1}], next_page=None))

        got = client.fetch(glance_request("cost", WINDOW))

        assert got.row_count == 1
        sent = upstream.calls[0].request.headers
        assert sent["anthropic-beta"] == "analytics-usage-cost-2026-08-24"
        assert sent["anthropic-version"] == "2026-10-21"


class TestOrganization:
    def test_says_whose_key_it_is(self, upstream, client):
        upstream.get(ME, json={"id": "7d0c", "name": "Example GmbH", "type": "organization"}, headers=HEADERS)

        assert client.organization() == Organization("7d0c", "Example GmbH", "req_1")

    @pytest.mark.parametrize("body", [{}, {"id": 7, "name": "x"}, {"id": "7d0c", "name": ""}])
    def test_refuses_an_answer_without_id_and_name(self, upstream, client, body):
        upstream.get(ME, json=body, headers=HEADERS)

        error = refused(client.organization)

        assert (error.reason, error.request_id) == (Reason.UPSTREAM_UNREADABLE, "req_1")


class TestFetch:
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (page(has_more=True, next_page=None), "does not say which"),
            (page(has_more=True), "does not say which"),
            (page(has_more=True, next_page=""), "does not say which"),
            (page(has_more=True, next_page="page_2"), "names the page just read"),
            ({"data": [], "next_page": None}, "whether there are more"),
            (page([{"starting_at": "x"}]), "results"),
        ],
    )
    def test_refuses_a_page_that_contradicts_itself(self, upstream, client, answer, words):
        upstream.get(COST, json=answer, headers=HEADERS)

        error = refused(client.fetch, SECOND)

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNREADABLE, Fate.FATAL)
        assert words in error.detail
        assert (error.request_id, error.status) == ("req_1", 200)

    @pytest.mark.parametrize(
        ("body", "content_type", "words"),
        [
            ("<html>", "text/html", "it is text/html, not JSON"),
            ('{"data":[],"has_more":false}', "text/plain", "it is text/plain, not JSON"),
            ("{}", None, "of no stated type"),
            ('{"data":[', "application/json", "cut short"),
            (b'{"a":"\xff"}', "application/json", "UTF-8"),
        ],
    )
    def test_asks_again_later_for_a_page_damaged_on_its_way(
        self, upstream, client, body, content_type, words
    ):
        upstream.get(COST, body=body, content_type=content_type, headers=HEADERS)

        error = refused(client.fetch, FIRST)

        assert (error.reason, error.fate, error.request_id) == (
            Reason.UPSTREAM_UNREADABLE,
            Fate.RETRYABLE,
            "req_1",
        )
        assert words in error.detail

    def test_tells_a_refused_cursor_from_a_refused_request(self, upstream, client):
        upstream.get(COST, json={"error": {"message": "Invalid page token"}}, status=400)

        assert refused(client.fetch, SECOND).fate is Fate.RESTART
        assert refused(client.fetch, FIRST).fate is Fate.FATAL

    def test_measures_a_reset_by_the_clock_it_was_given(self, upstream, client):
        upstream.get(COST, status=429, headers={"anthropic-ratelimit-requests-reset": "2026-11-21T06:00:30Z"})

        assert refused(client.fetch, FIRST).retry_after_seconds == 30


class TestKey:
    def test_is_not_in_the_repr(self, client):
        assert KEY not in f"{client!r} {client}"

    @pytest.mark.parametrize("key", ["sk-ant-a\nb", "sk-ant-é", "sk-ant-a b", ""])
    def test_is_refused_before_any_request_when_it_cannot_be_sent(self, upstream, key):
        transport = HttpTransport(BASE, timeout_seconds=5, user_agent="Tallystick/1.0")

        error = refused(AnthropicClient(transport, key).organization)

        assert error.reason is Reason.KEY_MALFORMED
        assert len(upstream.calls) == 0

    @pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
    def test_is_in_no_failure_even_if_upstream_repeats_it(self, upstream, client, status):
        upstream.get(COST, json={"error": {"message": f"invalid x-api-key {KEY}"}}, status=status)

        error = refused(client.fetch, FIRST)

        assert KEY not in "".join(traceback.format_exception(error)) + repr(vars(error))
