"""Owns the single requests of a probe: a token before each, and what each answer says about the key."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from integrations.anthropic import endpoints
from integrations.anthropic.capabilities import Outcome
from integrations.anthropic.client import Organization
from integrations.errors import Fate, Reason, UpstreamError, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from integrations.anthropic.client import AnthropicClient
    from integrations.anthropic.report_spec import Family
    from integrations.pages import Page, PageRequest

    TakeToken = Callable[[str | None, Family], None]

_COSTS = frozenset({endpoints.COST_REPORT, endpoints.ANALYTICS_COST, endpoints.ENTERPRISE_COST})
_SHOWN_ID_CHARACTERS = 8


def is_refusal(error: UpstreamError) -> bool:
    """Whether upstream says no to this report, so that others may still be read; anything else is about the key."""
    if error.is_absent or error.reason in {
        Reason.KEY_WRONG_KIND,
        Reason.SCOPE_MISSING,
        Reason.HIPAA_NOT_SERVED,
    }:
        return True
    return error.reason is Reason.UPSTREAM_UNREADABLE and error.fate is Fate.FATAL


@dataclass(slots=True)
class ProbeSession:
    """
    What has been found out about a key so far.

    Shape:   `outcomes` is by path; `rate_limited` has each family that upstream answered 429, with the wait it asked
             for; `has_rows`: a cost report held something
    """

    client: AnthropicClient
    take_token: TakeToken
    organization: Organization | None = None
    has_rows: bool = False
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    request_ids: list[str] = field(default_factory=list)
    rate_limited: dict[Family, float | None] = field(default_factory=dict)

    def identify(self) -> Organization:
        """Ask whose key it is; UpstreamError."""
        self._take(endpoints.ORGANIZATION, "classic")
        try:
            found = self.client.organization()
        except UpstreamError as error:
            self._note_failure(endpoints.ORGANIZATION, "classic", error)
            raise
        self._note(endpoints.ORGANIZATION, Outcome(ok=True), found.request_id)
        self.organization = found
        return found

    def page(self, request: PageRequest, family: Family) -> Page:
        """Ask for one page; UpstreamError."""
        self._take(request.path, family)
        try:
            page = self.client.fetch(request)
            self.organization = self.organization or _nameless(page)
        except UpstreamError as error:
            self._note_failure(request.path, family, error)
            raise
        self._note(request.path, Outcome(ok=True), page.request_id)
        self.has_rows = self.has_rows or (request.path in _COSTS and page.row_count > 0)
        return page

    def refusal(self, request: PageRequest, family: Family) -> UpstreamError | None:
        """
        Ask for one page; return why upstream does not give it, and raise what is not about this report alone.

        Shape:   None also where upstream has no finished day yet: it answers, and there is nothing to read
        """
        try:
            self.page(request, family)
        except UpstreamError as error:
            if is_refusal(error):
                return error
            if error.reason is Reason.NO_USAGE and self.organization is not None:
                return None
            raise
        return None

    def try_page(self, request: PageRequest, family: Family) -> None:
        """Ask for a page that the key can do without, once its bill was read; what came of it is remembered."""
        with suppress(UpstreamError):
            self.page(request, family)

    def reword(self, path: str, error: UpstreamError) -> None:
        """Give the answer of an endpoint another reason, since more is known of the key than it said."""
        self.outcomes[path] = replace(self.outcomes[path], reason=error.reason, detail=error.detail)

    def _note_failure(self, path: str, family: Family, error: UpstreamError) -> None:
        # What passes by itself does not say that the key may not; nothing to read yet says that it may.
        passes = False if error.fate is Fate.FATAL or error.is_absent else None
        ok = True if error.reason is Reason.NO_USAGE else passes
        self._note(path, Outcome(ok, error.reason, error.detail), error.request_id)
        if error.reason is Reason.RATE_LIMITED:
            self.rate_limited[family] = error.retry_after_seconds

    def _take(self, path: str, family: Family) -> None:
        try:
            self.take_token(self.organization.id if self.organization else None, family)
        except UpstreamError as error:
            # Our own limiter: nothing was asked, so nothing is known and nobody has to be left alone.
            self.outcomes[path] = Outcome(None, error.reason, error.detail)
            raise

    def _note(self, path: str, outcome: Outcome, request_id: str | None) -> None:
        self.outcomes[path] = outcome
        if request_id is not None:
            self.request_ids.append(request_id)


def _nameless(page: Page) -> Organization:
    """
    Return the organisation of an answer: Enterprise keys cannot ask for its name.

    Raises:  UpstreamError (fatal, upstream_unreadable): the answer does not say whose it is
    """
    found = page.organization_id
    if found is None:
        raise unreadable("it does not say which organisation the key belongs to", request_id=page.request_id)
    return Organization(found, f"Claude Enterprise ({found[:_SHOWN_ID_CHARACTERS]})", page.request_id)
