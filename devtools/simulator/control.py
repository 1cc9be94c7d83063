"""The control interface under /_sim/: truth, log, faults, clock and limits for tests; answers loopback only."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from .changes import change_world
from .clock import instant_text, parse_instant
from .keys import ENTERPRISE, INFERENCE, MEMBERS
from .limits import Limit
from .requestlog import Rate, worst_excess
from .wire import JSON_TYPE, Request, Response, json_bytes
from .world.sums import Asked, tell_analytics, tell_usage
from .world.truth import Question, tell_truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from .service import Service
    from .world.organisations import Organisation

PREFIX = "/_sim/"
_LOOPBACK = ("127.", "::1", "::ffff:127.")


class Control:
    """Answers the control interface of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._handlers: dict[tuple[str, str], Callable[[_Order], Any]] = {
            ("GET", "truth"): self._truth,
            ("GET", "truth/analytics"): self._analytics_truth,
            ("GET", "truth/usage"): lambda order: tell_usage(service.world, self._asked(order)),
            ("GET", "organisations"): self._organisations,
            ("GET", "requests"): self._requests,
            ("POST", "requests/clear"): lambda _: {"cleared": service.log.clear()},
            ("GET", "faults"): lambda _: service.faults.describe(),
            ("POST", "faults"): self._order_fault,
            ("DELETE", "faults"): lambda _: {"cleared": service.faults.clear()},
            ("POST", "world"): self._change_world,
            ("GET", "clock"): lambda _: {"now": instant_text(service.clock.now())},
            ("POST", "clock"): self._set_clock,
            ("POST", "limits"): self._set_limits,
            ("GET", "rate"): self._rate,
        }

    def answer(self, request: Request) -> Response:
        """Answer one control request; a mistake in it is 400 with a sentence."""
        handler = self._handlers.get((request.method, request.path.removeprefix(PREFIX).rstrip("/")))
        if handler is None or not request.client_host.startswith(_LOOPBACK):
            return _json(404, {"error": "no such control"})
        try:
            return _json(200, handler(_Order.read(request)))
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            return _json(400, {"error": f"{type(error).__name__}: {error}"})

    def _truth(self, order: _Order) -> Any:
        organisation = self._find(order.text("organisation"))
        today = self._service.world.today()
        first = order.day("from", organisation.first_day)
        question = Question(
            organisation,
            first,
            order.day("to", today + timedelta(days=1)),
            tuple(order.many.get("group_by", ())),
            order.fields.get("detail") == "rows",
        )
        return tell_truth(self._service.world, question)

    def _analytics_truth(self, order: _Order) -> Any:
        return tell_analytics(self._service.world, self._asked(order, ("cost_type", "token_type")))

    def _asked(self, order: _Order, extra: tuple[str, ...] = ()) -> Asked:
        organisation = self._find(order.text("organisation"))
        tomorrow = self._service.world.today() + timedelta(days=1)
        first = order.day("from", tomorrow - timedelta(days=31))
        group_by = tuple(order.many.get("group_by", ()))
        return Asked(organisation, first, order.day("to", tomorrow), group_by, extra)

    def _organisations(self, order: _Order) -> Any:
        wanted = order.fields.get("organisation")
        directory = self._service.world.directory
        limit, offset = int(order.fields.get("limit", directory.count)), int(order.fields.get("offset", 0))
        chosen = (
            [self._find(wanted)]
            if wanted
            else [directory.at(i) for i in range(offset, min(directory.count, offset + limit))]
        )
        return [self._describe(organisation) for organisation in chosen]

    def _requests(self, order: _Order) -> Any:
        entries = self._service.log.list_since(int(order.fields.get("since_seq", 0)), self._find_id(order))
        return [entry.describe() for entry in entries]

    def _order_fault(self, order: _Order) -> Any:
        return asdict(self._service.faults.add(order.fields, self._find_id(order)))

    def _change_world(self, order: _Order) -> Any:
        fields = dict(order.fields)
        organisation = self._find(fields.pop("organisation"))
        return change_world(self._service.world, organisation, fields.pop("action"), fields)

    def _set_clock(self, order: _Order) -> Any:
        clock = self._service.clock
        if order.fields.get("now") is not None:
            clock.freeze(parse_instant(order.fields["now"]))
        else:
            clock.run(timedelta(seconds=order.fields.get("offset_seconds", 0)))
        return {"now": instant_text(clock.now())}

    def _set_limits(self, order: _Order) -> Any:
        per_minute = order.fields.get("per_minute")
        limit = None if per_minute is None else Limit(float(per_minute), int(order.fields.get("burst", 1)))
        if limit is not None and (limit.per_minute <= 0 or limit.burst < 1):
            raise ValueError("per_minute must be above 0 and burst at least 1")
        self._service.limits.set(self._find_id(order), limit)
        return {"limited": limit is not None}

    def _rate(self, order: _Order) -> Any:
        rate = Rate(Fraction(order.text("per_minute")), Fraction(order.text("burst")))
        path = order.fields.get("path", "")
        by_organisation: dict[str, list[Any]] = {}
        for entry in self._service.log.list_since(0, self._find_id(order)):
            if entry.organisation is not None and path in entry.path:
                by_organisation.setdefault(entry.organisation, []).append(entry)
        verdicts = [
            worst_excess(entries, rate) | {"organisation": name} for name, entries in by_organisation.items()
        ]
        worst = max(verdicts, key=lambda verdict: verdict["excess"], default=worst_excess((), rate))
        return worst | {"organisations": len(verdicts)}

    def _find(self, slug_or_id: str) -> Organisation:
        organisation = self._service.world.directory.find(slug_or_id)
        if organisation is None:
            raise ValueError(f"no such organisation: {slug_or_id}")
        return organisation

    def _find_id(self, order: _Order) -> str | None:
        wanted = order.fields.get("organisation")
        return self._find(wanted).id if wanted is not None else None

    def _describe(self, organisation: Organisation) -> dict[str, Any]:
        world = self._service.world
        return {
            "id": organisation.id,
            "name": organisation.name,
            "slug": organisation.slug,
            "size": organisation.size,
            "first_day": organisation.first_day.isoformat(),
            "admin_key": world.current_key(organisation.key_slug),
            "enterprise_key": world.current_key(organisation.key_slug, ENTERPRISE),
            "enterprise_members_key": world.current_key(organisation.key_slug, MEMBERS),
            "inference_key": world.current_key(organisation.key_slug, INFERENCE),
            "is_enterprise": organisation.is_enterprise,
            "workspaces": [
                {
                    "id": workspace.id,
                    "name": workspace.name,
                    "is_default": workspace.is_default,
                    "archived_on": workspace.archived_on.isoformat() if workspace.archived_on else None,
                }
                for workspace in organisation.workspaces
            ],
        }


class _Order:
    """The fields of one control request, from its query or its JSON body."""

    def __init__(self, fields: dict[str, Any], many: dict[str, list[str]]) -> None:
        self.fields = fields
        self.many = many

    @classmethod
    def read(cls, request: Request) -> _Order:
        many: dict[str, list[str]] = {}
        for name, value in request.pairs():
            many.setdefault(name, []).append(value)
        fields: dict[str, Any] = {name: values[-1] for name, values in many.items()}
        if request.body:
            fields |= json.loads(request.body)
        return cls(fields, many)

    def text(self, name: str) -> str:
        if name not in self.fields:
            raise ValueError(f"{name} is required")
        return str(self.fields[name])

    def day(self, name: str, default: date) -> date:
        return date.fromisoformat(self.fields[name]) if name in self.fields else default


def _json(status: int, document: Any) -> Response:
    return Response(status, json_bytes(document), {"content-type": JSON_TYPE})
