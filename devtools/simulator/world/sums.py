"""The true sums of usage and of analytics, from each day's usage_slices and charges; shares nothing with the report code."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from .identity import IDENTITY_FIELDS, Identity
from .money import usd_text
from .usage_slices import QUANTITIES, WEB_SEARCHES, count_usage_slices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .organisations import Organisation
    from .world import World

_MAX_DAYS = 400
_DERIVED = ("actor_type", "actor_id", "analytics_geo")
_TOKEN_NAMES = tuple(name.rpartition(".")[2] for name in QUANTITIES)
_Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sums are asked for: `first` inclusive, `last` exclusive, by dimensions of an identity or `day`.

    `group` counts a member's share once in every group held, as the reports do; every other sum counts it once.
    """

    organisation: Organisation
    first: date
    last: date
    group_by: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = set(self.group_by) - {*IDENTITY_FIELDS, *_DERIVED, "day", "rbac_group_id", *self.extra}
        if unknown:
            raise ValueError(f"no such dimension: {sorted(unknown)}")
        if (self.last - self.first).days > _MAX_DAYS:
            raise ValueError(f"at most {_MAX_DAYS} days at once")

    def days(self) -> Iterator[date]:
        """Yield the days asked for."""
        return (self.first + timedelta(days=offset) for offset in range((self.last - self.first).days))

    def keys(self, identity: Identity, known: dict[str, str | None]) -> Iterable[_Key]:
        """Return the groups a part belongs to; `known` has the values that are no part of an identity."""
        if "rbac_group_id" not in self.group_by:
            return (tuple(self._value(identity, name, known) for name in self.group_by),)
        held: tuple[str | None, ...] = identity.groups or (None,)
        return [
            tuple(self._value(identity, name, known | {"rbac_group_id": group}) for name in self.group_by)
            for group in held
        ]

    def _value(self, identity: Identity, name: str, known: dict[str, str | None]) -> str | None:
        value: str | None = known[name] if name in known else getattr(identity, name)
        return value


def tell_usage(world: World, asked: Asked) -> dict[str, Any]:
    """Return token counts, searches and requests: whole, and per group when asked."""
    totals = [0] * len(QUANTITIES)
    groups: dict[_Key, list[int]] = defaultdict(lambda: [0] * len(QUANTITIES))
    for day in asked.days():
        arrival = world.arrival(asked.organisation, day)
        for usage_slice, counts in count_usage_slices(world.usage_slices(asked.organisation, day), arrival):
            keys = asked.keys(usage_slice.identity, {"day": day.isoformat()})
            for sums in (totals, *((groups[key] for key in keys) if asked.group_by else ())):
                for place, count in enumerate(counts):
                    sums[place] += count
    answer: dict[str, Any] = {"organisation": asked.organisation.id, **_named(totals)}
    if asked.group_by:
        answer["groups"] = [
            dict(zip(asked.group_by, key, strict=True)) | _named(sums)
            for key, sums in groups.items()
            if any(sums)
        ]
    return answer


def tell_analytics(world: World, asked: Asked) -> dict[str, Any]:
    """Return amounts in USD after and before discount, as the analytics reports have them: whole, daily, per group."""
    days: dict[str, list[int]] = {}
    groups: dict[_Key, list[int]] = defaultdict(lambda: [0, 0])
    for day in asked.days():
        whole = days.setdefault(day.isoformat(), [0, 0])
        for charge in world.charges(asked.organisation, day):
            known = {
                "day": day.isoformat(),
                "cost_type": charge.cost_type,
                "token_type": charge.token_type,
            }
            keys = asked.keys(charge.identity, known) if asked.group_by else ()
            for sums in (whole, *(groups[key] for key in keys)):
                sums[0] += charge.units
                sums[1] += charge.list_units
    totals = [sum(sums[place] for sums in days.values()) for place in (0, 1)]
    return {
        "organisation": asked.organisation.id,
        **_priced(totals),
        "days": {day: _priced(sums) for day, sums in days.items()},
        "groups": [
            dict(zip(asked.group_by, key, strict=True)) | _priced(sums) for key, sums in groups.items()
        ],
    }


def _priced(units: list[int]) -> dict[str, str]:
    return {"amount_usd": usd_text(units[0]), "list_amount_usd": usd_text(units[1])}


def _named(counts: list[int]) -> dict[str, int]:
    return dict(zip(_TOKEN_NAMES, counts, strict=True)) | {"total_tokens": sum(counts[:WEB_SEARCHES])}
