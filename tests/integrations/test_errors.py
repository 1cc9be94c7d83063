from __future__ import annotations

import pytest

from integrations.errors import (
    MAX_TEXT_CHARACTERS,
    Advice,
    Fate,
    Reason,
    UpstreamError,
    advice,
    presentable,
    unavailable,
    unreadable,
)

KEY = "sk-ant-admin01-Zm9v_YmFy-secret"


class TestAdvice:
    @pytest.mark.parametrize("reason", list(Reason))
    def test_has_a_cause_and_a_remedy_for_every_reason_without_any_facts(self, reason):
        told = advice(reason)

        assert told.reason is reason
        assert told.detail
        assert told.remedy
        assert "{" not in told.detail + told.remedy

    @pytest.mark.parametrize(
        ("reason", "facts", "words"),
        [
            (
                Reason.SCOPE_MISSING,
                {"got": "read:members", "needed": "read:analytics"},
                "has read:members, and needs read:analytics",
            ),
            (
                Reason.ORGANIZATION_MISMATCH,
                {"found": "Beta", "expected": "Alpha"},
                "belongs to Beta, but the connection belongs to Alpha",
            ),
            (
                Reason.ALREADY_CONNECTED,
                {"existing": "Anthropic (Alpha)"},
                "already connected: Anthropic (Alpha)",
            ),
            (
                Reason.HISTORY_FLOOR,
                {"fetched": "everything since 2026-01-01"},
                "everything since 2026-01-01 was fetched",
            ),
            (Reason.RATE_LIMITED, {"next_attempt": "at 06:01 UTC"}, "next attempt is at 06:01 UTC"),
            (Reason.UPSTREAM_UNREADABLE, {"cause": "no", "request_id": "req_1"}, "request id (req_1)"),
        ],
    )
    def test_says_what_is_known_of_the_case(self, reason, facts, words):
        told = advice(reason, **facts)

        assert words in f"{told.detail} {told.remedy}"

    @pytest.mark.parametrize(
        ("variant", "words"),
        [
            ("", "it starts with sk-ant- and"),
            ("prefix", "does not start with sk-ant-."),
            ("oauth", "(sk-ant-oat01-…)"),
        ],
    )
    def test_may_name_a_kind_of_key(self, variant, words):
        told = advice(Reason.KEY_MALFORMED, variant)

        assert words in f"{told.detail} {told.remedy}"

    def test_refuses_a_fact_it_has_no_place_for(self):
        with pytest.raises(TypeError, match="no place for caus"):
            advice(Reason.RATE_LIMITED, caus="typing error")

    def test_refuses_an_unknown_variant(self):
        with pytest.raises(KeyError):
            advice(Reason.RATE_LIMITED, "no such variant")

    def test_takes_facts_as_they_are(self):
        assert "{cause}" in advice(Reason.UPSTREAM_UNAVAILABLE, cause="{cause}").detail


class TestPresentable:
    def test_removes_keys(self):
        assert presentable(f"x-api-key: {KEY}, and more") == "x-api-key: [key], and more"

    def test_is_one_printable_line(self):
        assert presentable("a\r\n b\x00\x1b[31m") == "a b[31m"

    def test_is_bounded(self):
        assert presentable("x" * MAX_TEXT_CHARACTERS) == "x" * MAX_TEXT_CHARACTERS
        assert presentable("x" * 10_000) == "x" * (MAX_TEXT_CHARACTERS - 1) + "…"


class TestUpstreamError:
    def test_says_reason_and_cause(self):
        error = UpstreamError(Reason.KEY_REJECTED, "Refused.", "Make another.", Fate.FATAL, status=401)

        assert str(error) == "key_rejected: Refused."
        assert (error.remedy, error.status, error.request_id, error.retry_after_seconds) == (
            "Make another.",
            401,
            None,
            None,
        )

    def test_holds_no_key_whatever_it_is_given(self):
        error = UpstreamError(Reason.KEY_REJECTED, f"Refused {KEY}.", f"Replace {KEY}.", Fate.FATAL)

        assert KEY not in f"{error!r} {error} {error.detail} {error.remedy} {error.args}"

    def test_is_built_from_advice(self):
        error = UpstreamError.told(
            Advice(Reason.NO_USAGE, "None.", "Wait."), Fate.RETRYABLE, retry_after_seconds=5
        )

        assert (error.reason, error.detail, error.remedy) == (Reason.NO_USAGE, "None.", "Wait.")
        assert (error.fate, error.retry_after_seconds) == (Fate.RETRYABLE, 5)


class TestUnreadable:
    def test_is_fatal_and_names_the_request(self):
        error = unreadable("an amount is 'abc'", request_id="req_7", status=200)

        assert (error.reason, error.fate, error.request_id) == (
            Reason.UPSTREAM_UNREADABLE,
            Fate.FATAL,
            "req_7",
        )
        assert "req_7" in error.remedy

    def test_says_so_when_there_is_no_request_id(self):
        assert "none was sent" in unreadable("it is empty").remedy


class TestUnavailable:
    def test_is_worth_another_attempt(self):
        error = unavailable("the connection was refused")

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNAVAILABLE, Fate.RETRYABLE)
