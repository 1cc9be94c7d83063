"""Faults in the meaning of a report: well-formed JSON that is wrong, or right in an unexpected shape."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from devtools.simulator.clock import day_text, instant_text
from devtools.simulator.world.money import cents_text, cents_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from devtools.simulator.endpoints.call import Answer

    from .fault import Struck

_Row = dict[str, Any]
# What tells a row that can be split: it has an amount, or tokens.
_AMOUNTS = frozenset({"amount", "uncached_input_tokens"})


def repeat_page_token(answer: Answer, struck: Struck) -> bool:
    """Send the token of this same page; used up only when a request that carried a token gets it back."""
    if answer.own_token is None or (answer.document["has_more"] and not struck.has_cursor()):
        return False
    answer.document.update(has_more=True, next_page=answer.own_token)
    return struck.has_cursor()


def has_more_without_token(answer: Answer, struck: Struck) -> bool:  # noqa: ARG001 — every spoiler has this signature
    """Promise another page and give no way to it."""
    answer.document.update(has_more=True, next_page=None)
    return True


def day_outside_window(answer: Answer, struck: Struck) -> bool:  # noqa: ARG001 — every spoiler has this signature
    """Send one bucket more, for the day before the page's first day."""
    buckets = [bucket for bucket in answer.document["data"] if bucket.get("starting_at")]
    if not buckets:
        return False
    first = date.fromisoformat(buckets[0]["starting_at"][:10])
    extra = deepcopy(buckets[0]) | {
        "starting_at": day_text(first - timedelta(days=1)),
        "ending_at": day_text(first),
    }
    answer.document["data"].insert(0, extra)
    return True


def bad_amount(answer: Answer, struck: Struck) -> bool:
    """Write something in place of an amount that is no decimal."""
    return _change_first(answer, "amount", struck.options.text("value", "12,50 USD"))


def currency_eur(answer: Answer, struck: Struck) -> bool:
    """State an amount in another currency."""
    return _change_first(answer, "currency", struck.options.text("value", "EUR"))


def refreshed_between_pages(answer: Answer, struck: Struck) -> bool:
    """Say that the data was refreshed since the page before: each page of a query has a moment of its own."""
    token = struck.request.find("page")
    refreshed_at = answer.document.get("data_refreshed_at")
    if token is None or refreshed_at is None:
        return False
    moment = datetime.fromisoformat(refreshed_at) + timedelta(seconds=sum(token.encode()))
    answer.document["data_refreshed_at"] = instant_text(moment)
    return True


def duplicate_rows(answer: Answer, struck: Struck) -> bool:  # noqa: ARG001 — every spoiler has this signature
    """Split every row in two with the same key; their sum is the true amount."""
    return _split_rows(answer, lambda units: units // 3, lambda _row: None)


def negative_rows(answer: Answer, struck: Struck) -> bool:  # noqa: ARG001 — every spoiler has this signature
    """Add a credit to every row and raise the row by it, so that the total stays true."""
    return _split_rows(answer, lambda units: -(abs(units) // 7) - 1, _make_credit)


def unknown_values(answer: Answer, struck: Struck) -> bool:  # noqa: ARG001 — every spoiler has this signature
    """Add unknown fields everywhere and move a part of every row to values never seen before; totals stay true."""
    _split_rows(answer, lambda units: units // 2, _make_unknown)
    answer.document["report_flavour"] = {"kind": "vanilla", "layers": [1, 2]}
    for item in answer.document["data"]:
        item["bucket_state"] = "open"
    for _, _, row in _rows(answer):
        row["carbon_grams"] = "0.25"
    return True


def new_field(answer: Answer, struck: Struck) -> bool:
    """Give every row a field that it never had; no number changes."""
    name, value = struck.options.text("name", "new_dimension"), struck.options.text("value", "standard")
    rows = list(_rows(answer))
    for holder, place, row in rows:
        # Beside the dimensions where those stand apart from the numbers.
        holder[place].get("group", row)[name] = value
    return bool(rows)


def open_bucket(answer: Answer, struck: Struck) -> bool:
    """Let the last bucket end at an hour of its day, as one does whose day still runs."""
    buckets = [bucket for bucket in answer.document["data"] if bucket.get("ending_at")]
    if not buckets or answer.document["has_more"]:
        return False
    day = buckets[-1]["starting_at"][:10]
    buckets[-1]["ending_at"] = f"{day}T{struck.options.whole('hour', 14):02}:00:00Z"
    return True


def _rows(answer: Answer) -> Iterator[tuple[list[Any], int, _Row]]:
    """Yield every row with numbers, the list that holds its item and its place there, last first."""
    data = answer.document["data"]
    for index in range(len(data) - 1, -1, -1):
        results = data[index].get("results")
        if results is None:
            yield data, index, _numbers(data[index])
            continue
        for place in range(len(results) - 1, -1, -1):
            yield results, place, results[place]


def _numbers(item: _Row) -> _Row:
    """Return the part of an item that holds its numbers."""
    row: _Row = item.get("cost") or item.get("usage") or item
    return row


def _change_first(answer: Answer, name: str, value: str) -> bool:
    rows = [row for _, _, row in _rows(answer) if name in row]
    if rows:
        rows[-1][name] = value
    return bool(rows)


def _split_rows(answer: Answer, part_of: Callable[[int], int], mark: Callable[[_Row], None]) -> bool:
    """Move a part of each number to a marked copy of its row, inserted behind it."""
    # Walking from the end keeps the places of rows not yet seen valid while copies are inserted.
    rows = [(holder, place, row) for holder, place, row in _rows(answer) if _AMOUNTS & set(row)]
    for holder, place, row in rows:
        copied = deepcopy(holder[place])
        _split_numbers(row, _numbers(copied), part_of)
        mark(copied)
        holder.insert(place + 1, copied)
    return bool(rows)


def _split_numbers(row: _Row, copied: _Row, part_of: Callable[[int], int]) -> None:
    """Move a part of every amount and count, nested ones included, from a row to its copy."""
    for name, value in row.items():
        if isinstance(value, dict):
            _split_numbers(value, copied[name], part_of)
        elif name in ("amount", "list_amount"):
            units = cents_units(value)
            part = part_of(units)
            copied[name], row[name] = cents_text(part), cents_text(units - part)
        elif isinstance(value, int) and not isinstance(value, bool):
            copied[name] = part_of(value)
            row[name] = value - copied[name]


def _make_credit(copied: _Row) -> None:
    if copied.get("description") is not None:
        copied["description"] = f"{copied['description']} (Credit)"


def _make_unknown(copied: _Row) -> None:
    # Ungrouped rows have nulls here, and a null must stay one.
    new_values = {
        "cost_type": "quantum_tokens",
        "token_type": "cache_creation.ephemeral_24h_input_tokens",
        "service_tier": "flex",
        "context_window": "1M-10M",
        "inference_geo": "moon",
        "model": "claude-novella-6",
        "product": "claude_kitchen",
    }
    dimensions = copied.get("group", copied)
    for name, value in new_values.items():
        if dimensions.get(name) is not None:
            dimensions[name] = value
