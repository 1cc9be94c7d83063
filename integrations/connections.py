"""What can be done to a connection row: create, open its key, replace the key, change its state.

`open_client` is the only way to a decrypted key. Knows nothing of runs; `workers.lifecycle` ties the two.
"""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Account
from integrations import vault
from integrations.anthropic.client import AnthropicClient
from integrations.anthropic.probe import ProbeResult, probe
from integrations.anthropic.report_spec import Family
from integrations.anthropic.report_specs import REPORT_SPECS
from integrations.errors import Advice, Reason, advice
from integrations.http import HttpTransport
from integrations.models import Connection, Credential, Provider, Status

USER_AGENT = "Tallystick/0.1 (self-hosted)"
_KIND = re.compile(r"sk-ant-[a-z]{2,8}\d{2}(?=-)")
_SHORTEST_KEY = 24
_LONGEST_NUMBERED = 110


class RefusedError(Exception):
    """
    The request of a person or program cannot be done; the advice says why and what to do instead.

    Shape:   `connection` is the one in the way; `retry_after_seconds` is set where only time is missing
    """

    def __init__(
        self, told: Advice, *, connection: Connection | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(told.detail)
        self.advice = told
        self.connection = connection
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What a person gives to connect an organisation; a blank label gets a default."""

    api_key: str
    label: str = ""
    cost_center: str = ""

    def __repr__(self) -> str:
        return f"NewConnection(label={self.label!r}, cost_center={self.cost_center!r})"


def client_for(api_key: str) -> AnthropicClient:
    """Return a client for a plain key, bound to the configured address."""
    transport = _transport(settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_TIMEOUT_SECONDS)
    return AnthropicClient(transport, api_key, now=timezone.now)


@cache
def _transport(base_url: str, timeout_seconds: float) -> HttpTransport:
    """Share one transport a process: it keeps connections to upstream open and is safe for threads."""
    return HttpTransport(base_url, timeout_seconds=timeout_seconds, user_agent=USER_AGENT)


def reach() -> None:
    """
    Send upstream one request without a key, whose answer says nothing but that there is one.

    Raises:  UpstreamError — it cannot be reached
    """
    _transport(settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_TIMEOUT_SECONDS).get("/", (), {})


def open_client(connection: Connection) -> AnthropicClient:
    """Return a client with the connection's decrypted key; VaultError or Credential.DoesNotExist."""
    credential = Credential.objects.select_related("connection").get(connection=connection)
    return client_for(vault.unseal(credential))


def probe_stored(
    connection: Connection, *, today: dt.date, take_token: Callable[[str | None, Family], None]
) -> ProbeResult:
    """Probe the stored key; VaultError or Credential.DoesNotExist when there is none to open."""
    credential = Credential.objects.select_related("connection").get(connection=connection)
    api_key = vault.unseal(credential)
    return probe(client_for(api_key), api_key, today=today, take_token=take_token)


def key_hint(api_key: str) -> str:
    """Return the only trace of a key that may be shown: its kind and last four characters."""
    kind = _KIND.match(api_key)
    if len(api_key) < _SHORTEST_KEY:
        return "too short for a key"  # four characters of a pasted password would be too much of it
    return f"{kind[0] if kind else 'sk-ant'}-…{api_key[-4:]}"


def default_label(organization_name: str) -> str:
    """Return `Anthropic – <organisation name>`, with room for a number."""
    return _one_line(f"Anthropic – {organization_name}")[:_LONGEST_NUMBERED]


def free_label(account: Account, wanted: str) -> str:
    """Return the label, numbered when a live connection of the account already has it."""
    base = wanted[:_LONGEST_NUMBERED]
    taken = set(
        Connection.objects.filter(
            account=account, label__startswith=base, disconnected_at__isnull=True
        ).values_list("label", flat=True)
    )
    label, number = wanted, 2
    while label in taken:
        label, number = f"{base} ({number})", number + 1
    return label


def _one_line(text: str) -> str:
    """Return the text as one line: a line break in a name would break e-mail subjects and log lines."""
    return " ".join(text.split())


def find_same(account: Account, result: ProbeResult) -> Connection | None:
    """Return the account's connection, live or disconnected, of the organisation and surface just probed."""
    if result.organization is None:
        return None
    return Connection.objects.filter(
        account=account,
        provider=Provider.ANTHROPIC,
        origin=result.origin,
        organization_id=result.organization.id,
    ).first()


def _hold_same(account: Account, result: ProbeResult) -> Connection | None:
    """Like find_same, locked: of two who connect it again, the second finds it connected."""
    found = find_same(account, result)
    return found and Connection.objects.select_for_update(no_key=True).filter(pk=found.pk).first()


@transaction.atomic
def store(account: Account, wanted: NewConnection, result: ProbeResult, *, now: dt.datetime) -> Connection:
    """
    Store a connection for a key that passed its probe, sealed; or revive the disconnected one.

    Days are counted back from `now`, by which its lateness is judged, too: the database's time.

    Key:     (account, provider, origin, organisation id)
    Raises:  RefusedError — already connected, or the label is taken
    """
    if result.organization is None or result.origin is None:
        raise ValueError("only a key that passed its probe can be stored")
    existing = _hold_same(account, result)
    if existing and not existing.is_disconnected:
        raise already_connected(existing)
    connection = existing or Connection(
        account=account,
        origin=result.origin,
        organization_id=result.organization.id,
        cost_source=_first_bill(result.origin),
    )
    connection.organization_name = _one_line(result.organization.name)
    # What people called it and charged it to survives a revival, unless they say something new.
    label = _one_line(wanted.label)
    connection.label = label or connection.label or default_label(result.organization.name)
    connection.cost_center = _one_line(wanted.cost_center) or connection.cost_center
    connection.key_hint = key_hint(wanted.api_key)
    connection.capabilities = [asdict(capability) for capability in result.capabilities]
    connection.backfill_days = account.backfill_days
    connection.disconnected_at = None
    connection.last_synced_at = None
    connection.settled_through = None
    connection.connected_at = now
    depth = now.date() - dt.timedelta(days=account.backfill_days)
    # A revived connection keeps wanting what it once wanted, also what it missed while it was disconnected.
    connection.wanted_from = min(connection.wanted_from, depth) if existing else depth
    set_state(connection, Status.PENDING, save=False)
    _save_under_a_label(connection, result, is_chosen=bool(label))
    vault.seal(connection, wanted.api_key)
    return connection


def _save_under_a_label(connection: Connection, result: ProbeResult, *, is_chosen: bool) -> None:
    """
    Save a connection under its label; one that no person chose is numbered until it is free.

    Two who connect at once read the same labels. The unique index lets one of them in and keeps the other waiting
    until that is committed, so who is refused sees one label more than before, and the loop ends.
    """
    base = connection.label
    while True:
        if not is_chosen:
            connection.label = free_label(connection.account, base)
        try:
            with transaction.atomic():
                connection.save()
        except IntegrityError:
            other = find_same(connection.account, result)
            if other and other.pk != connection.pk:
                raise already_connected(other) from None
            if is_chosen:
                raise LabelTakenError(connection.label) from None
        else:
            return


def _first_bill(origin: str) -> str:
    """Return the report that is the bill of an origin until somebody chooses another."""
    return next(each.name for each in REPORT_SPECS.values() if each.origin == origin and each.is_bill)


class LabelTakenError(Exception):
    """Another live connection of the account has this label."""

    def __init__(self, label: str) -> None:
        super().__init__(f"Another connection is already called {label!r}. Choose another label.")


def already_connected(existing: Connection) -> RefusedError:
    """Build the refusal that names the existing connection."""
    return RefusedError(advice(Reason.ALREADY_CONNECTED, existing=existing.label), connection=existing)


def replace_key(connection: Connection, api_key: str, result: ProbeResult) -> None:
    """Seal a new key that passed its probe; RefusedError when it belongs to another organisation."""
    if result.organization is None or result.organization.id != connection.organization_id:
        found = (
            f"{result.organization.name} ({result.organization.id})"
            if result.organization
            else "no organisation"
        )
        expected = f"{connection.organization_name} ({connection.organization_id})"
        raise RefusedError(advice(Reason.ORGANIZATION_MISMATCH, found=found, expected=expected))
    connection.key_hint = key_hint(api_key)
    connection.organization_name = result.organization.name
    connection.capabilities = [asdict(capability) for capability in result.capabilities]
    connection.save(update_fields=["key_hint", "organization_name", "capabilities"])
    vault.seal(connection, api_key)


def set_state(
    connection: Connection, status: Status, told: Advice | None = None, *, save: bool = True
) -> None:
    """Set status, reason, detail and remedy together; without advice the last three become empty."""
    connection.status = status
    connection.reason = told.reason if told else ""
    connection.detail = told.detail if told else ""
    connection.remedy = told.remedy if told else ""
    if save:
        connection.save(update_fields=["status", "reason", "detail", "remedy"])


def rename(
    connection: Connection, *, label: str | None, cost_center: str | None
) -> dict[str, tuple[str, str]]:
    """
    Change what people call it and whom it is charged to; None leaves a field as it is. Call with the row locked.

    Shape:   the fields that differ from before → (before, after)
    Raises:  LabelTakenError
    """
    wanted = {"label": label, "cost_center": cost_center}
    lines = {name: _one_line(text) for name, text in wanted.items() if text is not None}
    before = {name: getattr(connection, name) for name in lines}
    changes = {name: (before[name], lines[name]) for name in lines if before[name] != lines[name]}
    for name, (_, after) in changes.items():
        setattr(connection, name, after)
    try:
        with transaction.atomic():
            connection.save(update_fields=[*changes])
    except IntegrityError:
        raise LabelTakenError(connection.label) from None
    return changes


def close(connection: Connection, *, now: dt.datetime) -> None:
    """Delete the key and keep the history."""
    Credential.objects.filter(connection=connection).delete()
    connection.disconnected_at = now
    connection.next_sync_at = None
    connection.save(update_fields=["disconnected_at", "next_sync_at"])
