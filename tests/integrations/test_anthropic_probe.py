from __future__ import annotations

from datetime import date

import pytest
import responses

from costs.records import Origin
from integrations.anthropic.client import AnthropicClient, Organization
from integrations.anthropic.probe import Capability, probe
from integrations.errors import Fate, Reason, UpstreamError, advice
from integrations.http import HttpTransport

BASE = "https://api.example"
ME = f"{BASE}/v1/organizations/me"
COST = f"{BASE}/v1/organizations/cost_report"
ADMIN = "sk-ant-admin01-secret"
YESTERDAY = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z"}
WITH_COST = {"data": [{**YESTERDAY, "results": [{"amount": "1", "currency": "USD"}]}], "has_more": False}
WITHOUT_COST = {"data": [{**YESTERDAY, "results": []}], "has_more": False}


@pytest.fixture
def upstream():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def give_organization(upstream):
    upstream.get(ME, json={"id": "7d0c", "name": "Example"}, headers={"request-id": "req_me"})


def refuse(upstream, url, status, message="", **options):
    upstream.get(
        url, json={"error": {"message": message}}, status=status, headers={"request-id": "req_no"}, **options
    )


def try_key(key=ADMIN, take_token=lambda _organization_id: None):
    transport = HttpTransport(BASE, timeout_seconds=5, user_agent="Tallystick/1.0")
    return probe(AnthropicClient(transport, key), key, today=date(2026, 11, 21), take_token=take_token)


class TestProbe:
    def test_says_what_an_admin_key_is_and_sees(self, upstream):
        give_organization(upstream)
        upstream.get(COST, json=WITH_COST, headers={"request-id": "req_cost"})

        result = try_key()

        assert (result.ok, result.origin, result.reason) == (True, Origin.CLAUDE_PLATFORM, None)
        assert result.organization == Organization("7d0c", "Example", "req_me")
        assert result.capabilities == [
            Capability("organization", ok=True),
            Capability("cost_report", ok=True),
        ]
        assert result.request_ids == ["req_me", "req_cost"]
        assert "Example" in result.detail

    def test_asks_for_one_day_of_cost(self, upstream):
        give_organization(upstream)
        upstream.get(COST, json=WITH_COST)

        try_key()

        url = upstream.calls[1].request.url
        assert "starting_at=2026-11-20T00%3A00%3A00Z&ending_at=2026-11-21T00%3A00%3A00Z" in url
        assert url.endswith("limit=1")

    def test_passes_a_key_without_usage_yet(self, upstream):
        give_organization(upstream)
        upstream.get(COST, json=WITHOUT_COST)

        result = try_key()

        assert (result.ok, result.reason) == (True, Reason.NO_USAGE)
        assert "force sync" in result.remedy

    @pytest.mark.parametrize("key", ["", "hello", "sk-ant-oat01-x", "sk-ant-admin01-x\n"])
    def test_sends_nothing_for_what_is_not_a_key(self, upstream, key):
        result = try_key(key)

        assert (result.ok, result.reason, result.capabilities) == (False, Reason.KEY_MALFORMED, [])
        assert len(upstream.calls) == 0

    @pytest.mark.parametrize(
        ("key", "refusal", "reason", "words"),
        [
            (ADMIN, (401, "invalid x-api-key"), Reason.KEY_REJECTED, "refused this key"),
            ("sk-ant-api03-x", (401, "invalid x-api-key"), Reason.KEY_WRONG_KIND, "calling models"),
            ("sk-ant-api03-x", (403, "Not allowed"), Reason.KEY_WRONG_KIND, "calling models"),
            (
                "sk-ant-api03-x",
                (403, "Missing required scopes. Got: ['user:inference'] Needed: ['api:admin']"),
                Reason.KEY_WRONG_KIND,
                "calling models",
            ),
            ("sk-ant-api01-x", (403, "Not allowed"), Reason.KEY_WRONG_KIND, "Claude Enterprise keys yet"),
            (
                "sk-ant-older-x",
                (403, "Missing required scopes. Got: ['read:analytics'] Needed: ['api:admin']"),
                Reason.KEY_WRONG_KIND,
                "Claude Enterprise keys yet",
            ),
            ("sk-ant-api01-x", (401, "invalid x-api-key"), Reason.KEY_REJECTED, "refused this key"),
            (
                ADMIN,
                (403, "Missing required scopes. Got: ['a'] Needed: ['api:admin']"),
                Reason.SCOPE_MISSING,
                "has a, and needs api:admin",
            ),
            (
                ADMIN,
                (403, "Individual accounts have no reports"),
                Reason.ORGANIZATION_REQUIRED,
                "individual account",
            ),
            (ADMIN, (429, "slow down"), Reason.RATE_LIMITED, "wait"),
            (ADMIN, (503, ""), Reason.UPSTREAM_UNAVAILABLE, "503"),
        ],
    )
    def test_gives_one_cause_when_the_organisation_cannot_be_asked(
        self, upstream, key, refusal, reason, words
    ):
        refuse(upstream, ME, *refusal)

        result = try_key(key)

        assert (result.ok, result.origin, result.organization, result.reason) == (False, None, None, reason)
        assert words in result.detail
        assert result.capabilities == [
            Capability("organization", ok=False, reason=reason, detail=result.detail)
        ]
        assert result.request_ids == ["req_no"]

    def test_passes_a_key_with_an_inference_prefix_that_has_the_rights(self, upstream):
        give_organization(upstream)
        upstream.get(COST, json=WITH_COST)

        assert try_key("sk-ant-api03-personal").ok

    def test_says_whose_key_it_is_even_if_cost_is_refused(self, upstream):
        give_organization(upstream)
        refuse(upstream, COST, 403, "Not allowed")

        result = try_key()

        assert (result.ok, result.reason) == (False, Reason.KEY_WRONG_KIND)
        assert result.organization is not None
        assert [(found.name, found.ok) for found in result.capabilities] == [
            ("organization", True),
            ("cost_report", False),
        ]
        assert result.request_ids == ["req_me", "req_no"]

    def test_makes_a_result_of_no_answer_at_all(self, upstream):
        result = try_key()

        assert (result.ok, result.reason) == (False, Reason.UPSTREAM_UNAVAILABLE)
        assert result.request_ids == []


class TestTokens:
    def test_are_taken_before_each_request_for_the_organisation_once_known(self, upstream):
        give_organization(upstream)
        upstream.get(COST, json=WITH_COST)
        taken = []

        try_key(take_token=lambda organization_id: taken.append((organization_id, len(upstream.calls))))

        assert taken == [(None, 0), ("7d0c", 1)]

    def test_are_not_taken_for_what_is_not_a_key(self):
        taken = []

        try_key("hello", take_token=taken.append)

        assert taken == []

    def test_refused_become_a_result_that_says_how_long_to_wait(self, upstream):
        def refuse_token(_organization_id):
            raise UpstreamError.told(advice(Reason.RATE_LIMITED), Fate.RETRYABLE, retry_after_seconds=42)

        result = try_key(take_token=refuse_token)

        assert (result.ok, result.reason, result.retry_after_seconds) == (False, Reason.RATE_LIMITED, 42)
        assert len(upstream.calls) == 0
