"""Owns what is told of a key: one capability for every report of its kind of organisation, tested or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from costs.records import Origin
from foundation.periods import DayRange
from integrations.anthropic import endpoints
from integrations.anthropic.report_specs import REPORT_SPECS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from integrations.anthropic.report_spec import ReportSpec
    from integrations.errors import Reason

_ORGANIZATION = "organization"
_NOT_TRIED = "Not tried yet: the first sync does."
_NO_PRIORITY = "Cost of the Priority Tier is not part of this report."
_SEATS = "On a seat-based plan, only usage beyond the seats is reported."
_MEMBERS_ONLY = "Holds only what a member caused: its sum is lower than the bill."
# What a report leaves out although it can be read.
_CAVEATS: Mapping[str, str] = {
    "cost_report": _NO_PRIORITY,
    "enterprise_cost": _SEATS,
    "enterprise_cost_report": _SEATS,
    "enterprise_user_cost_report": _MEMBERS_ONLY,
    "enterprise_user_usage_report": _MEMBERS_ONLY,
}
# Any day: which endpoint a spec asks does not depend on it.
_A_DAY = DayRange(date(2026, 1, 1), date(2026, 1, 2))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one endpoint answered; `ok` None: nothing that tells whether the key may read it."""

    ok: bool | None
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Capability:
    """
    One thing a key can or cannot see, and why not.

    Shape:   `ok` None: not known, the first sync finds out; `detail` of one that can be read says what it leaves out
    """

    name: str
    ok: bool | None
    reason: Reason | None = None
    detail: str = ""


def list_all(origin: Origin, outcomes: Mapping[str, Outcome]) -> list[Capability]:
    """Return a capability for every spec of a key that reads its bill; `outcomes` is by path."""
    specs = [spec for spec in REPORT_SPECS.values() if spec.origin == origin]
    read = {spec.name for spec in specs if (found := outcomes.get(_path(spec))) and found.ok}
    return [
        *_organization(outcomes),
        *(_capability(spec, outcomes.get(_path(spec)), read) for spec in specs),
    ]


def list_asked(origin: Origin | None, outcomes: Mapping[str, Outcome]) -> list[Capability]:
    """Return what was tried of a key that does not pass, each endpoint under the first spec that reads it."""
    names: dict[str, str] = {}
    for spec in REPORT_SPECS.values():
        # A key that could not say whose it is was only tried as one of a Claude Enterprise organisation.
        if spec.origin == (origin or Origin.CLAUDE_AI):
            names.setdefault(_path(spec), spec.name)
    return [
        *_organization(outcomes),
        *(
            Capability(names[path], found.ok, found.reason, found.detail)
            for path, found in outcomes.items()
            if path in names
        ),
    ]


def _organization(outcomes: Mapping[str, Outcome]) -> list[Capability]:
    found = outcomes.get(endpoints.ORGANIZATION)
    return [] if found is None else [Capability(_ORGANIZATION, found.ok, found.reason, found.detail)]


def _capability(spec: ReportSpec, found: Outcome | None, read: set[str]) -> Capability:
    if spec.instead_of in read:
        return Capability(spec.name, None, detail=f"Read only where {spec.instead_of} is refused.")
    if found is None:
        return Capability(spec.name, None, detail=_NOT_TRIED)
    caveat = _CAVEATS.get(spec.name, "") if found.ok else ""
    return Capability(spec.name, found.ok, found.reason, found.detail or caveat)


def _path(spec: ReportSpec) -> str:
    return spec.first_page(_A_DAY).path
