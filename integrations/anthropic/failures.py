"""Owns the error table: every answer that is not a success becomes one reason and one fate; must not read a body as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from integrations.anthropic.wire import WireError, decode, read_moment
from integrations.errors import Fate, Particulars, Reason, UpstreamError, advice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from integrations.errors import Advice
    from integrations.http import RawResponse

# However long we are told to wait, we look again within a day: a wrong header must not stop a connection for good.
_MAX_WAIT_SECONDS = 86_400.0

_QUOTED_CHARACTERS = 200
_SEARCHED_CHARACTERS = 2000
_IDENTIFIER = re.compile(r"[\w.:\-]{1,128}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
# Observed: "Missing required scopes. Got: ['api:admin'] Needed: ['read:analytics']" (apache/devlake #8977).
_SCOPES = re.compile(
    r"Got:\s*\[(?P<got>[^\]]*)\].*?Needed:\s*\[(?P<needed>[^\]]*)\]", re.IGNORECASE | re.DOTALL
)
_SCOPE = re.compile(r"[\w:.\-]{1,60}", re.ASCII)
# Other forms name scopes in a sentence: "Missing required scopes: read:analytics", "… does not meet scope requirement
# user:profile" (anthropics/claude-code #12529). Words between tell which are there and which are missing.
_SPEAKS_OF_SCOPES = re.compile(r"\bscopes?\b", re.IGNORECASE)
_SCOPE_WORDS = re.compile(
    r"\b(?P<got>got|has|have|having|granted|given|provided)\b"
    r"|\b(?P<needed>need\w*|requir\w+|miss\w+|lack\w*|without)\b"
    r"|(?<![\w:.\-])(?P<scope>[a-z][\w\-]{0,30}:[a-z][\w\-:]{0,30})",
    re.IGNORECASE | re.ASCII,
)
_CLAUSE_ENDS = re.compile(r"[.;](?:\s|$)")
# Statuses of a report that is not there, if Anthropic itself says so; with a cursor, 410 is about the cursor.
_NOT_THERE = frozenset({404, 405, 410, 501})
_BAD_REQUEST = 400
# "Unexpected value(s) `…` for the `anthropic-beta` header": of a beta that ended or that this organisation is not in.
_NOT_OFFERED = re.compile(
    r"anthropic-beta|\bbeta (header|flag)"
    r"|\bnot (available|supported|enabled|offered) (for|on|in|to) (your|this) (organi[sz]ation|plan|account)",
    re.IGNORECASE,
)
_HIPAA = re.compile(r"hipaa", re.IGNORECASE)
_CURSOR = re.compile(r"cursor|page|token|after_id", re.IGNORECASE)
_INDIVIDUAL = re.compile(r"\b(individual|personal) (account|user|tier|plan)", re.IGNORECASE)
# Upstream ends a range where its finished days end: of today alone nothing is left. The relatives are other spellings.
_NOTHING_YET = re.compile(
    r"\bend(ing)?[ _]?(date|day|at)? must be (after|later than) (the )?start", re.IGNORECASE
)
_TOO_EARLY = re.compile(
    r"starting_at.*(earliest|on or after|too old|too far|365 days)", re.IGNORECASE | re.DOTALL
)

# `error.details.error_code` is an open set: these say more than the status, all others leave it to the status, as does
# api_key_scope_missing, whose scopes stand in the message.
_BY_CODE: Mapping[str, tuple[Reason, str]] = {
    "organization_on_hold": (Reason.KEY_REJECTED, "on_hold"),
    "organization_type_not_supported": (Reason.KEY_WRONG_KIND, ""),
    "organization_not_enrolled_in_beta": (Reason.KEY_WRONG_KIND, ""),
    "organization_level_scoped_api_key_required": (Reason.KEY_WRONG_KIND, ""),
    "parent_organization_required": (Reason.KEY_WRONG_KIND, ""),
}


@dataclass(frozen=True, slots=True)
class _Said:
    message: str
    code: str
    request_id: str | None
    is_json: bool
    is_anthropics: bool = False

    @property
    def quoted(self) -> str:
        return f": {self.message[:_QUOTED_CHARACTERS]}" if self.message else ""


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """The id Anthropic gave a request, if it looks like one."""
    return identifier(headers.get("request-id"))


def identifier(value: object) -> str | None:
    """A value from upstream that may be shown and stored as an id; None for anything else."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


def failure(
    response: RawResponse, *, cursor: str | None, now: Callable[[], datetime] | None = None
) -> UpstreamError:
    """
    Sort an answer whose status is not 200 into a reason and a fate.

    Shape:   RESTART only if a cursor was sent: without one, the same refusal would come again for ever
    Units:   `retry_after_seconds` from the headers, at most a day; None when nothing was said
    """
    said = _read_error(response)
    told, fate = _verdict(response.status, said, has_cursor=cursor is not None)
    is_absent = fate is not Fate.RESTART and _is_absent(response.status, said)
    wait = None if fate is Fate.FATAL else retry_after_seconds(response.headers, now)
    return UpstreamError.told(
        told,
        fate,
        retry_after_seconds=wait,
        request_id=said.request_id,
        status=response.status,
        particulars=Particulars(_scopes(said).get("got", ()), said.quoted, is_absent),
    )


def retry_after_seconds(
    headers: Mapping[str, str], now: Callable[[], datetime] | None = None
) -> float | None:
    """
    How long upstream asks us to wait, in seconds; None when it says nothing understandable.

    A moment is one of the server's clock, so it is measured against the server's own `date` where sent, and
    against `now` only without it.
    """
    for name, unit in (("retry-after", 1), ("retry-after-ms", 1000)):
        value = headers.get(name, "").strip()
        if _SECONDS.fullmatch(value):
            return min(float(value) / unit, _MAX_WAIT_SECONDS)
    # RFC 9110 allows a date in place of the seconds: a proxy on the way may send one.
    until = _read_http_date(headers.get("retry-after", "")) or _read_reset(headers)
    reference = _server_time(headers) or (now() if now else None)
    if until is None or reference is None:
        return None
    return min(max((until - reference).total_seconds(), 0.0), _MAX_WAIT_SECONDS)


def _read_reset(headers: Mapping[str, str]) -> datetime | None:
    try:
        return read_moment(headers.get("anthropic-ratelimit-requests-reset", "").strip())
    except WireError:
        return None


def _server_time(headers: Mapping[str, str]) -> datetime | None:
    text = headers.get("date", "")
    return None if text.rstrip().endswith("-0000") else _read_http_date(text)


def _read_http_date(text: str) -> datetime | None:
    """Return the moment of an HTTP date, which is always in GMT; its oldest form does not say so."""
    try:
        moment = parsedate_to_datetime(text.strip())
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read_error(response: RawResponse) -> _Said:
    request_id = request_id_of(response.headers)
    try:
        document = decode(response.body)
    except WireError:
        return _Said("", "", request_id, is_json=False)
    error = document.get("error")
    error = error if isinstance(error, dict) else {}
    is_anthropics = isinstance(error.get("type") or error.get("message"), str)
    details = error.get("details")
    details = details if isinstance(details, dict) else {}
    return _Said(
        message=str(error.get("message") or "")[:_SEARCHED_CHARACTERS],
        code=str(details.get("error_code") or ""),
        request_id=request_id or identifier(document.get("request_id")),
        is_json=True,
        is_anthropics=is_anthropics,
    )


def _verdict(status: int, said: _Said, *, has_cursor: bool) -> tuple[Advice, Fate]:  # noqa: PLR0911 - a table
    match status // 100, status:
        case 4, 410:
            return _list_changed(status), Fate.RESTART if has_cursor else Fate.RETRYABLE
        case 4, 400 if has_cursor and _CURSOR.search(said.message):
            return _list_changed(status), Fate.RESTART
        case 4, 429:
            return advice(Reason.RATE_LIMITED), Fate.RETRYABLE
        case (4, 408 | 409) | (5, _):
            cause = f"it answered {status}{said.quoted}"
            return advice(Reason.UPSTREAM_UNAVAILABLE, cause=cause), Fate.RETRYABLE
        case 4, 403 if not said.is_json:
            # Not Anthropic's words, but a firewall's or a proxy's: the key is not to blame.
            cause = "something on the way refused the request (403)"
            return advice(Reason.UPSTREAM_UNAVAILABLE, cause=cause), Fate.RETRYABLE
        case 4, _:
            return _refusal(status, said), Fate.FATAL
        case 3, _:
            return _unreadable(f"it redirects elsewhere ({status}), which we never follow", said), Fate.FATAL
        case _:
            return _unreadable(f"it came with status {status}", said), Fate.RETRYABLE


def _refusal(status: int, said: _Said) -> Advice:  # noqa: PLR0911 - a table
    """Statuses 400 to 499 that another attempt would not change."""
    match status:
        case 401:
            return advice(Reason.KEY_REJECTED)
        case 402:
            return advice(Reason.KEY_REJECTED, "billing")
        case 400 | 403 if _INDIVIDUAL.search(said.message):
            return advice(Reason.ORGANIZATION_REQUIRED)
        case 400 | 403 | 404 if _HIPAA.search(said.message + said.code):
            return advice(Reason.HIPAA_NOT_SERVED)
        case 403 if said.code == "api_key_scope_missing" or _SPEAKS_OF_SCOPES.search(said.message):
            facts = {name: ", ".join(listed) or "none" for name, listed in _scopes(said).items()}
            return advice(Reason.SCOPE_MISSING, "" if "got" in facts else "needed", **facts)
        case 400 | 403 if said.code in _BY_CODE:
            return advice(*_BY_CODE[said.code])
        case 403:
            return advice(Reason.KEY_WRONG_KIND, cause=said.quoted)
        case 400 if _TOO_EARLY.search(said.message):
            return advice(Reason.HISTORY_FLOOR, cause=said.quoted)
        case 400 if _NOTHING_YET.search(said.message):
            return advice(Reason.NO_USAGE)
        case _:
            variant = "no_report" if _is_absent(status, said) else "refused"
            return _unreadable(f"status {status}{said.quoted}", said, variant)


def _list_changed(status: int) -> Advice:
    return advice(Reason.UPSTREAM_UNAVAILABLE, cause=f"the list changed while it was being read ({status})")


def _is_absent(status: int, said: _Said) -> bool:
    """Say whether there is no such report, in Anthropic's words: those of a proxy on the way say nothing of it."""
    if status in _NOT_THERE:
        return said.is_anthropics
    return status == _BAD_REQUEST and (
        said.code == "organization_not_enrolled_in_beta" or bool(_NOT_OFFERED.search(said.message))
    )


def _scopes(said: _Said) -> dict[str, tuple[str, ...]]:
    """Return the scopes that a refusal names: those the key has and those it needs; neither when it speaks of none."""
    found = _SCOPES.search(said.message)
    if found:
        return {name: tuple(_SCOPE.findall(text)) for name, text in found.groupdict().items()}
    if not _SPEAKS_OF_SCOPES.search(said.message):
        return {}
    scopes: dict[str, list[str]] = {}
    kind = "needed"
    for clause in _CLAUSE_ENDS.split(said.message):
        words = [(word.lastgroup, word[0]) for word in _SCOPE_WORDS.finditer(clause)]
        kinds = {name for name, _ in words if name != "scope"}
        if len(kinds) == 1:
            # Also a word that follows: "the scope read:analytics is required".
            kind = str(kinds.pop())
        for name, text in words:
            if name == "scope":
                scopes.setdefault(kind, []).append(text)
            else:
                kind = str(name)
    return {name: tuple(listed) for name, listed in scopes.items()}


def _unreadable(cause: str, said: _Said, variant: str = "") -> Advice:
    facts = {"request_id": said.request_id} if said.request_id else {}
    return advice(Reason.UPSTREAM_UNREADABLE, variant, cause=cause, **facts)
