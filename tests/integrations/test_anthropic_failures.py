from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from integrations.anthropic.failures import failure, identifier, retry_after_seconds
from integrations.errors import Fate, Reason
from integrations.http import RawResponse

NOW = datetime(2026, 11, 21, 6, 0, 0, tzinfo=UTC)
KEY = "sk-ant-admin01-secret"


def answer(status, message="", *, code=None, headers=None, body=None):
    if body is None:
        error = {"type": "x_error", "message": message, "details": {"error_code": code} if code else None}
        body = json.dumps({"type": "error", "error": error, "request_id": "req_body"}).encode()
    return RawResponse(status, headers or {"request-id": "req_head"}, body, "application/json")


def sorted_as(response, cursor=None):
    error = failure(response, cursor=cursor, now=lambda: NOW)
    return error.reason, error.fate


R, F = Reason, Fate
GATEWAY = b"<html>502 Bad Gateway</html>"


class TestFailure:
    @pytest.mark.parametrize(
        ("response", "reason", "fate"),
        [
            (answer(400, "limit must be at most 31"), R.UPSTREAM_UNREADABLE, F.FATAL),
            (answer(400, "Invalid page token"), R.UPSTREAM_UNREADABLE, F.FATAL),
            (answer(400, "starting_at must be on or after 2026-01-01"), R.HISTORY_FLOOR, F.FATAL),
            (answer(400, code="organization_on_hold"), R.KEY_REJECTED, F.FATAL),
            (answer(400, code="organization_type_not_supported"), R.KEY_WRONG_KIND, F.FATAL),
            (answer(400, "Not available for individual accounts"), R.ORGANIZATION_REQUIRED, F.FATAL),
            (answer(401, "invalid x-api-key"), R.KEY_REJECTED, F.FATAL),
            (answer(401, body=GATEWAY), R.KEY_REJECTED, F.FATAL),
            (answer(402), R.KEY_REJECTED, F.FATAL),
            (answer(403, "Not allowed"), R.KEY_WRONG_KIND, F.FATAL),
            (answer(403, body=b"{}"), R.KEY_WRONG_KIND, F.FATAL),
            (answer(403, body=b'{"error":{"details":[]}}'), R.KEY_WRONG_KIND, F.FATAL),
            (answer(403, code="organization_level_scoped_api_key_required"), R.KEY_WRONG_KIND, F.FATAL),
            (answer(403, code="api_key_scope_missing"), R.SCOPE_MISSING, F.FATAL),
            (
                answer(403, "Requires an organization; this is a personal account"),
                R.ORGANIZATION_REQUIRED,
                F.FATAL,
            ),
            (answer(403, body=GATEWAY), R.UPSTREAM_UNAVAILABLE, F.RETRYABLE),
            (answer(404), R.UPSTREAM_UNREADABLE, F.FATAL),
            (answer(405), R.UPSTREAM_UNREADABLE, F.FATAL),
            (answer(408), R.UPSTREAM_UNAVAILABLE, F.RETRYABLE),
            (answer(409), R.UPSTREAM_UNAVAILABLE, F.RETRYABLE),
            (answer(410), R.UPSTREAM_UNAVAILABLE, F.RETRYABLE),
            (answer(413), R.UPSTREAM_UNREADABLE, F.FATAL),
            (answer(422), R.UPSTREAM_UNREADABLE, F.FATAL),
            (answer(429), R.RATE_LIMITED, F.RETRYABLE),
            (answer(429, body=GATEWAY), R.RATE_LIMITED, F.RETRYABLE),
            (answer(429, code="enforced_spend_limit_reached"), R.RATE_LIMITED, F.RETRYABLE),
            (answer(500), R.UPSTREAM_UNAVAILABLE, F.RETRYABLE),
            (answer(502, body=GATEWAY), R.UPSTREAM_UNAVAILABLE, F.RETRYABLE),
            (answer(503, body=b""), R.UPSTREAM_UNAVAILABLE, F.RETRYABLE),
            (answer(504), R.UPSTREAM_UNAVAILABLE, F.RETRYABLE),
            (answer(529, "Overloaded"), R.UPSTREAM_UNAVAILABLE, F.RETRYABLE),
            (answer(302, body=b""), R.UPSTREAM_UNREADABLE, F.FATAL),
            (answer(204, body=b""), R.UPSTREAM_UNREADABLE, F.RETRYABLE),
            (answer(206), R.UPSTREAM_UNREADABLE, F.RETRYABLE),
        ],
    )
    def test_sorts_every_row_of_the_error_table(self, response, reason, fate):
        assert sorted_as(response) == (reason, fate)

    @pytest.mark.parametrize(
        "response",
        [
            answer(410),
            answer(410, body=GATEWAY),
            answer(400, "Invalid page token: cursor does not match current query parameters"),
            answer(400, "after_id: no such object"),
        ],
    )
    def test_restarts_the_query_when_its_cursor_is_refused(self, response):
        assert sorted_as(response, cursor="page_2") == (Reason.UPSTREAM_UNAVAILABLE, Fate.RESTART)

    def test_does_not_restart_for_another_400(self):
        assert sorted_as(answer(400, "limit is wrong"), cursor="p") == (
            Reason.UPSTREAM_UNREADABLE,
            Fate.FATAL,
        )

    @pytest.mark.parametrize(
        "message",
        [
            "Invalid date range: ending date must be after starting date",
            "ending_at must be after starting_at",
            "End date must be later than the start date",
        ],
    )
    def test_takes_a_range_without_a_finished_day_for_nothing_yet(self, message):
        assert sorted_as(answer(400, message)) == (Reason.NO_USAGE, Fate.FATAL)

    def test_names_the_scopes(self):
        error = failure(
            answer(403, "Missing required scopes. Got: ['api:admin', 'x'] Needed: ['read:analytics']"),
            cursor=None,
        )

        assert error.reason is Reason.SCOPE_MISSING
        assert "has api:admin, x, and needs read:analytics" in error.detail

    def test_says_when_the_key_has_no_scope_at_all(self):
        error = failure(answer(403, "Missing required scopes. Got: [] Needed: ['api:admin']"), cursor=None)

        assert "has none, and needs api:admin" in error.detail

    def test_keeps_the_scopes_the_key_has(self):
        message = "Missing required scopes. Got: ['read:analytics', \"read:members\"] Needed: ['api:admin']"

        assert failure(answer(403, message), cursor=None).scopes == ("read:analytics", "read:members")
        assert failure(answer(403, "Not allowed"), cursor=None).scopes == ()

    @pytest.mark.parametrize(
        ("message", "detail"),
        [
            ("Missing required scopes: read:analytics", "it needs read:analytics."),
            ("missing scope 'read:analytics'", "it needs read:analytics."),
            ("OAuth token does not meet scope requirement read:analytics", "it needs read:analytics."),
            (
                "Missing required scopes: read:analytics, read:members.",
                "it needs read:analytics, read:members.",
            ),
            (
                "This API key has the scopes api:admin; the scope read:analytics is required",
                "it has api:admin, and needs read:analytics.",
            ),
            (
                "Required scopes: read:analytics. Granted: api:admin",
                "it has api:admin, and needs read:analytics.",
            ),
            (
                "The key has api:admin but needs read:analytics scope",
                "it has api:admin, and needs read:analytics.",
            ),
            ("Insufficient scope", "it needs the scope for cost reports."),
        ],
    )
    def test_reads_scopes_in_whatever_form_they_are_named(self, message, detail):
        error = failure(answer(403, message), cursor=None)

        assert error.reason is Reason.SCOPE_MISSING
        assert error.detail == f"This key lacks a scope: {detail}"

    def test_keeps_the_scopes_of_a_sentence(self):
        message = "Required scopes: read:analytics. Granted: api:admin"

        assert failure(answer(403, message), cursor=None).scopes == ("api:admin",)

    @pytest.mark.parametrize(
        "response",
        [
            answer(404, "Not found"),
            answer(405),
            answer(410),
            answer(501),
            answer(
                400,
                "Unexpected value(s) `analytics-usage-cost-2026-08-24` for the `anthropic-beta` header. Please consult "
                "our documentation or try again without the header.",
            ),
            answer(400, "invalid beta flag"),
            answer(400, "This endpoint is not available on your plan."),
            answer(400, code="organization_not_enrolled_in_beta"),
        ],
    )
    def test_knows_a_report_that_is_not_there(self, response):
        assert failure(response, cursor=None).is_absent

    @pytest.mark.parametrize(
        "response",
        [
            answer(404, body=GATEWAY),
            answer(404, body=b"{}"),
            answer(404, body=b'{"error": "not found"}'),
            answer(501, body=GATEWAY),
            answer(400, "limit must be at most 31"),
            answer(400, "Invalid date range: ending date must be after starting date"),
            answer(403, "Not allowed"),
            answer(500),
            answer(503),
        ],
    )
    def test_takes_nothing_else_for_one(self, response):
        """What a proxy says on the way, a question that was wrong, and trouble."""
        assert not failure(response, cursor=None).is_absent

    def test_takes_a_cursor_that_is_gone_for_none(self):
        assert not failure(answer(410), cursor="page_2").is_absent

    def test_says_that_there_is_no_such_report(self):
        detail = failure(answer(404, "Not found"), cursor=None).detail

        assert detail == "Anthropic has no such report for this organisation: status 404: Not found."

    @pytest.mark.parametrize(
        "response",
        [
            answer(400, "This endpoint is not available for organizations with HIPAA readiness enabled."),
            answer(403, "not available to hipaa-ready organizations"),
            answer(400, code="hipaa_not_supported"),
        ],
    )
    def test_has_a_cause_of_its_own_for_hipaa(self, response):
        error = failure(response, cursor=None)

        assert (error.reason, error.fate) == (Reason.HIPAA_NOT_SERVED, Fate.FATAL)
        assert "HIPAA readiness" in error.detail
        assert "parent" in error.remedy

    def test_quotes_upstream_shortly_and_without_keys(self):
        error = failure(answer(400, f"bad {KEY} " + "x" * 5000), cursor=None)

        assert KEY not in str(error)
        assert len(error.detail) < 400

    def test_names_status_and_request(self):
        error = failure(answer(500), cursor=None)

        assert (error.status, error.request_id) == (500, "req_head")

    def test_finds_the_request_id_in_the_body(self):
        error = failure(answer(404, headers={"other": "x"}), cursor=None)

        assert error.request_id == "req_body"
        assert "req_body" in error.remedy

    def test_lives_without_a_request_id(self):
        error = failure(answer(404, headers={"request-id": "<script>"}, body=b"[]"), cursor=None)

        assert error.request_id is None

    @pytest.mark.parametrize("status", [429, 503, 529])
    def test_carries_the_wait_of_a_temporary_failure(self, status):
        error = failure(answer(status, headers={"retry-after": "17"}), cursor=None)

        assert error.retry_after_seconds == 17

    def test_carries_no_wait_for_what_waiting_does_not_mend(self):
        assert failure(answer(401, headers={"retry-after": "17"}), cursor=None).retry_after_seconds is None


class TestRetryAfterSeconds:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, None),
            ({"retry-after": "30"}, 30),
            ({"retry-after": " 0 "}, 0),
            ({"retry-after": "1.5"}, 1.5),
            ({"retry-after": "999999999"}, 86_400),
            ({"retry-after": "-1"}, None),
            ({"retry-after": "nan"}, None),
            ({"retry-after": "soon", "retry-after-ms": "250"}, 0.25),
            ({"retry-after": "3", "retry-after-ms": "250"}, 3),
            ({"anthropic-ratelimit-requests-reset": "2026-11-21T06:00:45Z"}, 45),
            ({"anthropic-ratelimit-requests-reset": "2026-11-21T05:59:00Z"}, 0),
            ({"anthropic-ratelimit-requests-reset": "2027-11-21T06:00:00Z"}, 86_400),
            ({"anthropic-ratelimit-requests-reset": "later"}, None),
            # Dates as RFC 9110 has them, the two oldest forms as well.
            ({"retry-after": "Sat, 21 Nov 2026 06:01:10 GMT"}, 70),
            ({"retry-after": "Saturday, 21-Nov-26 06:01:10 GMT"}, 70),
            ({"retry-after": "Sat Nov 21 06:01:10 2026"}, 70),
            ({"retry-after": "Sat, 21 Nov 2026 05:00:00 GMT"}, 0),
            ({"retry-after": "Sun, 21 Nov 2027 06:00:00 GMT"}, 86_400),
            ({"retry-after": "Sat, 99 Nov 2026 06:01:10 GMT"}, None),
            ({"retry-after": "Sat, 21 Nov 2026 05:01:10 GMT", "date": "Sat, 21 Nov 2026 05:00:00 GMT"}, 70),
            ({"retry-after": "Sat, 21 Nov 2026 07:01:10 GMT", "date": "Sat, 21 Nov 2026 07:00:00 GMT"}, 70),
            ({"retry-after": "9", "anthropic-ratelimit-requests-reset": "2026-11-21T06:00:45Z"}, 9),
        ],
    )
    def test_reads_the_first_header_it_understands(self, headers, seconds):
        assert retry_after_seconds(headers, lambda: NOW) == seconds

    def test_measures_a_reset_by_the_clock_of_the_server(self):
        """Our clock is an hour ahead of theirs here; by it the moment would have passed."""
        headers = {
            "date": "Sat, 21 Nov 2026 05:00:00 GMT",
            "anthropic-ratelimit-requests-reset": "2026-11-21T05:00:20Z",
        }

        assert retry_after_seconds(headers, lambda: NOW) == 20

    def test_ignores_a_server_date_without_a_zone(self):
        headers = {
            "date": "Sat, 21 Nov 2026 05:00:00 -0000",
            "anthropic-ratelimit-requests-reset": "2026-11-21T06:00:20Z",
        }

        assert retry_after_seconds(headers, lambda: NOW) == 20

    def test_knows_nothing_without_any_clock(self):
        assert retry_after_seconds({"anthropic-ratelimit-requests-reset": "2026-11-21T06:00:45Z"}) is None


class TestIdentifier:
    @pytest.mark.parametrize("value", [None, 5, "", "a b", "x" * 129, "<b>", "é"])
    def test_refuses_what_does_not_look_like_one(self, value):
        assert identifier(value) is None
