"""Owns finding out what a key is and may see, in at most two requests; stores nothing and never raises for a bad key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from costs.periods import trailing
from costs.records import Origin
from integrations.anthropic.keys import looks_like_enterprise, looks_like_inference, require_key_shape
from integrations.errors import Fate, Reason, UpstreamError, advice

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from integrations.anthropic.client import AnthropicClient, Organization

_ORGANIZATION = "organization"
_COST_REPORT = "cost_report"
# Only keys made in claude.ai can have this scope.
_ENTERPRISE_SCOPE = "read:analytics"


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing a key can or cannot see, and why not."""

    name: str
    ok: bool
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """
    What a key turned out to be.

    Shape:   `ok` with reason no_usage: the key works, there just is nothing to read yet; `origin` and
             `organization` None: not found out; `retry_after_seconds` only if upstream or the limiter said so
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


@dataclass(slots=True)
class _Findings:
    organization: Organization | None = None
    capabilities: list[Capability] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)

    def note(self, name: str, request_id: str | None, error: UpstreamError | None = None) -> None:
        if request_id is not None:
            self.request_ids.append(request_id)
        if error is None:
            self.capabilities.append(Capability(name, ok=True))
        else:
            self.capabilities.append(Capability(name, ok=False, reason=error.reason, detail=error.detail))


def probe(
    client: AnthropicClient, api_key: str, *, today: date, take_token: Callable[[str | None], None]
) -> ProbeResult:
    """
    Find out whose key this is and whether it can read cost reports.

    `take_token` is called before each request, with the organisation's id once it is known, and may raise
    UpstreamError(rate_limited). Every UpstreamError becomes a result.

    1. The key's text: what cannot be a key never reaches the network.
    2. Whose key: refused for inference and Claude Enterprise keys, which cannot ask this.
    3. Yesterday's cost: the one endpoint that matters.
    """
    findings = _Findings()
    try:
        require_key_shape(api_key)
        organization = _ask_organization(client, api_key, findings, take_token)
        has_rows = _ask_cost(client, findings, today, lambda: take_token(organization.id))
    except UpstreamError as error:
        return _refused(error, findings)
    told = None if has_rows else advice(Reason.NO_USAGE)
    return ProbeResult(
        ok=True,
        origin=Origin.CLAUDE_PLATFORM,
        organization=organization,
        capabilities=findings.capabilities,
        reason=told.reason if told else None,
        detail=told.detail if told else f"This key reads the cost reports of {organization.name}.",
        remedy=told.remedy if told else "",
        request_ids=findings.request_ids,
    )


def _ask_organization(
    client: AnthropicClient, api_key: str, findings: _Findings, take_token: Callable[[str | None], None]
) -> Organization:
    take_token(None)
    try:
        findings.organization = client.organization()
    except UpstreamError as error:
        recognised = _recognise(error, api_key)
        findings.note(_ORGANIZATION, error.request_id, recognised)
        raise recognised from error
    findings.note(_ORGANIZATION, findings.organization.request_id)
    return findings.organization


def _ask_cost(
    client: AnthropicClient, findings: _Findings, today: date, take_token: Callable[[], None]
) -> bool:
    take_token()
    try:
        page = client.cost_report(trailing(today, 1), limit=1)
    except UpstreamError as error:
        findings.note(_COST_REPORT, error.request_id, error)
        raise
    findings.note(_COST_REPORT, page.request_id)
    return page.row_count > 0


def _recognise(error: UpstreamError, api_key: str) -> UpstreamError:
    """
    Say what kind of key was refused, where the refusal and the prefix together tell more than either.

    Some keys with an inference prefix do have admin rights, so the prefix speaks only after a refusal.
    A revoked Enterprise key (401) stays key_rejected: that is what its owner can act on.
    """
    is_forbidden = error.reason in {Reason.KEY_WRONG_KIND, Reason.SCOPE_MISSING}
    if is_forbidden and (looks_like_enterprise(api_key) or _ENTERPRISE_SCOPE in error.scopes):
        variant = "enterprise_unsupported"
    elif looks_like_inference(api_key) and (is_forbidden or error.reason is Reason.KEY_REJECTED):
        variant = "inference"
    else:
        return error
    told = advice(Reason.KEY_WRONG_KIND, variant)
    return UpstreamError.told(told, Fate.FATAL, request_id=error.request_id, status=error.status)


def _refused(error: UpstreamError, findings: _Findings) -> ProbeResult:
    return ProbeResult(
        ok=False,
        origin=Origin.CLAUDE_PLATFORM if findings.organization else None,
        organization=findings.organization,
        capabilities=findings.capabilities,
        reason=error.reason,
        detail=error.detail,
        remedy=error.remedy,
        request_ids=findings.request_ids,
        retry_after_seconds=error.retry_after_seconds,
    )
