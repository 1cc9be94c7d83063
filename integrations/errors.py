"""Owns what can go wrong with a provider: one reason, one fate and one text for a person each; must not log and must hold no secret."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Enough for a sentence and a quoted upstream message, too little for a response body.
MAX_TEXT_CHARACTERS = 600

# Anything longer than a kind of key ("sk-ant-api03-"), which our own sentences name.
_KEY = re.compile(r"sk-ant-[\w\-.~+/=]{8,}")


class Reason(StrEnum):
    """Why a connection does not do what it should: the stable codes of the API, the pages and the metrics."""

    KEY_MALFORMED = "key_malformed"
    KEY_WRONG_KIND = "key_wrong_kind"
    KEY_REJECTED = "key_rejected"
    SCOPE_MISSING = "scope_missing"
    ORGANIZATION_REQUIRED = "organization_required"
    ORGANIZATION_MISMATCH = "organization_mismatch"
    ALREADY_CONNECTED = "already_connected"
    RATE_LIMITED = "rate_limited"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    UPSTREAM_UNREADABLE = "upstream_unreadable"
    HIPAA_NOT_SERVED = "hipaa_not_served"
    HISTORY_FLOOR = "history_floor"
    NO_USAGE = "no_usage"
    # Ours, not upstream's: the stored key cannot be decrypted with the key ring of this installation.
    KEY_UNREADABLE = "key_unreadable"


# What passes by itself: it says nothing of the key.
PASSING = frozenset({Reason.RATE_LIMITED, Reason.UPSTREAM_UNAVAILABLE})


class Fate(StrEnum):
    """What to do next: stop until a person acts, try the same request later, or ask the query again from page one."""

    FATAL = "fatal"
    RETRYABLE = "retryable"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person reads about a reason: `detail` says what happened, `remedy` what to do about it."""

    reason: Reason
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Template:
    detail: str
    remedy: str
    defaults: Mapping[str, str] = field(default_factory=dict)


_ANALYTICS_KEY = "an Analytics key with read:analytics (claude.ai > Organization settings > API)"
_NEW_KEY = (
    "Create an Admin key in the Claude Console (Settings > Admin keys), or for Claude Enterprise "
    f"{_ANALYTICS_KEY}, and use it here."
)
_PASTE_WHOLE = "Paste the whole key; it starts with sk-ant- and holds no spaces or line breaks."
_TEMPORARY = "Temporary: the next attempt is {next_attempt}; there is nothing to do."
_BY_ITSELF = "made automatically"
# What nobody but the person does again: a test of a key.
_TRY_AGAIN = "Temporary: try again {when}."
_SOON = "in a few minutes"
_ALL_USED = "All requests that this organisation may be sent for the moment are used up."
_NO_ANSWER = "Anthropic could not be reached or could not answer: {cause}."
_STORED_UNTOUCHED = (
    "Stored data is untouched. If it stays like this, report it with the request id ({request_id})."
)

# (reason, variant): the variant tells apart cases of one reason that need other words. "" is the general case.
_TEMPLATES: Mapping[tuple[Reason, str], _Template] = {
    (Reason.KEY_MALFORMED, ""): _Template("This is not an Anthropic key.", _PASTE_WHOLE),
    (Reason.KEY_MALFORMED, "prefix"): _Template(
        "This is not an Anthropic key: it does not start with sk-ant-.", _PASTE_WHOLE
    ),
    (Reason.KEY_MALFORMED, "characters"): _Template(
        "This key holds a space, a line break or a character that no Anthropic key has.", _PASTE_WHOLE
    ),
    (Reason.KEY_MALFORMED, "oauth"): _Template(
        "This is a short-lived sign-in token (sk-ant-oat01-…), not a key: it expires within hours.", _NEW_KEY
    ),
    (Reason.KEY_WRONG_KIND, ""): _Template(
        "Anthropic does not let this kind of key read cost reports{cause}.", _NEW_KEY, {"cause": ""}
    ),
    (Reason.KEY_WRONG_KIND, "inference"): _Template(
        "This is a key for calling models (sk-ant-api03-…); it cannot read cost reports.", _NEW_KEY
    ),
    (Reason.KEY_WRONG_KIND, "enterprise"): _Template(
        "This Claude Enterprise key cannot read cost reports{cause}.",
        f"The primary owner of the organisation can create {_ANALYTICS_KEY}; use that here.",
        {"cause": ""},
    ),
    (Reason.KEY_REJECTED, ""): _Template(
        "Anthropic refused this key (401): it was deleted, rotated, or has expired.",
        "Create another key at Anthropic and use it here.",
    ),
    (Reason.KEY_REJECTED, "billing"): _Template(
        "Anthropic reports a billing problem for this organisation (402).",
        "Settle billing with Anthropic, then test the connection again.",
    ),
    (Reason.KEY_REJECTED, "on_hold"): _Template(
        "Anthropic has put this organisation on hold.",
        "Resolve the hold with Anthropic, then test the connection again.",
    ),
    (Reason.SCOPE_MISSING, ""): _Template(
        "This key lacks a scope: it has {got}, and needs {needed}.",
        "Create another key with {needed} and use it here.",
        {"got": "other scopes", "needed": "the scope for cost reports"},
    ),
    # Upstream does not always say which it has.
    (Reason.SCOPE_MISSING, "needed"): _Template(
        "This key lacks a scope: it needs {needed}.",
        "Create another key with {needed} and use it here.",
        {"needed": "the scope for cost reports"},
    ),
    (Reason.ORGANIZATION_REQUIRED, ""): _Template(
        "This key belongs to an individual account; cost reports exist for organisations only.",
        "Set up an organisation. Only its admins (Console) or its primary owner (Enterprise) can create such keys.",
    ),
    (Reason.ORGANIZATION_MISMATCH, ""): _Template(
        "This key belongs to {found}, but the connection belongs to {expected}.",
        "Use a key of {expected}, or add {found} as a connection of its own.",
        {"found": "another organisation", "expected": "the organisation it was made for"},
    ),
    (Reason.ALREADY_CONNECTED, ""): _Template(
        "This organisation is already connected: {existing}.",
        "Open that connection; its key can be rotated there.",
        {"existing": "another connection of this account"},
    ),
    (Reason.RATE_LIMITED, ""): _Template(
        "Too many requests at the moment; Anthropic asks to wait.", _TEMPORARY, {"next_attempt": _BY_ITSELF}
    ),
    (Reason.RATE_LIMITED, "by_person"): _Template(
        "Too many requests at the moment; Anthropic asks to wait.", _TRY_AGAIN, {"when": _SOON}
    ),
    # Our own limiter, not upstream's.
    (Reason.RATE_LIMITED, "limiter"): _Template(_ALL_USED, _TRY_AGAIN, {"when": _SOON}),
    (Reason.RATE_LIMITED, "place_kept"): _Template(
        _ALL_USED,
        "Temporary: try again {when}; your place is kept until {until}.",
        {"when": _SOON, "until": "a little later"},
    ),
    (Reason.UPSTREAM_UNAVAILABLE, ""): _Template(
        _NO_ANSWER, _TEMPORARY, {"cause": "no answer", "next_attempt": _BY_ITSELF}
    ),
    (Reason.UPSTREAM_UNAVAILABLE, "by_person"): _Template(
        _NO_ANSWER, _TRY_AGAIN, {"cause": "no answer", "when": _SOON}
    ),
    (Reason.UPSTREAM_UNREADABLE, ""): _Template(
        "Anthropic's answer cannot be trusted: {cause}.",
        _STORED_UNTOUCHED,
        {"cause": "it has an unknown shape", "request_id": "none was sent"},
    ),
    (Reason.UPSTREAM_UNREADABLE, "refused"): _Template(
        "Anthropic refused our request as wrong: {cause}.",
        _STORED_UNTOUCHED,
        {"cause": "no explanation was given", "request_id": "none was sent"},
    ),
    # Retired, renamed, or not for this kind of organisation: nothing is wrong with the request.
    (Reason.UPSTREAM_UNREADABLE, "no_report"): _Template(
        "Anthropic has no such report for this organisation: {cause}.",
        _STORED_UNTOUCHED,
        {"cause": "no explanation was given", "request_id": "none was sent"},
    ),
    (Reason.HIPAA_NOT_SERVED, ""): _Template(
        "Anthropic does not serve this report for an organisation with HIPAA readiness.",
        "Nothing to do here: the classic reports of a Console organisation are read all the same. The report of a "
        "parent organisation leaves such organisations out.",
    ),
    (Reason.HISTORY_FLOOR, ""): _Template(
        "Anthropic does not report days this early{cause}.",
        "Nothing to do: {fetched} was fetched instead.",
        {"cause": "", "fetched": "everything from the earliest available day on"},
    ),
    (Reason.KEY_UNREADABLE, ""): _Template(
        "The stored key of this connection cannot be read: {cause}",
        "Put the entry that it was stored with back into CREDENTIAL_KEYS, or replace the key of this connection.",
        {"cause": "it cannot be decrypted."},
    ),
    (Reason.NO_USAGE, ""): _Template(
        "The key works, but there is no usage in this window, or it is not available yet.",
        "Usage appears after about 5 minutes (Enterprise: up to 24 hours). Use force sync to look again.",
    ),
}


def advice(reason: Reason, variant: str = "", **facts: str) -> Advice:
    """
    Word a reason for a person, with what is known of the case filled in.

    Shape:   facts the caller does not know take a neutral default; text is redacted and bounded
    Raises:  KeyError, TypeError: no such variant, or a fact this text has no place for (both are bugs)
    """
    template = _TEMPLATES[reason, variant]
    unknown = facts.keys() - template.defaults.keys()
    if unknown:
        raise TypeError(f"{reason} has no place for {', '.join(sorted(unknown))}")
    known = {**template.defaults, **facts}
    return Advice(
        reason,
        presentable(template.detail.format_map(known)),
        presentable(template.remedy.format_map(known)),
    )


def presentable(text: str) -> str:
    """Make text safe to show and to log: one line, no key, bounded length."""
    line = " ".join(_KEY.sub("[key]", text).split())
    printable = "".join(character for character in line if character.isprintable())
    if len(printable) <= MAX_TEXT_CHARACTERS:
        return printable
    return printable[: MAX_TEXT_CHARACTERS - 1] + "…"


@dataclass(frozen=True, slots=True)
class Particulars:
    """
    What upstream said of a failure beside its reason.

    Shape:   `scopes` are those that the key has, empty when nothing is said of them; `quoted` is its own message;
             `is_absent`: it has no such report, whoever asks
    """

    scopes: tuple[str, ...] = ()
    quoted: str = ""
    is_absent: bool = False


NO_PARTICULARS = Particulars()


class UpstreamError(Exception):
    """
    A provider did not answer as needed: one reason, one fate, and sentences a person can act on.

    Shape:   `detail` and `remedy` are redacted and bounded here, whatever the caller passes; `particulars` is what upstream
             said beside them
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        remedy: str,
        fate: Fate,
        *,
        retry_after_seconds: float | None = None,
        request_id: str | None = None,
        status: int | None = None,
        particulars: Particulars = NO_PARTICULARS,
    ) -> None:
        self.reason = reason
        self.detail = presentable(detail)
        self.remedy = presentable(remedy)
        self.fate = fate
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id
        self.status = status
        self.scopes = tuple(presentable(scope) for scope in particulars.scopes)
        self.quoted = presentable(particulars.quoted)
        self.is_absent = particulars.is_absent
        super().__init__(f"{reason}: {self.detail}")

    @classmethod
    def told(
        cls,
        told: Advice,
        fate: Fate,
        *,
        retry_after_seconds: float | None = None,
        request_id: str | None = None,
        status: int | None = None,
        particulars: Particulars = NO_PARTICULARS,
    ) -> UpstreamError:
        """Build the error from the words of `advice`."""
        return cls(
            told.reason,
            told.detail,
            told.remedy,
            fate,
            retry_after_seconds=retry_after_seconds,
            request_id=request_id,
            status=status,
            particulars=particulars,
        )


def unreadable(
    cause: str, *, request_id: str | None = None, status: int | None = None, fate: Fate = Fate.FATAL
) -> UpstreamError:
    """
    Build the error for an answer that must not be stored.

    Shape:   FATAL for an answer that means something wrong, RETRYABLE for one that was damaged on its way
    """
    facts = {"request_id": request_id} if request_id else {}
    told = advice(Reason.UPSTREAM_UNREADABLE, cause=cause, **facts)
    return UpstreamError.told(told, fate, request_id=request_id, status=status)


def unavailable(cause: str) -> UpstreamError:
    """Build the error for no answer at all: worth another attempt later."""
    told = advice(Reason.UPSTREAM_UNAVAILABLE, cause=cause)
    return UpstreamError.told(told, Fate.RETRYABLE)
