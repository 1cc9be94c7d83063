"""Readers for environment variables: each gives a typed value or an error that names the variable.

The only module, with `settings`, that looks at the environment. A bad value stops the start with the
name, the cause and the remedy, because a service that starts with a guessed setting fails later and worse.
"""

import base64
import binascii
import datetime as dt
import importlib
import ipaddress
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()

_AES_KEY_BYTES = 32
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")


def _bad(name: str, cause: str, remedy: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name}: {cause}. {remedy} (.env.example lists every variable.)")


def text(name: str, default: str) -> str:
    """Read plain text; an empty value counts as absent."""
    return env.str(name, default="").strip() or default


def secret(name: str, *, default: str = "") -> str:
    """Read a secret from NAME, or from the file that NAME_FILE names (container secrets)."""
    direct, path = env.str(name, default=""), env.str(f"{name}_FILE", default="")
    if direct and path:
        raise _bad(name, f"both {name} and {name}_FILE are set", "Keep one of them.")
    if path:
        try:
            direct = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _bad(f"{name}_FILE", f"cannot read {path} ({error})", "Give a readable file.") from error
    if not (direct or default):
        raise _bad(name, "it is not set", f"Set {name}, or {name}_FILE to a file that holds it.")
    return direct or default


def number(name: str, default: str, *, low: float, high: float) -> float:
    """Read a number within [low, high]."""
    raw = text(name, default)
    try:
        value = float(raw)
    except ValueError as error:
        raise _bad(name, f"{raw!r} is not a number", f"Give one from {low:g} to {high:g}.") from error
    if not low <= value <= high:
        raise _bad(name, f"{raw} is out of range", f"Give a number from {low:g} to {high:g}.")
    return value


def whole(name: str, default: str, *, low: int, high: int) -> int:
    """Read a whole number within [low, high]."""
    value = number(name, default, low=low, high=high)
    if not value.is_integer():
        raise _bad(name, f"{value:g} is not a whole number", f"Give one from {low} to {high}.")
    return int(value)


def names(name: str, *, known: Collection[str]) -> frozenset[str]:
    """Read a comma-separated list of known names; empty for none."""
    given = {part.strip() for part in text(name, "").split(",") if part.strip()}
    if unknown := sorted(given - set(known)):
        raise _bad(name, f"there is no {unknown[0]!r}", f"Use names among: {', '.join(sorted(known))}.")
    return frozenset(given)


def time_of_day(name: str, default: str) -> dt.time:
    """Read HH:MM as a UTC time of day."""
    raw = text(name, default)
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", raw):
        raise _bad(name, f"{raw!r} is not a time", "Write it as HH:MM in UTC, for example 06:00.")
    hour, minute = raw.split(":")
    return dt.time(int(hour), int(minute), tzinfo=dt.UTC)


def http_url(name: str, default: str) -> str:
    """Read an http(s) address without path, query or credentials; a trailing slash is dropped."""
    raw = text(name, default).rstrip("/")
    parts = urlsplit(raw)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise _bad(name, f"{raw!r} is not an http(s) address", "For example https://api.anthropic.com.")
    return raw


def https_url(name: str, default: str = "") -> str:
    """Read an https address, or nothing where there is no default; plain http only leads to this machine."""
    if not text(name, default):
        return ""
    raw = http_url(name, default)
    parts = urlsplit(raw)
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise _bad(name, f"{raw!r} is not encrypted", "Give an https address.")
    return raw


def required(name: str) -> str:
    """Read plain text that must be there."""
    found = text(name, "")
    if not found:
        raise _bad(name, "it is not set", f"Set {name}.")
    return found


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def host_of(url: str) -> str:
    """Return the host of an address as a Host header spells it, without its port."""
    host = urlsplit(url).hostname or ""
    return f"[{host}]" if ":" in host else host


def origins(name: str) -> list[str]:
    """Read addresses, comma separated, as their origins."""
    found = [part.strip() for part in text(name, "").split(",") if part.strip()]
    for each in found:
        if urlsplit(each).scheme not in {"http", "https"} or not urlsplit(each).hostname:
            raise _bad(name, f"{each!r} is not an http(s) address", "For example https://login.example.com.")
    return [origin_of(each) for each in found]


def networks(name: str, default: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Read addresses and networks, comma separated."""
    found = []
    for part in filter(None, (each.strip() for each in text(name, default).split(","))):
        try:
            found.append(ipaddress.ip_network(part))
        except ValueError as error:
            raise _bad(
                name, f"{part!r} is no address or network", "For example 10.0.0.0/8 or ::1."
            ) from error
    return found


def key_ring(name: str, *, provider: str = "") -> tuple[tuple[str, bytes], ...]:
    """
    Read `kid:base64,kid:base64` into (id, 32 bytes) pairs; the first one encrypts, all decrypt.

    Shape:   from NAME, from the file in NAME_FILE, or from a function that `provider` names (package.module:function),
             which is called once at the start without arguments and returns the same text
    """
    remedy = "Write kid:base64 of 32 random bytes, comma separated; the first is active."
    ring: list[tuple[str, bytes]] = []
    given = _provided(name, provider) if provider else secret(name)
    for entry in filter(None, (part.strip() for part in given.split(","))):
        key_id, _, encoded = entry.partition(":")
        if not _KEY_ID.match(key_id) or not encoded:
            raise _bad(name, f"entry {len(ring) + 1} has no key id before a colon", remedy)
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _bad(name, f"key {key_id!r} is not base64", remedy) from error
        if len(key) != _AES_KEY_BYTES:
            raise _bad(name, f"key {key_id!r} has {len(key)} bytes, not {_AES_KEY_BYTES}", remedy)
        if key_id in dict(ring):
            raise _bad(name, f"key id {key_id!r} stands twice", "Give every key its own id.")
        ring.append((key_id, key))
    if not ring:
        raise _bad(name, "the ring is empty", remedy)
    return tuple(ring)


def _provided(name: str, provider: str) -> str:
    variable, remedy = f"{name}_PROVIDER", "Write package.module:function; it returns the text of the ring."
    if env.str(name, default="") or env.str(f"{name}_FILE", default=""):
        raise _bad(variable, f"{name} or {name}_FILE is set, too", "Keep one of them.")
    module, _, function = provider.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise _bad(variable, f"there is no {provider!r} ({error})", remedy) from error
    text_of_ring = found()
    if not isinstance(text_of_ring, str):
        # Not even its type's name with its value: it may hold the keys.
        raise _bad(variable, f"{provider!r} did not return text", remedy)
    return text_of_ring


def redis_url(name: str) -> str:
    """Read redis://, rediss:// or unix:// (a socket path); any other scheme is refused."""
    raw = secret(name)
    if urlsplit(raw).scheme not in {"redis", "rediss", "unix"}:
        raise _bad(
            name,
            "it is not a redis://, rediss:// or unix:// address",
            "For example redis://localhost:6379/0.",
        )
    return raw


def broker_url(redis_address: str) -> str:
    """Turn a redis-py address into Celery's form: they spell socket addresses differently."""
    parts = urlsplit(redis_address)
    if parts.scheme != "unix":
        return redis_address
    given = dict(parse_qsl(parts.query))
    # redis-py takes user and password from either place, kombu only from before the path.
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    user = user or quote(given.get("username", ""), safe="")
    password = password or quote(given.get("password", ""), safe="")
    credentials = f"{user}:{password}@" if user or password else ""
    return f"redis+socket://{credentials}{parts.path}?virtual_host={given.get('db', '0')}"
