"""Owns finding out what a key is and may see, in a few requests; stores nothing and never raises for a bad key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from costs.records import Origin
from foundation.periods import trailing
from integrations.anthropic import endpoints, keys
from integrations.anthropic.capabilities import Capability, list_all, list_asked
from integrations.anthropic.probe_session import ProbeSession, is_refusal
from integrations.anthropic.reports.analytics import glance_request
from integrations.anthropic.reports.classic_cost import cost_report_request
from integrations.anthropic.reports.enterprise import EnterpriseQuery
from integrations.anthropic.reports.names import people_request
from integrations.errors import Fate, Reason, UpstreamError, advice

if TYPE_CHECKING:
    from datetime import date

    from integrations.anthropic.client import AnthropicClient, Organization
    from integrations.anthropic.probe_session import TakeToken
    from integrations.anthropic.report_spec import Family
    from integrations.pages import PageRequest

__all__ = ["Capability", "ProbeResult", "probe"]

# What is asked about: an Enterprise export may be a day late, a weekend may be empty, and of one day alone upstream may
# have nothing finished yet.
_DAYS = 7
_READ_ANALYTICS, _ADMIN = "read:analytics", "api:admin"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """
    What a key turned out to be.

    Shape:   `ok`: the bill can be read, whatever else cannot; with reason no_usage there just is nothing to read
             yet. `origin` and `organization` None: not found out. `retry_after_seconds` only if upstream or the
             limiter said so; `rate_limited` holds each family that was answered 429, with the wait asked for
    """

    ok: bool
    origin: Origin | None
    organization: Organization | None
    capabilities: list[Capability]
    reason: Reason | None
    detail: str
    remedy: str
    request_ids: list[str]
    retry_after_seconds: float | None = None
    rate_limited: dict[Family, float | None] = field(default_factory=dict)


def probe(client: AnthropicClient, api_key: str, *, today: date, take_token: TakeToken) -> ProbeResult:
    """
    Find out whose key this is, of which kind of organisation, and what it can read.

    `take_token` is called before each request, with the organisation's id once it is known and the family of the
    endpoint, and may raise UpstreamError(rate_limited). Every UpstreamError becomes a result.

    1. The key's text: what cannot be a key never reaches the network.
    2. The kind of organisation: the prefix says what is asked first, the answers decide. Only a Claude Console
       organisation says its name and has the classic cost report.
    3. The bill, then what tells most about the rest.
    """
    session = ProbeSession(client, take_token)
    origin: Origin | None = None
    try:
        keys.require_key_shape(api_key)
        is_enterprise = keys.looks_like_enterprise(api_key)
        find_origin = _enterprise_first if is_enterprise else _console_first
        origin = find_origin(session, api_key, today)
        _read_bill_and_rest(session, origin, today)
    except UpstreamError as error:
        return _refused(session, origin, error)
    return _passed(session, origin)


def _console_first(session: ProbeSession, api_key: str, today: date) -> Origin:
    try:
        session.identify()
    except UpstreamError as error:
        told = _recognise(error, api_key)
        session.reword(endpoints.ORGANIZATION, told)
        if not (is_refusal(error) and _may_be_enterprise(error, api_key)):
            raise told from error
        refusal = _enterprise_bill(session, today)
        if refusal is not None:
            raise told from refusal
        del session.outcomes[endpoints.ORGANIZATION]
        return Origin.CLAUDE_AI
    return Origin.CLAUDE_PLATFORM


def _enterprise_first(session: ProbeSession, api_key: str, today: date) -> Origin:
    """
    Ask for the bill of a Claude Enterprise organisation, then make sure that it is one.

    Admin keys may read the same reports, so an answer alone does not tell the two kinds apart; taken for the
    other kind, the same amounts would be stored a second time.
    """
    refusal = _enterprise_bill(session, today)
    if refusal is not None and refusal.scopes and _ADMIN not in refusal.scopes:
        raise _recognise(refusal, api_key)
    if _is_console(session, today):
        return Origin.CLAUDE_PLATFORM
    if refusal is not None:
        raise _recognise(refusal, api_key)
    return Origin.CLAUDE_AI


def _enterprise_bill(session: ProbeSession, today: date) -> UpstreamError | None:
    """Read the new report, else the older one; None when one of them answered, else why the new one did not."""
    days = trailing(today, _DAYS)
    refusal = session.refusal(glance_request("cost", days), "analytics")
    if refusal is None or (refusal.scopes and _READ_ANALYTICS not in refusal.scopes):
        return refusal
    older = EnterpriseQuery("enterprise_cost_report", endpoints.ENTERPRISE_COST).first_page(days)
    return refusal if session.refusal(older, "analytics") is not None else None


def _is_console(session: ProbeSession, today: date) -> bool:
    """Say whether a key belongs to a Console organisation: those alone say their name and have the classic report."""
    known = session.organization
    try:
        session.identify()
        session.page(_last_days_of_cost(today), "classic")
    except UpstreamError as error:
        if error.reason is Reason.NO_USAGE:
            return True
        # Any no will do, also a 401: what the key has just read says that it is a valid one.
        if error.fate is not Fate.FATAL:
            raise
        for path in (endpoints.ORGANIZATION, endpoints.COST_REPORT):
            session.outcomes.pop(path, None)
        session.organization = known
        return False
    return True


def _read_bill_and_rest(session: ProbeSession, origin: Origin, today: date) -> None:
    """Ask for what is not known yet; UpstreamError when no bill can be read."""
    if origin == Origin.CLAUDE_AI:
        session.try_page(glance_request("usage", trailing(today, _DAYS)), "analytics")
        session.try_page(people_request("members", limit=1), "analytics")
        return
    refusal = None
    if endpoints.COST_REPORT not in session.outcomes:
        refusal = session.refusal(_last_days_of_cost(today), "classic")
    measures: tuple[Literal["cost", "usage"], ...] = ("cost", "usage")
    for measure in measures:
        request = glance_request(measure, trailing(today, _DAYS))
        if request.path not in session.outcomes:
            session.try_page(request, "analytics")
    if refusal is not None and not session.outcomes[endpoints.ANALYTICS_COST].ok:
        raise refusal


def _last_days_of_cost(today: date) -> PageRequest:
    return cost_report_request(trailing(today, _DAYS), limit=_DAYS)


def _may_be_enterprise(error: UpstreamError, api_key: str) -> bool:
    """Say whether a key that cannot name an organisation is worth session for an Enterprise bill: some lack the prefix."""
    if error.scopes:
        return _READ_ANALYTICS in error.scopes
    return not (keys.looks_like_inference(api_key) or keys.looks_like_admin(api_key))


def _recognise(error: UpstreamError, api_key: str) -> UpstreamError:
    """
    Say what kind of key was refused, where the refusal and the prefix together tell more than either.

    Some keys with an inference prefix do have admin rights, so the prefix speaks only after a refusal.
    A revoked Enterprise key (401) stays key_rejected: that is what its owner can act on.
    """
    is_forbidden = error.reason in {Reason.KEY_WRONG_KIND, Reason.SCOPE_MISSING}
    if keys.looks_like_inference(api_key) and (is_forbidden or error.reason is Reason.KEY_REJECTED):
        told = advice(Reason.KEY_WRONG_KIND, "inference")
    elif keys.looks_like_enterprise(api_key) and error.reason is Reason.KEY_WRONG_KIND:
        told = advice(Reason.KEY_WRONG_KIND, "enterprise", cause=error.quoted)
    else:
        return error
    return UpstreamError.told(told, Fate.FATAL, request_id=error.request_id, status=error.status)


def _passed(session: ProbeSession, origin: Origin) -> ProbeResult:
    organization = session.organization
    assert organization is not None  # noqa: S101 - every answer that tells an origin tells whose it is
    told = None if session.has_rows else advice(Reason.NO_USAGE)
    return ProbeResult(
        ok=True,
        origin=origin,
        organization=organization,
        capabilities=list_all(origin, session.outcomes),
        reason=told.reason if told else None,
        detail=told.detail if told else f"This key reads the cost reports of {organization.name}.",
        remedy=told.remedy if told else "",
        request_ids=session.request_ids,
        rate_limited=session.rate_limited,
    )


def _refused(session: ProbeSession, origin: Origin | None, error: UpstreamError) -> ProbeResult:
    return ProbeResult(
        ok=False,
        origin=origin,
        organization=session.organization,
        capabilities=list_asked(origin, session.outcomes),
        reason=error.reason,
        detail=error.detail,
        remedy=error.remedy,
        request_ids=session.request_ids,
        retry_after_seconds=error.retry_after_seconds,
        rate_limited=session.rate_limited,
    )
