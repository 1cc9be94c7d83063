"""More than a thousand hostile requests to the API, by somebody who may do everything: each is 4xx, none changes a row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.conftest import Caller
from tests.hostile import inputs

OK_DAYS = "from=2026-11-01&to=2026-11-08"
_FACTS = {
    "from": inputs.NO_DAYS, "to": inputs.NO_DAYS, "connection": inputs.NO_IDS, "origin": inputs.NO_CHOICES,
    "model": inputs.NO_TEXTS, "workspace_id": inputs.NO_TEXTS,
}  # fmt: skip
_LIST = {"page_size": inputs.NO_NUMBERS, "cursor": inputs.NO_PLACES}
_SUMS = {
    "granularity": inputs.NO_CHOICES,
    "group_by": inputs.NO_CHOICES,
    "compare": inputs.NO_CHOICES,
    "names": inputs.NO_CHOICES,
}
# What each address reads from its query, and what is no value of it.
QUERIES: dict[str, dict[str, list[str]]] = {
    "costs/": {**_FACTS, **_LIST, "as_of": inputs.NO_DAYS[:20], "dimensions": inputs.NO_CHOICES[:30]},
    "costs/summary/": {**_FACTS, **_SUMS, "as_of": inputs.NO_DAYS[:20]},
    "usage/": {"from": inputs.NO_DAYS, "connection": inputs.NO_IDS, **_LIST},
    "usage/summary/": {"to": inputs.NO_DAYS, **_SUMS},
    "restatements/": {"observed_from": inputs.NO_DAYS, "report": inputs.NO_CHOICES, **_LIST},
    "activity/": {"to": inputs.NO_DAYS, "connection": inputs.NO_IDS, **_LIST},
    "workspaces/": {"connection": inputs.NO_IDS, **_LIST},
    "api-keys/": {"connection": inputs.NO_IDS, **_LIST},
    "people/": {"connection": inputs.NO_IDS, **_LIST},
    "connections/": _LIST,
    "tokens/": _LIST,
    "audit-events/": {"from": inputs.NO_DAYS, "action": inputs.NO_CHOICES, "actor": inputs.NO_TEXTS, **_LIST},
    "exports/audit-events.csv": {"to": inputs.NO_DAYS, "action": inputs.NO_CHOICES, "actor": inputs.NO_TEXTS},
    "connections/{connection_id}/completeness/": {"from": inputs.NO_DAYS, "to": inputs.NO_DAYS},
    "connections/{connection_id}/runs/": {"status": inputs.NO_CHOICES, "trigger": inputs.NO_CHOICES, **_LIST},
}
# What takes a body, with the members that are texts there, and whether they may be null.
BODIES: dict[tuple[str, str], dict[str, list[Any]]] = {
    ("POST", "connections/"): {"api_key": inputs.NO_KEYS, "provider": inputs.NO_CHOICES[:40], "label": inputs.NO_STRINGS},
    # Whether a text is a key is what it is asked for, so a text that is none is answered and no mistake.
    ("POST", "connections/test/"): {"api_key": [*inputs.NO_STRINGS, "", None]},
    ("PATCH", "connections/{connection_id}/"): {"label": [*inputs.NO_STRINGS, ""], "cost_center": inputs.NO_STRINGS},
    ("POST", "connections/{connection_id}/rotate-key/"): {"api_key": inputs.NO_KEYS},
    ("POST", "connections/{connection_id}/sync/"): {
        "from": [*inputs.NO_DAYS, *inputs.NO_STRINGS], "to": [*inputs.NO_DAYS, *inputs.NO_STRINGS],
    },
    ("POST", "connections/{connection_id}/cost-source/"): {"report": [*inputs.NO_CHOICES[:40], *inputs.NO_STRINGS]},
    ("POST", "connections/{connection_id}/pause/"): {},
    ("POST", "connections/{connection_id}/resume/"): {},
    ("POST", "connections/{connection_id}/test/"): {},
}  # fmt: skip
# Beside the hostile member everything is as it should be.
GOOD = {
    "connections/": {"provider": "anthropic", "api_key": "sk-ant-admin01-hostile-tests-only"},
    "connections/{connection_id}/sync/": {"from": "2026-11-01", "to": "2026-11-03"},
}


@dataclass(frozen=True)
class Attack:
    """One request: where, with what, and which answers say that it was understood to be bad."""

    method: str
    path: str
    query: str = ""
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    answers: frozenset[int] = field(default=frozenset({400}), compare=False)


def share_of(values: Sequence[Any], turn: int) -> Sequence[Any]:
    """All of them for the first address, a seventh for each of the others: what reads them is the same everywhere."""
    return values if turn == 0 else values[turn % 7 :: 7]


def queries() -> Iterator[Attack]:
    for turn, (path, members) in enumerate(QUERIES.items()):
        days = OK_DAYS if "summary" in path or path in {"costs/", "usage/", "activity/"} else ""
        for name, values in members.items():
            # The good value of the member itself would make it a repeated one.
            rest = "&".join(part for part in days.split("&") if part and not part.startswith(f"{name}="))
            for value in share_of(values, turn):
                yield Attack("GET", path, f"{rest}&{name}={quote(value)}".lstrip("&"))
        for name in (
            "",
            "x",
            "page_size[]",
            "__proto__",
            "limit",
            "order_by",
            "account",
            "_method",
            "format",
            "callback",
        ):
            yield Attack("GET", path, f"{days}&{name}=1".lstrip("&"))
        for broken in share_of(inputs.NO_UTF_8, turn):
            yield Attack("GET", path, f"{days}&cursor={broken}".lstrip("&"))
    for value in share_of(inputs.TEXTS, 1):
        yield Attack("DELETE", "connections/{connection_id}/", f"history={quote(value)}")


def bodies() -> Iterator[Attack]:
    for turn, ((method, path), members) in enumerate(BODIES.items()):
        for raw in share_of(inputs.NO_OBJECTS, turn):
            yield Attack(method, path, body=raw)
        for whole in share_of(inputs.STRANGE_OBJECTS, turn):
            known = set(GOOD.get(path, {})) | set(members)
            if not known & set(whole):  # type: ignore[call-overload]
                yield Attack(method, path, body=json.dumps({**GOOD.get(path, {}), **whole}).encode())  # type: ignore[dict-item]
        for name, values in members.items():
            for value in share_of(values, turn):
                yield Attack(method, path, body=json.dumps({**GOOD.get(path, {}), name: value}).encode())
        for kind in share_of(inputs.NO_CONTENT_TYPES, turn):
            yield Attack(method, path, body=b"{}", content_type=kind, answers=frozenset({400, 415}))
        yield Attack(method, path, body=b" " * 70_000, answers=frozenset({413}))


def headers() -> Iterator[Attack]:
    opened = (
        ("GET", "costs/"),
        ("POST", "connections/{connection_id}/pause/"),
        ("DELETE", "tokens/{token_id}/"),
    )
    for turn, (method, path) in enumerate(opened):
        for value in share_of(inputs.NO_AUTHORIZATIONS, turn):
            yield Attack(method, path, headers=(("Authorization", value),), answers=frozenset({401}))
    for value in inputs.NO_HOSTS:
        yield Attack("GET", "connections/", headers=(("Host", value),))
        yield Attack("POST", "connections/{connection_id}/pause/", body=b"{}", headers=(("Host", value),))
    for value in inputs.NO_KEYS_OF_IDEMPOTENCY:
        body = json.dumps(GOOD["connections/"]).encode()
        yield Attack("POST", "connections/", body=body, headers=(("Idempotency-Key", value),))
    for turn, path in enumerate(QUERIES):
        for method in share_of(inputs.NO_METHODS, turn):
            yield Attack(method, path, answers=frozenset({400, 405}))


ALL = {"queries": [*queries()], "bodies": [*bodies()], "headers": [*headers()]}
# Enough for one token within a minute; every part has a token of its own.
PART = 500
PARTS = [
    pytest.param(attacks[start : start + PART], id=f"{name}-{start}")
    for name, attacks in ALL.items()
    for start in range(0, len(attacks), PART)
]


def send(program: Caller, attack: Attack, ids: dict[str, Any]) -> Any:
    sent = {"HTTP_AUTHORIZATION": f"Bearer {program.token}"}
    sent |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in attack.headers}
    body = {} if attack.body is None else {"data": attack.body, "content_type": attack.content_type}
    path = "/api/v1/" + attack.path.format(**ids)
    return program.client.generic(attack.method, path, QUERY_STRING=attack.query, **body, **sent)


def test_are_more_than_a_thousand_different_ones():
    assert len({attack for attacks in ALL.values() for attack in attacks}) > 1000


@pytest.mark.parametrize("attacks", PARTS)
def test_is_refused_and_changes_nothing(program, zanzibar, unchanged, attacks):
    answers = [(attack, send(program, attack, zanzibar)) for attack in attacks]

    wrong = [
        (attack.method, attack.path, attack.query, attack.body, attack.headers, answer.status_code)
        for attack, answer in answers
        if answer.status_code not in attack.answers
    ]
    assert wrong == []
    assert {answer["Content-Type"] for _, answer in answers} == {"application/problem+json"}
    assert [answer for _, answer in answers if "Traceback" in answer.text or "psycopg" in answer.text] == []
