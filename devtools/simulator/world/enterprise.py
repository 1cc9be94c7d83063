"""What a Claude Enterprise organisation uses on a day: members with their products, Slack channels, reviews; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arrival import SLOTS
from .catalogue import MODELS, TOKEN_TYPES, WEB_SEARCH_UNITS, Model
from .costs import CostKey, CostRow
from .draws import Draws
from .identity import USER, Identity
from .organisations import EMPTY, LARGE, MEDIUM, SMALL
from .traffic import WEEKDAYS
from .usage_slices import WEB_SEARCHES, UsageSlice, count_usage_slices, request_count

if TYPE_CHECKING:
    from datetime import date

    from .arrival import Arrival
    from .organisations import Organisation
    from .people import User

_OTHER_PRODUCTS = ("cowork", "chat_cowork_unified", "claude_design", "claude_in_chrome", "office_agent")
_TAG_CATEGORIES = ("engaged", "proactive", "scheduled", "monitoring", "dm")
_BASE_TOKENS = {SMALL: 200_000, MEDIUM: 260_000, LARGE: 320_000}
_CHANNELS = {SMALL: 1, MEDIUM: 3, LARGE: 8}
_FAST_MODELS = frozenset({"claude-opus-5", "claude-opus-4-8"})
_MODELS_BY_ID = {model.id: model for model in MODELS}


def enterprise_usage_slices(
    organisation: Organisation, users: tuple[User, ...], day: date
) -> tuple[UsageSlice, ...]:
    """Return the whole day's usage_slices; each has cells of its own, so that every billed row belongs to one usage_slice."""
    if organisation.size == EMPTY or day < organisation.first_day:
        return ()
    level = WEEKDAYS[day.weekday()]
    usage_slices: list[UsageSlice] = []
    for user in users:
        if user.added_on <= day and (user.removed_on is None or day <= user.removed_on):
            usage_slices += _member_usage_slices(organisation, user, day, level)
    for number in range(_CHANNELS[organisation.size]):
        usage_slices += _channel_usage_slices(organisation, number, day, level)
    if organisation.size != SMALL:
        # Code Review works for the organisation, not for a member.
        review = _identity("claude_code", _model(2, day), Draws(organisation.key, "review"))
        usage_slices.append(_usage_slice(organisation, "review", review, day, level * 4))
    return tuple(usage_slices)


def enterprise_rows(usage_slices: tuple[UsageSlice, ...], arrival: Arrival) -> tuple[CostRow, ...]:
    """Price a day as of now; rows of nothing are left out, and every key occurs once."""
    rows: list[CostRow] = []
    for usage_slice, counts in count_usage_slices(usage_slices, arrival):
        model = _MODELS_BY_ID[usage_slice.identity.model or ""]
        is_us, is_long = (
            usage_slice.identity.inference_geo == "us",
            usage_slice.identity.context_window != "0-200k",
        )
        for place, cell in enumerate(usage_slice.cells):
            if cell is None or not counts[place]:
                continue
            price = (
                WEB_SEARCH_UNITS
                if place == WEB_SEARCHES
                else model.unit_price(place, is_batch=False, is_us=is_us, is_long=is_long)
            )
            rows.append(CostRow(cell, counts[place] * price))
    return tuple(rows)


def _member_usage_slices(organisation: Organisation, user: User, day: date, level: int) -> list[UsageSlice]:
    habit = Draws(organisation.key, "habit", user.id)
    today = Draws(organisation.key, "member", user.id, day.isoformat())
    products = [product for place, product in enumerate(("chat", "claude_code")) if habit.happens(place, 800)]
    if habit.happens(2, 500):
        products.append(_OTHER_PRODUCTS[habit.between(3, 0, len(_OTHER_PRODUCTS) - 1)])
    usage_slices = []
    for place, product in enumerate(products):
        if not today.happens(place, min(900, level * 7 // 10)):
            continue
        name = f"{product} {user.id}"
        model = _model(habit.between(4 + place, 0, len(MODELS) - 1), day)
        identity = _identity(product, model, Draws(organisation.key, "manner", name), user)
        usage_slices.append(_usage_slice(organisation, name, identity, day, level))
    return usage_slices


def _channel_usage_slices(organisation: Organisation, number: int, day: date, level: int) -> list[UsageSlice]:
    draws = Draws(organisation.key, "slack", str(number))
    today = Draws(organisation.key, "slack", str(number), day.isoformat())
    if not today.happens(0, 700):
        return []
    category = _TAG_CATEGORIES[today.between(1, 0, len(_TAG_CATEGORIES) - 1)]
    identity = Identity(
        product="claude_tag",
        model=MODELS[0].id,
        context_window="0-200k",
        inference_geo="global",
        speed="standard",
        claude_tag_category=category,
        claude_tag_user_id=f"U0{draws.identifier(9).upper()}" if category in ("engaged", "dm") else None,
        slack_channel_id=f"C0{draws.identifier(9)[::-1].upper()}",
    )
    return [_usage_slice(organisation, f"tag {number}", identity, day, level)]


def _model(place: int, day: date) -> Model:
    model = MODELS[place]
    return model if day >= model.launched_on else MODELS[0]


def _identity(product: str, model: Model, manner: Draws, user: User | None = None) -> Identity:
    is_fast = product == "claude_code" and model.id in _FAST_MODELS and manner.happens(2, 400)
    geo = ("us" if manner.happens(1, 150) else "global") if model.reports_geo else "not_available"
    return Identity(
        model=model.id,
        context_window="200k-1M" if model.has_long_context and manner.happens(0, 250) else "0-200k",
        inference_geo=geo,
        speed="fast" if is_fast else "standard",
        actor=(USER, user.id) if user is not None else None,
        product=product,
        groups=user.groups if user is not None else (),
    )


def _usage_slice(
    organisation: Organisation, name: str, identity: Identity, day: date, level: int
) -> UsageSlice:
    draws = Draws(organisation.key, "enterprise usage", name, day.isoformat())
    base = _BASE_TOKENS[organisation.size] * level // 1000 * draws.between(0, 300, 1700) // 1000
    permille = (
        1000,
        draws.between(1, 50, 260),
        draws.between(2, 0, 5000),
        draws.between(3, 0, 700),
        draws.between(4, 0, 150),
    )
    tokens = tuple(
        base * share // 1000 + draws.between(5 + place, 0, 99) for place, share in enumerate(permille)
    )
    searches = draws.between(11, 1, 40) if identity.product == "chat" and draws.happens(10, 400) else 0
    totals = (*tokens, searches, request_count(tokens))
    model = _MODELS_BY_ID[identity.model or ""]
    cells = tuple(
        CostKey(None, f"{model.description(place)} ({name})", "tokens", model.id, token_type, None,
                identity.context_window, identity.inference_geo)
        for place, token_type in enumerate(TOKEN_TYPES)
    )  # fmt: skip
    search_cell = CostKey(None, f"Web Search Usage ({name})", "web_search")
    return UsageSlice(identity, totals, 0, SLOTS, (*cells, search_cell))
