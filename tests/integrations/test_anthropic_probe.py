from __future__ import annotations

from datetime import date

import pytest
import responses

from costs.records import Origin
from devtools.simulator.keys import ENTERPRISE, INFERENCE, MEMBERS, key_text
from integrations.anthropic.capabilities import Capability
from integrations.anthropic.client import AnthropicClient, Organization
from integrations.anthropic.probe import probe
from integrations.anthropic.report_specs import REPORT_SPECS
from integrations.errors import Fate, Reason, UpstreamError, advice
from integrations.http import HttpTransport

BASE = "https://api.example"
ME = f"{BASE}/v1/organizations/me"
COST = f"{BASE}/v1/organizations/cost_report"
ANALYTICS_COST = f"{BASE}/v1/organizations/analytics/cost"
ANALYTICS_USAGE = f"{BASE}/v1/organizations/analytics/usage"
OLDER_COST = f"{BASE}/v1/organizations/analytics/cost_report"
USERS = f"{BASE}/v1/organizations/users"
ADMIN, SCOPED, INFER = "sk-ant-admin01-secret", "sk-ant-api01-secret", "sk-ant-api03-secret"
YESTERDAY = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z"}
WITH_COST = {"data": [{**YESTERDAY, "results": [{"amount": "1", "currency": "USD"}]}], "has_more": False}
WITHOUT_COST = {"data": [{**YESTERDAY, "results": []}], "has_more": False}
ROWS = {"data": [{"any": "row"}], "has_more": False, "next_page": None}
NO_ROWS = {"data": [], "has_more": False, "next_page": None, "data_refreshed_at": None}
OWNER = "7d0c1111-2222-4333-8444-555566667777"
NO_ADMIN = "Missing required scopes. Got: ['read:analytics'] Needed: ['api:admin']"
CONSOLE = [name for name, spec in REPORT_SPECS.items() if spec.origin == "claude_platform"]
ENTERPRISE_STREAMS = [name for name, spec in REPORT_SPECS.items() if spec.origin == "claude_ai"]


@pytest.fixture
def upstream():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def give(upstream, url, document, request_id="req_1"):
    upstream.get(url, json=document, headers={"request-id": request_id, "anthropic-organization-id": OWNER})


def give_organization(upstream):
    upstream.get(ME, json={"id": OWNER, "name": "Example"}, headers={"request-id": "req_me"})


def give_console(upstream):
    give_organization(upstream)
    give(upstream, COST, WITH_COST, "req_cost")
    give(upstream, ANALYTICS_COST, ROWS, "req_new")
    give(upstream, ANALYTICS_USAGE, ROWS, "req_usage")


def refuse(upstream, url, status, message="", **options):
    upstream.get(
        url, json={"error": {"message": message}}, status=status, headers={"request-id": "req_no"}, **options
    )


def try_key(key=ADMIN, take_token=lambda _organization_id, _family: None, base=BASE):
    transport = HttpTransport(base, timeout_seconds=5, user_agent="Tallystick/1.0")
    return probe(AnthropicClient(transport, key), key, today=date(2026, 11, 21), take_token=take_token)


def answers(result):
    return {found.name: found.ok for found in result.capabilities}


def asked(upstream):
    return [call.request.url.partition("?")[0] for call in upstream.calls]


class TestConsoleKey:
    def test_reads_the_bill_and_both_analytics_reports(self, upstream):
        give_console(upstream)

        result = try_key()

        assert (result.ok, result.origin, result.reason) == (True, Origin.CLAUDE_PLATFORM, None)
        assert result.organization == Organization(OWNER, "Example", "req_me")
        assert result.request_ids == ["req_me", "req_cost", "req_new", "req_usage"]
        assert result.detail == "This key reads the cost reports of Example."

    def test_has_a_capability_for_every_stream(self, upstream):
        give_console(upstream)

        result = try_key()

        assert list(answers(result)) == ["organization", *CONSOLE]
        assert answers(result) == dict.fromkeys(["organization", *CONSOLE]) | {
            "organization": True,
            "cost_report": True,
            "analytics_cost": True,
            "analytics_cost_serving": True,
            "analytics_usage": True,
            "analytics_usage_serving": True,
        }

    def test_says_what_a_report_leaves_out(self, upstream):
        give_console(upstream)

        details = {found.name: found.detail for found in try_key().capabilities}

        assert details["cost_report"] == "Cost of the Priority Tier is not part of this report."
        assert details["claude_code"] == "Not tried yet: the first sync does."

    def test_asks_for_several_days(self, upstream):
        """Of one day alone upstream may have nothing finished yet, and refuse the question."""
        give_console(upstream)

        try_key()

        window = "starting_at=2026-11-14T00%3A00%3A00Z&ending_at=2026-11-21T00%3A00%3A00Z"
        queries = [call.request.url.partition("?")[2] for call in upstream.calls[1:]]
        assert [query.startswith(window) for query in queries] == [True] * 3
        assert [query.rpartition("&")[2] for query in queries] == ["limit=7", "limit=1", "limit=1"]

    @pytest.mark.parametrize("path", [COST, ANALYTICS_COST])
    def test_passes_where_no_day_is_finished_yet(self, upstream, path):
        give_organization(upstream)
        others = {COST: WITHOUT_COST, ANALYTICS_COST: NO_ROWS, ANALYTICS_USAGE: NO_ROWS}
        [give(upstream, other, answer) for other, answer in others.items() if other != path]
        refuse(upstream, path, 400, "Invalid date range: ending date must be after starting date")

        result = try_key()

        assert (result.ok, result.reason) == (True, Reason.NO_USAGE)
        assert answers(result)["cost_report"] is True
        assert answers(result)["analytics_cost"] is True

    def test_passes_without_usage_yet(self, upstream):
        give_organization(upstream)
        give(upstream, COST, WITHOUT_COST)
        give(upstream, ANALYTICS_COST, NO_ROWS)
        give(upstream, ANALYTICS_USAGE, NO_ROWS)

        result = try_key()

        assert (result.ok, result.reason) == (True, Reason.NO_USAGE)
        assert "force sync" in result.remedy

    def test_passes_where_analytics_are_refused(self, upstream):
        give_organization(upstream)
        give(upstream, COST, WITH_COST)
        refuse(upstream, ANALYTICS_COST, 403, "Not allowed")
        refuse(upstream, ANALYTICS_USAGE, 404, "No such thing")

        result = try_key()

        assert (result.ok, result.reason) == (True, None)
        assert answers(result)["analytics_cost"] is False
        assert answers(result)["analytics_usage_serving"] is False

    def test_passes_where_analytics_do_not_answer_now(self, upstream):
        give_organization(upstream)
        give(upstream, COST, WITH_COST)
        refuse(upstream, ANALYTICS_COST, 503)
        refuse(upstream, ANALYTICS_USAGE, 429)

        result = try_key()

        found = {each.name: (each.ok, each.reason) for each in result.capabilities}
        assert result.ok
        assert found["analytics_cost"] == (None, Reason.UPSTREAM_UNAVAILABLE)
        assert found["analytics_usage"] == (None, Reason.RATE_LIMITED)
        assert result.rate_limited == {"analytics": None}

    def test_passes_with_the_newer_bill_where_the_classic_one_is_refused(self, upstream):
        give_organization(upstream)
        refuse(upstream, COST, 403, "Not allowed")
        give(upstream, ANALYTICS_COST, ROWS)
        give(upstream, ANALYTICS_USAGE, ROWS)

        result = try_key()

        assert (result.ok, result.origin) == (True, Origin.CLAUDE_PLATFORM)
        assert (answers(result)["cost_report"], answers(result)["analytics_cost"]) == (False, True)

    def test_says_whose_it_is_even_if_no_bill_can_be_read(self, upstream):
        give_organization(upstream)
        for url in (COST, ANALYTICS_COST, ANALYTICS_USAGE):
            refuse(upstream, url, 403, "Not allowed")

        result = try_key()

        assert (result.ok, result.reason) == (False, Reason.KEY_WRONG_KIND)
        assert result.organization is not None
        assert answers(result) == {
            "organization": True, "cost_report": False, "analytics_cost": False, "analytics_usage": False,
        }  # fmt: skip
        assert result.request_ids == ["req_me", "req_no", "req_no", "req_no"]

    def test_does_not_pass_while_the_bill_does_not_answer(self, upstream):
        give_organization(upstream)
        refuse(upstream, COST, 503)

        result = try_key()

        assert (result.ok, result.reason) == (False, Reason.UPSTREAM_UNAVAILABLE)
        assert len(upstream.calls) == 2

    def test_may_have_an_inference_prefix(self, upstream):
        give_console(upstream)

        assert try_key(INFER).ok


class TestRefusedKey:
    @pytest.mark.parametrize("key", ["", "hello", "sk-ant-oat01-x", "sk-ant-admin01-x\n"])
    def test_is_not_sent_when_it_is_no_key(self, upstream, key):
        result = try_key(key)

        assert (result.ok, result.reason, result.capabilities) == (False, Reason.KEY_MALFORMED, [])
        assert len(upstream.calls) == 0

    @pytest.mark.parametrize(
        ("key", "refused", "reason", "words"),
        [
            (ADMIN, (401, "invalid x-api-key"), Reason.KEY_REJECTED, "refused this key"),
            (INFER, (401, "invalid x-api-key"), Reason.KEY_WRONG_KIND, "calling models"),
            (INFER, (403, "Not allowed"), Reason.KEY_WRONG_KIND, "calling models"),
            (
                INFER,
                (403, "Missing required scopes. Got: ['user:inference'] Needed: ['api:admin']"),
                Reason.KEY_WRONG_KIND,
                "calling models",
            ),
            (
                ADMIN,
                (403, "Missing required scopes. Got: ['a'] Needed: ['api:admin']"),
                Reason.SCOPE_MISSING,
                "has a, and needs api:admin",
            ),
            (ADMIN, (403, "Not allowed"), Reason.KEY_WRONG_KIND, "does not let"),
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
    def test_has_one_cause_after_one_request(self, upstream, key, refused, reason, words):
        refuse(upstream, ME, *refused)

        result = try_key(key)

        assert (result.ok, result.origin, result.organization, result.reason) == (False, None, None, reason)
        assert words in result.detail
        assert [(found.name, found.reason, found.detail) for found in result.capabilities] == [
            ("organization", reason, result.detail)
        ]
        assert result.request_ids == ["req_no"]
        assert asked(upstream) == [ME]

    def test_of_no_known_prefix_is_tried_as_an_enterprise_key_too(self, upstream):
        for url in (ME, ANALYTICS_COST, OLDER_COST):
            refuse(upstream, url, 403, "Not allowed")

        result = try_key("sk-ant-older-x")

        assert (result.ok, result.reason) == (False, Reason.KEY_WRONG_KIND)
        assert asked(upstream) == [ME, ANALYTICS_COST, OLDER_COST]
        assert answers(result) == {
            "organization": False, "enterprise_cost": False, "enterprise_cost_report": False,
        }  # fmt: skip

    def test_becomes_a_result_of_no_answer_at_all(self, upstream):
        result = try_key()

        assert (result.ok, result.reason) == (False, Reason.UPSTREAM_UNAVAILABLE)
        assert result.request_ids == []


class TestEnterpriseKey:
    def test_reads_the_bill_first_and_has_no_name_to_ask_for(self, upstream):
        give(upstream, ANALYTICS_COST, ROWS, "req_cost")
        refuse(upstream, ME, 403, NO_ADMIN)
        give(upstream, ANALYTICS_USAGE, ROWS, "req_usage")
        give(upstream, USERS, {"data": [], "has_more": False, "last_id": None}, "req_users")

        result = try_key(SCOPED)

        assert (result.ok, result.origin, result.reason) == (True, Origin.CLAUDE_AI, None)
        assert result.organization == Organization(OWNER, "Claude Enterprise (7d0c1111)", "req_cost")
        assert asked(upstream) == [ANALYTICS_COST, ME, ANALYTICS_USAGE, USERS]

    def test_has_a_capability_for_every_stream(self, upstream):
        give(upstream, ANALYTICS_COST, ROWS)
        refuse(upstream, ME, 403, NO_ADMIN)
        give(upstream, ANALYTICS_USAGE, ROWS)
        refuse(
            upstream, USERS, 403, "Missing required scopes. Got: ['read:analytics'] Needed: ['read:members']"
        )

        result = try_key(SCOPED)

        found = {each.name: each for each in result.capabilities}
        assert list(found) == ENTERPRISE_STREAMS
        assert found["enterprise_cost"] == Capability(
            "enterprise_cost",
            ok=True,
            detail="On a seat-based plan, only usage beyond the seats is reported.",
        )
        assert (found["members"].ok, found["members"].reason) == (False, Reason.SCOPE_MISSING)
        assert found["enterprise_user_cost_report"].ok is None
        assert found["enterprise_user_cost_report"].detail == "Read only where enterprise_cost is refused."

    def test_passes_with_the_older_report_where_the_newer_one_is_refused(self, upstream):
        refuse(upstream, ANALYTICS_COST, 404, "Not found")
        give(upstream, OLDER_COST, WITH_COST)
        refuse(upstream, ME, 403, NO_ADMIN)
        refuse(upstream, ANALYTICS_USAGE, 404, "Not found")
        refuse(upstream, USERS, 403, "Not allowed")

        result = try_key(SCOPED)

        assert (result.ok, result.origin, result.reason) == (True, Origin.CLAUDE_AI, None)
        found = answers(result)
        assert (found["enterprise_cost"], found["enterprise_cost_speed"]) == (False, False)
        assert (found["enterprise_cost_report"], found["enterprise_cost_by_product"]) == (True, True)
        assert (found["enterprise_usage"], found["enterprise_usage_report"]) == (False, None)

    def test_of_no_known_prefix_is_recognised_by_its_scopes(self, upstream):
        refuse(upstream, ME, 403, NO_ADMIN)
        give(upstream, ANALYTICS_COST, ROWS)
        give(upstream, ANALYTICS_USAGE, ROWS)
        give(upstream, USERS, {"data": [], "has_more": False, "last_id": None})

        result = try_key("sk-ant-older-x")

        assert (result.ok, result.origin) == (True, Origin.CLAUDE_AI)
        assert "organization" not in answers(result)

    def test_of_a_console_organisation_is_not_taken_for_another(self, upstream):
        """Such a key reads the same analytics; stored as claude.ai, its money would be there twice."""
        give_console(upstream)

        result = try_key(SCOPED)

        assert (result.ok, result.origin) == (True, Origin.CLAUDE_PLATFORM)
        assert result.organization == Organization(OWNER, "Example", "req_me")
        assert asked(upstream) == [ANALYTICS_COST, ME, COST, ANALYTICS_USAGE]

    def test_that_names_its_organisation_but_has_no_classic_report_stays_enterprise(self, upstream):
        give(upstream, ANALYTICS_COST, ROWS)
        give_organization(upstream)
        refuse(upstream, COST, 403, "Not allowed")
        give(upstream, ANALYTICS_USAGE, ROWS)
        give(upstream, USERS, {"data": [], "has_more": False, "last_id": None})

        assert try_key(SCOPED).origin == Origin.CLAUDE_AI

    @pytest.mark.parametrize(
        "refused", [(401, "invalid x-api-key"), (403, "Not allowed"), (404, "Not found")]
    )
    def test_may_be_refused_everything_but_its_bill(self, upstream, refused):
        give(upstream, ANALYTICS_COST, ROWS)
        for url in (ME, ANALYTICS_USAGE, USERS):
            refuse(upstream, url, *refused)

        result = try_key(SCOPED)

        assert (result.ok, result.origin) == (True, Origin.CLAUDE_AI)
        assert (answers(result)["enterprise_usage"], answers(result)["members"]) == (False, False)

    def test_is_not_told_apart_while_upstream_does_not_answer(self, upstream):
        give(upstream, ANALYTICS_COST, ROWS)
        refuse(upstream, ME, 503)

        result = try_key(SCOPED)

        assert (result.ok, result.reason) == (False, Reason.UPSTREAM_UNAVAILABLE)

    def test_without_usage_yet_passes(self, upstream):
        give(upstream, ANALYTICS_COST, NO_ROWS)
        refuse(upstream, ME, 403, NO_ADMIN)
        give(upstream, ANALYTICS_USAGE, NO_ROWS)
        give(upstream, USERS, {"data": [{"id": "user_1"}], "has_more": False, "last_id": "user_1"})

        result = try_key(SCOPED)

        assert (result.ok, result.reason) == (True, Reason.NO_USAGE)

    @pytest.mark.parametrize(
        ("refused", "reason", "words", "urls"),
        [
            ((401, "invalid x-api-key"), Reason.KEY_REJECTED, "refused this key", [ANALYTICS_COST]),
            (
                (403, "Missing required scopes. Got: ['read:members'] Needed: ['read:analytics']"),
                Reason.SCOPE_MISSING,
                "has read:members, and needs read:analytics",
                [ANALYTICS_COST],
            ),
            (
                (403, "Not allowed"),
                Reason.KEY_WRONG_KIND,
                "Claude Enterprise key",
                [ANALYTICS_COST, OLDER_COST, ME],
            ),
            ((503, ""), Reason.UPSTREAM_UNAVAILABLE, "503", [ANALYTICS_COST]),
        ],
    )
    def test_that_is_refused_has_one_cause(self, upstream, refused, reason, words, urls):
        for url in (ANALYTICS_COST, OLDER_COST, ME):
            refuse(upstream, url, *refused)

        result = try_key(SCOPED)

        assert (result.ok, result.reason) == (False, reason)
        assert words in result.detail
        assert asked(upstream) == urls

    def test_whose_answer_names_no_organisation_cannot_be_stored(self, upstream):
        upstream.get(ANALYTICS_COST, json=ROWS, headers={"request-id": "req_1"})
        refuse(upstream, OLDER_COST, 403)
        refuse(upstream, ME, 403, NO_ADMIN)

        result = try_key(SCOPED)

        assert (result.ok, result.reason) == (False, Reason.UPSTREAM_UNREADABLE)
        assert "which organisation" in result.detail


class TestTokens:
    def test_are_taken_before_each_request_for_organisation_and_family(self, upstream):
        give_console(upstream)
        taken = []

        try_key(take_token=lambda *who: taken.append((*who, len(upstream.calls))))

        assert taken == [
            (None, "classic", 0), (OWNER, "classic", 1), (OWNER, "analytics", 2), (OWNER, "analytics", 3),
        ]  # fmt: skip

    def test_of_an_enterprise_key_are_known_to_be_its_own_after_the_first_answer(self, upstream):
        give(upstream, ANALYTICS_COST, ROWS)
        refuse(upstream, ME, 403, NO_ADMIN)
        give(upstream, ANALYTICS_USAGE, ROWS)
        refuse(upstream, USERS, 403)
        taken = []

        try_key(SCOPED, take_token=lambda *who: taken.append(who))

        assert taken == [
            (None, "analytics"), (OWNER, "classic"), (OWNER, "analytics"), (OWNER, "analytics"),
        ]  # fmt: skip

    def test_are_not_taken_for_what_is_not_a_key(self):
        taken = []

        try_key("hello", take_token=lambda *who: taken.append(who))

        assert taken == []

    def test_refused_become_a_result_that_says_how_long_to_wait(self, upstream):
        result = try_key(take_token=refuse_token(after=0))

        assert (result.ok, result.reason, result.retry_after_seconds) == (False, Reason.RATE_LIMITED, 42)
        assert result.rate_limited == {}
        assert len(upstream.calls) == 0

    def test_refused_after_the_bill_leave_the_rest_open(self, upstream):
        give_console(upstream)

        result = try_key(take_token=refuse_token(after=2))

        assert (result.ok, result.rate_limited) == (True, {})
        assert answers(result)["analytics_cost"] is None


def refuse_token(after):
    granted = iter(range(after))

    def take(_organization_id, _family):
        if next(granted, None) is None:
            raise UpstreamError.told(advice(Reason.RATE_LIMITED), Fate.RETRYABLE, retry_after_seconds=42)

    return take


class TestAgainstTheSimulator:
    @pytest.mark.parametrize(
        ("kind", "ok", "origin"),
        [
            ("admin", True, Origin.CLAUDE_PLATFORM),
            (ENTERPRISE, True, Origin.CLAUDE_AI),
            (MEMBERS, True, Origin.CLAUDE_AI),
            (INFERENCE, False, None),
        ],
    )
    def test_tells_every_kind_of_key(self, simulator, kind, ok, origin):
        result = try_key(key_text("acorn-studio", kind), base=simulator.base_url)

        assert (result.ok, result.origin) == (ok, origin)

    def test_that_lacks_its_scope_says_so_in_one_sentence(self, upstream):
        refuse(upstream, ANALYTICS_COST, 403, "Missing required scopes: read:analytics")
        refuse(upstream, OLDER_COST, 403, "Missing required scopes: read:analytics")
        refuse(upstream, ME, 403, "Missing required scopes: api:admin")

        result = try_key(SCOPED)

        assert (result.reason, result.detail) == (
            Reason.SCOPE_MISSING,
            "This key lacks a scope: it needs read:analytics.",
        )

    def test_that_may_not_says_so_in_one_sentence(self, upstream):
        for url in (ANALYTICS_COST, OLDER_COST, ME):
            refuse(upstream, url, 403, "Not for you")

        result = try_key(SCOPED)

        assert (result.reason, result.detail) == (
            Reason.KEY_WRONG_KIND,
            "This Claude Enterprise key cannot read cost reports: Not for you.",
        )

    def test_of_an_organisation_with_hipaa_readiness_reads_its_classic_report(self, upstream):
        give_organization(upstream)
        give(upstream, COST, WITH_COST)
        refuse(upstream, ANALYTICS_COST, 400, "Not available for organizations with HIPAA readiness")
        refuse(upstream, ANALYTICS_USAGE, 400, "Not available for organizations with HIPAA readiness")

        result = try_key()

        found = {one.name: (one.ok, one.reason) for one in result.capabilities}
        assert result.ok
        assert found["cost_report"] == (True, None)
        assert found["analytics_cost"] == found["analytics_usage"] == (False, Reason.HIPAA_NOT_SERVED)

    def test_of_an_enterprise_with_hipaa_readiness_names_the_cause(self, upstream):
        for url in (ANALYTICS_COST, OLDER_COST):
            refuse(upstream, url, 400, "Not available for organizations with HIPAA readiness")
        refuse(upstream, ME, 403, "Not for you")

        result = try_key(SCOPED)

        assert (result.ok, result.reason) == (False, Reason.HIPAA_NOT_SERVED)
        assert result.detail.count(".") == 1

    @pytest.mark.parametrize("status", [404, 405, 410, 501])
    def test_does_without_a_report_that_is_gone(self, upstream, status):
        give_organization(upstream)
        give(upstream, COST, WITH_COST)
        refuse(upstream, ANALYTICS_COST, status, "gone")
        refuse(upstream, ANALYTICS_USAGE, status, "gone")

        result = try_key()

        assert result.ok
        assert (answers(result)["analytics_cost"], answers(result)["analytics_usage"]) == (False, False)

    def test_sees_members_only_with_their_scope(self, simulator):
        without = try_key(key_text("acorn-studio", ENTERPRISE), base=simulator.base_url)
        with_scope = try_key(key_text("acorn-studio", MEMBERS), base=simulator.base_url)

        assert (answers(without)["members"], answers(with_scope)["members"]) == (False, True)
