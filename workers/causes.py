"""Tells apart why a server cannot be used: its name, a port, a firewall, a certificate, a password; pure, asks nobody."""

import errno
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from enum import StrEnum

import redis


class Cause(StrEnum):
    """What keeps us from a server; each has another remedy."""

    NAME = "name"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CERTIFICATE = "certificate"
    NO_TLS = "no_tls"
    PASSWORD = "password"  # noqa: S105 - the name of a cause
    RIGHTS = "rights"
    NO_DATABASE = "no_database"
    FULL = "full"
    STARTING = "starting"
    HUNG_UP = "hung_up"
    OTHER = "other"


# The first kind that is found in the chain of an exception says it; more special ones stand first.
_KINDS: Sequence[tuple[tuple[type[BaseException], ...], Cause]] = (
    ((ssl.SSLCertVerificationError,), Cause.CERTIFICATE),
    ((ssl.SSLError, smtplib.SMTPNotSupportedError), Cause.NO_TLS),
    ((redis.AuthenticationError, smtplib.SMTPAuthenticationError), Cause.PASSWORD),
    ((redis.exceptions.NoPermissionError,), Cause.RIGHTS),
    ((redis.BusyLoadingError,), Cause.STARTING),
    ((redis.exceptions.MaxConnectionsError,), Cause.FULL),
    ((socket.gaierror,), Cause.NAME),
    ((ConnectionRefusedError, FileNotFoundError), Cause.REFUSED),
    ((TimeoutError, redis.TimeoutError), Cause.TIMEOUT),
    ((ConnectionResetError, BrokenPipeError, smtplib.SMTPServerDisconnected), Cause.HUNG_UP),
)
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})
# libpq says it in words only; those of the server are in its `lc_messages`, and in another language tell no cause.
_WORDS: Sequence[tuple[str, Cause]] = (
    (r"certificate verify failed|does not match host name|root certificate file", Cause.CERTIFICATE),
    (r"does not support SSL|invalid response to SSL", Cause.NO_TLS),
    (r"password authentication failed|no password supplied|role \".*\" does not exist|WRONGPASS|NOAUTH|invalid username", Cause.PASSWORD),
    (r"no pg_hba\.conf entry|permission denied", Cause.RIGHTS),
    (r"database \".*\" does not exist", Cause.NO_DATABASE),
    (r"too many clients|too many connections|connection slots are reserved|max number of clients", Cause.FULL),
    (r"starting up|shutting down|in recovery mode", Cause.STARTING),
    (r"translate host name|resolve host|Name or service not known", Cause.NAME),
    (r"Connection refused|No such file or directory", Cause.REFUSED),
    (r"timeout expired|timed out", Cause.TIMEOUT),
    (r"No route to host|Network is unreachable", Cause.UNREACHABLE),
    (r"closed the connection|Connection closed by server|Connection reset", Cause.HUNG_UP),
)  # fmt: skip
_MOST_CHARACTERS = 200


def cause_of(error: BaseException) -> Cause:
    """Return why, by the kinds of the exception and those it was made from, then by their words."""
    chain = list(_chain(error))
    for kinds, cause in _KINDS:
        if any(isinstance(each, kinds) for each in chain):
            return cause
    if any(isinstance(each, OSError) and each.errno in _NO_WAY for each in chain):
        return Cause.UNREACHABLE
    text = " ".join(map(str, chain))
    return next((cause for words, cause in _WORDS if re.search(words, text)), Cause.OTHER)


def words_of(error: BaseException) -> str:
    """Return what an exception says, on one line and not longer than a line should be."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
