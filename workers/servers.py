"""Tries each server that an installation needs, once and at most for seconds, and words what keeps us from it."""

import smtplib
from collections.abc import Mapping

import redis
from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.db import DatabaseError
from django.db import connection as database

from alerts.models import OutboxMessage
from integrations import connections
from integrations.errors import UpstreamError
from workers.bucket import redis_client
from workers.causes import Cause, cause_of, words_of
from workers.findings import Finding

# What to do by cause; {name} is the server, {setting} where its address stands, {trust} how a certificate is trusted.
_REMEDIES: Mapping[Cause, str] = {
    Cause.NAME: "Nobody knows its name: correct the host in {setting}, or this machine's DNS.",
    Cause.REFUSED: "Nobody listens there: start {name}, or correct host and port in {setting}.",
    Cause.UNREACHABLE: "There is no way to it from this machine: correct the host in {setting}, or the network.",
    Cause.TIMEOUT: "It does not answer: look for a firewall on the way or a server that hangs, or correct {setting}.",
    Cause.CERTIFICATE: "Its certificate is not trusted: renew it, or {trust}.",
    Cause.NO_TLS: "There is no TLS that we understand: switch it on there, or write {plain}.",
    Cause.PASSWORD: "It refuses user or password: correct them in {setting}.",
    Cause.RIGHTS: "The user may not do this there: give it the rights, or name another one in {setting}.",
    Cause.NO_DATABASE: "It has no such database: create it, or correct the name in {setting}.",
    Cause.FULL: "It takes no more connections: end some, or let it take more.",
    Cause.STARTING: "It is starting or stopping: wait a moment and look again.",
    Cause.HUNG_UP: "It ended the connection: {name} may want TLS there, or it is another server; correct {setting}.",
    Cause.OTHER: "See the log of {name}, or correct {setting}.",
}
_POSTGRES = {
    "name": "PostgreSQL", "setting": "DATABASE_URL", "trust": "give sslrootcert=<file> in DATABASE_URL",
    "plain": "sslmode=prefer in DATABASE_URL",
}  # fmt: skip
_REDIS = {
    "name": "Redis", "setting": "REDIS_URL", "trust": "give ssl_ca_certs=<file> in REDIS_URL",
    "plain": "redis:// in REDIS_URL",
}  # fmt: skip
_MAIL = {
    "name": "the mail server", "setting": "EMAIL_URL", "trust": "name its authority's file in SSL_CERT_FILE",
    "plain": "smtp:// in EMAIL_URL",
}  # fmt: skip
# By what integrations.http says of an address that it cannot reach.
_UPSTREAM: Mapping[str, str] = {
    "the proxy": "Correct HTTPS_PROXY, or the proxy that it names.",
    "no trusted TLS": "Its certificate is not trusted: where a proxy of yours opens TLS, name its authority's file in "
    "REQUESTS_CA_BUNDLE; else correct ANTHROPIC_BASE_URL, or this machine's clock.",
    "its name": "Nobody knows its name: correct ANTHROPIC_BASE_URL, or this machine's DNS.",
    "in time": "Allow outgoing connections to it (or set HTTPS_PROXY), or wait: it may hang.",
    "refused": "Nobody listens there: correct ANTHROPIC_BASE_URL, or allow outgoing connections to it (or set HTTPS_PROXY).",
}  # fmt: skip


def look_at_database() -> Finding:
    """Ask PostgreSQL for its version."""
    try:
        with database.cursor() as cursor:
            cursor.execute("SHOW server_version")
            (version,) = cursor.fetchone()
    except DatabaseError as error:
        return trouble("database", error, _POSTGRES)
    return Finding("database", f"PostgreSQL {version}")


def look_at_redis() -> Finding:
    """Ask Redis for its version, and whether it may throw away what must stay."""
    try:
        info = redis_client().info()
    except (redis.RedisError, OSError) as error:
        remedy = trouble("redis", error, _REDIS).remedy
        if cause_of(error) is Cause.TIMEOUT and settings.REDIS_URL.startswith("rediss:"):
            # Without TLS of its own, Redis waits for the end of what it takes for a command.
            remedy = "It does not answer, or speaks no TLS there: then write redis:// in REDIS_URL. Else look for a firewall."
        return Finding("redis", words_of(error), f"{remedy} Nothing is lost meanwhile.")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        seen = f"maxmemory-policy is {policy}"
        return Finding("redis", seen, "Set maxmemory-policy noeviction: buckets must not vanish.")
    return Finding("redis", f"version {info.get('redis_version')}, {info.get('used_memory_human')} used")


def look_at_upstream() -> Finding:
    """Send one request without a key, as every request is sent: through proxies, with TLS; any answer will do."""
    address = settings.ANTHROPIC_BASE_URL
    try:
        connections.reach()
    except UpstreamError as error:
        known = (remedy for words, remedy in _UPSTREAM.items() if words in error.detail)
        otherwise = "Allow outgoing connections to it (or set HTTPS_PROXY), or correct ANTHROPIC_BASE_URL."
        return Finding("upstream", f"{address}: {error.detail}", next(known, otherwise))
    return Finding("upstream", f"{address} can be reached")


def look_at_mail() -> Finding:
    """Sign in to the mail server, and look whether messages wait that could not be sent."""
    backend = get_connection()
    if not isinstance(backend, EmailBackend):
        return Finding("mail", "EMAIL_URL names no server: mails go to the log or nowhere")
    try:
        backend.open()
    except (OSError, smtplib.SMTPException) as error:
        return trouble("mail", error, _MAIL)
    finally:
        backend.close()
    return Finding("mail", f"{backend.host}:{backend.port} takes mails")


def look_at_outbox() -> Finding:
    """Say what the mail server refused, though it can be reached."""
    refused = OutboxMessage.objects.filter(sent_at=None).exclude(last_error="").order_by("-due_at")
    latest = refused.first()
    if latest is None:
        return Finding("outbox", "no mail was refused")
    remedy = (
        "Read what the server says; mails are sent by themselves once it takes them (at most an hour later)."
    )
    return Finding("outbox", f"{refused.count()} mails wait, the last error is {latest.last_error}", remedy)


def trouble(name: str, error: BaseException, server: Mapping[str, str]) -> Finding:
    """Word what keeps us from a server."""
    return Finding(name, words_of(error), _REMEDIES[cause_of(error)].format_map(server))
