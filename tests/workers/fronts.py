"""What stands before a server or in its place: TLS with a certificate of nobody's, silence, a mail server with a password."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # how a client of PostgreSQL asks for TLS
Handler = Callable[[socket.socket], None]


class Front:
    """A listener on a port of the loopback address, with a thread for each who comes."""

    def __init__(self, handle: Handler) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._handle = handle
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                came, _ = self._listener.accept()
                threading.Thread(target=self._one, args=(came,), daemon=True).start()

    def _one(self, came: socket.socket) -> None:
        with contextlib.suppress(OSError), came:
            self._handle(came)

    def close(self) -> None:
        # Who waits in accept is woken by this alone.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that is its own authority, and its key; nobody trusts it unless told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "front")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / "front.pem", folder / "front.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


def with_tls(files: tuple[Path, Path], behind: Handler, *, as_postgres: bool = False) -> Handler:
    """Speak TLS with who comes, and plainly with what is behind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)

    def handle(came: socket.socket) -> None:
        if as_postgres:
            came.recv(len(_SSL_REQUEST))
            came.sendall(b"S")
        with context.wrap_socket(came, server_side=True) as safe:
            behind(safe)

    return handle


def passed_on(open_other: Callable[[], socket.socket]) -> Handler:
    """Pass everything on, both ways, until either ends."""

    def handle(came: socket.socket) -> None:
        with open_other() as other, selectors.DefaultSelector() as ready:
            ready.register(came, selectors.EVENT_READ, other)
            ready.register(other, selectors.EVENT_READ, came)
            while True:
                for key, _ in ready.select(30):
                    data = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                    if not data:
                        return
                    key.data.sendall(data)

    return handle


def silent(came: socket.socket) -> None:
    """Take what comes and never answer."""
    while came.recv(65_536):
        pass


def mail_server(came: socket.socket) -> None:
    """Answer as a mail server that takes one user's password: `right`."""
    lines = came.makefile("rb")
    came.sendall(b"220 front ready\r\n")
    for line in lines:
        word = line.split(maxsplit=1)[0].upper()
        if word == b"EHLO":
            came.sendall(b"250-front\r\n250 AUTH PLAIN\r\n")
        elif word == b"AUTH":
            # The base64 of "\0user\0right".
            is_right = line.split()[-1] == b"AHVzZXIAcmlnaHQ="
            came.sendall(b"235 welcome\r\n" if is_right else b"535 wrong\r\n")
        else:
            came.sendall(b"221 bye\r\n")
            return


def opener(url: str) -> Callable[[], socket.socket]:
    """Return what connects to the server of an address: of a port, or of a socket's path."""
    parts = urlsplit(url)

    def connect() -> socket.socket:
        if parts.hostname:
            return socket.create_connection((parts.hostname, parts.port or 0))
        other = socket.socket(socket.AF_UNIX)
        other.connect(parts.path)
        return other

    return connect
