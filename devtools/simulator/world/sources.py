"""Where traffic comes from inside a workspace, and how a channel's day is shared among those sources; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from .arrival import SLOTS
from .draws import Draws
from .identity import API, FEDERATED, HIDDEN, SERVICE_ACCOUNT, USER, Identity
from .organisations import LARGE, SMALL
from .people import FOR_EVER

if TYPE_CHECKING:
    from datetime import date

    from .organisations import Organisation, Workspace
    from .people import ApiKey, People
    from .traffic import Channel

_FAST_MODELS = frozenset({"claude-opus-5", "claude-opus-4-8"})
_OAUTH_USERS = {SMALL: 1}


@dataclass(frozen=True, slots=True)
class Source:
    """One origin of requests; `identity` knows who and with what, the channel adds model and tier."""

    name: str
    identity: Identity
    weight: int
    first_day: date
    last_day: date = FOR_EVER
    takes_batches: bool = False
    is_fast: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """A source's block of slots in one channel's day."""

    source: Source
    speed: str
    first: int
    width: int


def list_sources(organisation: Organisation, people: People) -> dict[str, tuple[Source, ...]]:
    """Return the sources of each workspace, by its id."""
    return {
        workspace.id: tuple(_list_sources(organisation, workspace, people))
        for workspace in organisation.workspaces
    }


def share_out(
    organisation: Organisation, channel: Channel, day: date, sources: tuple[Source, ...]
) -> list[Share]:
    """Cut the channel's slots among the sources in use that day; together they always take all of them."""
    active = [
        source
        for source in sources
        if source.first_day <= day <= source.last_day
        and (source.takes_batches or channel.service_tier != "batch")
    ]
    if not active:
        # Traffic whose key has ended in the meantime still happened: nobody can say whose it was.
        identity = Identity(product="messages_api", actor=(HIDDEN, "unknown"))
        active = [Source("unknown", identity, 1, day)]
    weights = [
        source.weight * Draws(organisation.key, "share", source.name, *channel.name()).between(0, 20, 100)
        for source in active
    ]
    total, reached, bounds = sum(weights), 0, [0]
    for weight in weights:
        reached += weight
        bounds.append(SLOTS * reached // total)
    has_fast = channel.model.id in _FAST_MODELS and channel.service_tier == "standard"
    shares: list[Share] = []
    for source, (first, stop) in zip(active, pairwise(bounds), strict=True):
        fast = (stop - first) // 2 if has_fast and source.is_fast else 0
        shares.append(Share(source, "fast", first, fast))
        shares.append(Share(source, "standard", first + fast, stop - first - fast))
    return [share for share in shares if share.width]


def identify(share: Share, channel: Channel) -> Identity:
    """Return the full identity of a source's part of a channel."""
    known = share.source.identity
    is_batch = channel.service_tier == "batch" and known.product == "messages_api"
    return replace(
        known,
        workspace_id=channel.workspace.id,
        report_workspace_id=channel.workspace.report_id,
        model=channel.model.id,
        service_tier=channel.service_tier,
        context_window=channel.context_window,
        inference_geo=channel.inference_geo,
        speed=share.speed,
        product="message_batches_api" if is_batch else known.product,
    )


def _list_sources(organisation: Organisation, workspace: Workspace, people: People) -> list[Source]:
    keys = [key for key in people.keys if (key.workspace_id or organisation.workspaces[0].id) == workspace.id]
    sources = [_key_source(key) for key in keys]
    if workspace.is_default:
        sources += _default_sources(organisation, people)
    elif people.service_accounts and workspace.id == organisation.workspaces[1].id:
        account = people.service_accounts[-1]
        identity = Identity(
            service_account_id=account, actor=(SERVICE_ACCOUNT, account), product="messages_api"
        )
        sources.append(Source(account, identity, 3, workspace.created_on, takes_batches=True))
    return sources


def _key_source(key: ApiKey) -> Source:
    takes_batches = key.product == "messages_api"
    if key.principal is None:
        identity = Identity(api_key_id=key.id, actor=(API, key.id), product=key.product)
        return Source(key.id, identity, 6, key.created_on, key.last_day, takes_batches, is_fast=True)
    kind = USER if key.principal.startswith("user_") else SERVICE_ACCOUNT
    identity = Identity(api_key_id=key.id, actor=(kind, key.principal), product=key.product)
    return Source(key.id, identity, 3, key.created_on, key.last_day, takes_batches)


def _default_sources(organisation: Organisation, people: People) -> list[Source]:
    """Return traffic without a key: Claude Code by OAuth, the Playground, and a federated workload."""
    first_day = organisation.workspaces[0].created_on
    signed_in = people.users[: _OAUTH_USERS.get(organisation.size, 3)]
    sources = [
        Source(
            f"oauth {user.id}",
            Identity(account_id=user.id, actor=(USER, user.id), product="claude_code"),
            3,
            max(first_day, user.added_on),
            user.removed_on or FOR_EVER,
            is_fast=number == 0,
        )
        for number, user in enumerate(signed_in)
    ]
    tester = people.users[1]
    playground = Identity(actor=(USER, tester.id), product="claude_console")
    sources.append(
        Source("playground", playground, 2, max(first_day, tester.added_on), tester.removed_on or FOR_EVER)
    )
    if organisation.size == LARGE:
        # Two testers whose names the provider cannot show: separate rows that look alike.
        sources += [
            Source(f"hidden {n}", Identity(actor=(HIDDEN, str(n)), product="claude_console"), 2, first_day)
            for n in (1, 2)
        ]
        workload = Identity(actor=(FEDERATED, f"repo:{organisation.slug}/pipeline"), product="messages_api")
        sources.append(Source("federated", workload, 2, first_day))
    return sources
