from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
import traceback
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import requests
import responses
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integrations.errors import Fate, Reason, UpstreamError
from integrations.http import HttpTransport

KEY = "sk-ant-admin01-Zm9vYmFy-secret"
HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n"
EMPTY_OBJECT = OK + b"content-length: 2\r\n\r\n{}"


class Server:
    """A socket on this machine that answers every request by a script and remembers what it was sent."""

    def __init__(self, answer, tls=None, greeting=b""):
        self.heads = []
        self.connections = []
        self._greeting = greeting
        self.stopping = threading.Event()
        self._answer = answer
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        scheme = "https" if tls else "http"
        self.port = self._socket.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        connection.settimeout(20)
        try:
            connection.sendall(self._greeting)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as lines:
                while head := self._read_head(lines):
                    self.heads.append(head)
                    if self._answer(connection, self) is False:
                        return
        except OSError:
            connection.close()

    @staticmethod
    def _read_head(lines) -> str:
        head = b""
        while (line := lines.readline()) not in {b"", b"\r\n"}:
            head += line
        return head.decode("latin-1")

    def close(self):
        self.stopping.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=20)


@pytest.fixture
def serve(monkeypatch):
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "NETRC",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    servers = []

    def start(answer, **options):
        servers.append(Server(answer, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def sending(*pieces, then_close=False):
    def answer(connection, _server):
        for piece in pieces:
            connection.sendall(piece)
        return not then_close

    return answer


def dripping(head, byte, *, interval_seconds=0.05):
    def answer(connection, server):
        connection.sendall(head)
        while not server.stopping.wait(interval_seconds):
            connection.sendall(byte)
        return False

    return answer


def silent(_connection, server):
    server.stopping.wait(20)
    return False


def transport(url, **options):
    return HttpTransport(url, **{"timeout_seconds": 5, "user_agent": "Tallystick/1.0", **options})


def refused(url, path="/v1/x", **options) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        transport(url, **options).get(path, [], HEADERS)
    return caught.value


class TestGet:
    def test_returns_status_headers_and_body(self, serve):
        server = serve(sending(OK + b"Request-ID: req_1\r\ncontent-length: 2\r\n\r\n{}"))

        response = transport(server.url).get("/v1/x", [], HEADERS)

        assert (response.status, response.body, response.content_type) == (200, b"{}", "application/json")
        assert response.headers["request-id"] == "req_1"

    def test_sends_the_query_exactly_as_documented(self, serve):
        server = serve(sending(EMPTY_OBJECT))
        query = [
            ("starting_at", "2026-11-01T00:00:00+00:00"),
            ("group_by[]", "workspace_id"),
            ("group_by[]", "a b/c&d"),
            ("api_key_ids[]", ""),
        ]

        transport(server.url + "/").get("/v1/x", query, HEADERS)

        assert server.heads[0].splitlines()[0] == (
            "GET /v1/x?starting_at=2026-11-01T00%3A00%3A00%2B00%3A00&group_by%5B%5D=workspace_id"
            "&group_by%5B%5D=a%20b%2Fc%26d&api_key_ids%5B%5D= HTTP/1.1"
        )

    def test_sends_our_headers_and_no_others(self, serve):
        server = serve(sending(EMPTY_OBJECT))

        transport(server.url).get("/v1/x", [], HEADERS)

        sent = dict(line.lower().split(": ", 1) for line in server.heads[0].splitlines()[1:])
        assert sent == {
            "host": f"127.0.0.1:{server.port}",
            "user-agent": "tallystick/1.0",
            "accept": "application/json",
            "accept-encoding": "gzip",
            "x-api-key": KEY.lower(),
            "anthropic-version": "2023-06-01",
        }

    def test_reads_compressed_bodies(self, serve):
        body = gzip.compress(b'{"data":[]}')
        server = serve(
            sending(OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        )

        assert transport(server.url).get("/v1/x", [], HEADERS).body == b'{"data":[]}'

    def test_reads_a_body_that_ends_with_the_connection(self, serve):
        server = serve(sending(OK + b"\r\n{}", then_close=True))

        assert transport(server.url).get("/v1/x", [], HEADERS).body == b"{}"

    def test_keeps_the_connection_for_the_next_request(self, serve):
        server = serve(sending(EMPTY_OBJECT))
        shared = transport(server.url)

        shared.get("/v1/x", [], HEADERS)
        shared.get("/v1/x", [], HEADERS)

        assert (len(server.connections), len(server.heads)) == (1, 2)

    def test_is_shared_by_threads(self, serve):
        server = serve(sending(EMPTY_OBJECT))
        shared = transport(server.url)

        with ThreadPoolExecutor(16) as threads:
            answers = list(
                threads.map(lambda number: shared.get(f"/v1/{number}", [], HEADERS).body, range(64))
            )

        assert answers == [b"{}"] * 64
        assert len({head.split()[1] for head in server.heads}) == 64

    @responses.activate
    def test_has_no_content_type_when_none_was_sent(self):
        responses.get("https://api.example/v1/x", body=b"{}", content_type=None)

        assert transport("https://api.example").get("/v1/x", [], HEADERS).content_type == ""

    @pytest.mark.parametrize("url", ["ftp://host", "api.example", "https://", "https://user:secret@host", ""])
    def test_refuses_a_base_url_it_cannot_keep_safe(self, url):
        with pytest.raises(ValueError, match="base URL"):
            transport(url)


class TestCredentials:
    @pytest.mark.parametrize(
        "key", ["sk-ant-\nx", " sk-ant-x", "sk-ant-x\r\nevil: 1", "sk-ant-é", "sk-ant-\x00"]
    )
    def test_never_quotes_a_header_value_it_refuses(self, key):
        with pytest.raises(ValueError, match="x-api-key") as caught:
            transport("http://127.0.0.1:9").get("/v1/x", [], {"x-api-key": key})

        assert key not in "".join(traceback.format_exception(caught.value))

    def test_takes_none_from_netrc(self, serve, tmp_path, monkeypatch):
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login someone password secret\n")
        monkeypatch.setenv("NETRC", str(netrc))
        server = serve(sending(EMPTY_OBJECT))

        transport(server.url).get("/v1/x", [], HEADERS)

        assert "authorization" not in server.heads[0].lower()

    def test_keeps_no_cookies(self, serve):
        server = serve(sending(OK + b"set-cookie: session=1\r\ncontent-length: 2\r\n\r\n{}"))
        shared = transport(server.url)

        shared.get("/v1/x", [], HEADERS)
        shared.get("/v1/x", [], HEADERS)

        assert "cookie" not in server.heads[1].lower()

    def test_never_follows_a_redirect(self, serve):
        elsewhere = serve(sending(EMPTY_OBJECT))
        head = f"HTTP/1.1 302 Found\r\nlocation: {elsewhere.url}/\r\ncontent-length: 0\r\n\r\n"
        server = serve(sending(head.encode()))

        response = transport(server.url).get("/v1/x", [], HEADERS)

        assert response.status == 302
        assert elsewhere.heads == []

    def test_leaves_nothing_of_the_key_in_a_failure(self, serve):
        server = serve(sending(OK + b"content-length: 100\r\n\r\n{", then_close=True))

        error = refused(server.url)

        assert (error.__cause__, error.__context__) == (None, None)
        assert KEY not in "".join(traceback.format_exception(error)) + repr(vars(error))


class TestEnvironment:
    def test_goes_through_a_proxy_under_the_same_deadline(self, serve, monkeypatch):
        proxy = serve(dripping(OK, b"x"))
        monkeypatch.setenv("http_proxy", proxy.url)

        error = refused("http://upstream.invalid", total_deadline_seconds=0.4)

        assert "in time" in error.detail
        assert proxy.heads[0].startswith("GET http://upstream.invalid/v1/x ")

    def test_says_when_the_proxy_failed(self, serve, monkeypatch):
        proxy = serve(sending(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"))
        monkeypatch.setenv("https_proxy", proxy.url)

        error = refused("https://upstream.invalid")

        assert "proxy" in error.detail


class TestUnreachable:
    def assert_temporary(self, error, words):
        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNAVAILABLE, Fate.RETRYABLE)
        assert words in error.detail

    def test_refused_connection(self, serve):
        server = serve(silent)
        server.close()
        server.close = lambda: None

        self.assert_temporary(refused(server.url), "connection was refused")

    def test_unknown_name(self):
        self.assert_temporary(refused("http://no-such-name.invalid"), "name could not be resolved")

    def test_name_that_no_resolver_accepts(self):
        self.assert_temporary(refused(f"http://{'a' * 64}.invalid"), "name could not be resolved")

    def test_name_without_addresses(self, monkeypatch):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [])

        self.assert_temporary(refused("http://localhost"), "connection broke")

    def test_no_answer(self, serve):
        self.assert_temporary(refused(serve(silent).url, timeout_seconds=0.2), "in time")

    def test_silence_inside_the_body(self, serve):
        def answer(connection, server):
            connection.sendall(OK + b"content-length: 100\r\n\r\n{")
            return silent(connection, server)

        self.assert_temporary(refused(serve(answer).url, timeout_seconds=0.2), "in time")

    def test_connection_that_is_never_accepted(self):
        """A full backlog leaves further connections unanswered, as a firewall that drops packets does."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            address = full.getsockname()
            with socket.create_connection(address):
                error = refused(f"http://127.0.0.1:{address[1]}", timeout_seconds=0.2)

        self.assert_temporary(error, "in time")

    def test_connection_closed_without_an_answer(self, serve):
        self.assert_temporary(refused(serve(sending(then_close=True)).url), "connection broke")

    def test_answer_that_is_not_http(self, serve):
        self.assert_temporary(
            refused(serve(sending(b"SSH-2.0-x\r\n\r\n", then_close=True)).url), "connection broke"
        )

    def test_tls_to_a_server_without_tls(self, serve):
        server = serve(silent, greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n")

        self.assert_temporary(refused(server.url.replace("http:", "https:")), "TLS")


class TestDeadline:
    @pytest.mark.parametrize(
        ("head", "byte"),
        [
            (b"HTTP/1.1 200", b" "),
            (OK + b"x-slow: ", b"x"),
            (OK + b"\r\n", b" "),
            (OK + b"content-length: 1000\r\n\r\n", b" "),
            (OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        ],
        ids=["status line", "headers", "endless body", "body", "chunks"],
    )
    def test_ends_what_drips(self, serve, head, byte):
        server = serve(dripping(head, byte))
        started = time.monotonic()

        error = refused(server.url, timeout_seconds=5, total_deadline_seconds=0.5)

        assert (error.reason, error.fate) == (Reason.UPSTREAM_UNAVAILABLE, Fate.RETRYABLE)
        assert 0.4 < time.monotonic() - started < 1.5

    def test_is_shared_by_all_addresses_of_a_name(self, monkeypatch):
        """Four addresses that never answer, each with a time-out of 0.3 s, would take 1.2 s."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            address = full.getsockname()
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)]
            real = socket.getaddrinfo
            monkeypatch.setattr(
                socket, "getaddrinfo", lambda host, *rest: found * 4 if host == "four" else real(host, *rest)
            )
            with socket.create_connection(address):
                started = time.monotonic()
                error = refused(f"http://four:{address[1]}", timeout_seconds=0.3, total_deadline_seconds=0.4)

        assert "in time" in error.detail
        assert time.monotonic() - started < 0.8

    def test_does_not_outlive_its_request(self, serve):
        server = serve(sending(EMPTY_OBJECT))
        shared = transport(server.url, total_deadline_seconds=0.3)

        shared.get("/v1/x", [], HEADERS)
        threading.Event().wait(0.4)

        assert shared.get("/v1/x", [], HEADERS).status == 200


class TestDamagedBodies:
    def assert_damaged(self, error, words, fate=Fate.RETRYABLE):
        assert (error.reason, error.fate, error.request_id) == (Reason.UPSTREAM_UNREADABLE, fate, "req_1")
        assert words in error.detail

    @pytest.mark.parametrize(
        "rest",
        [
            b"content-length: 100\r\n\r\n{",
            b"transfer-encoding: chunked\r\n\r\n5\r\n{",
            b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        ],
        ids=["length", "chunk", "chunk size"],
    )
    def test_refuses_a_body_cut_short(self, serve, rest):
        server = serve(sending(OK + b"request-id: req_1\r\n" + rest, then_close=True))

        self.assert_damaged(refused(server.url), "cut short")

    def test_refuses_a_broken_compression(self, serve):
        server = serve(
            sending(OK + b"request-id: req_1\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc")
        )

        self.assert_damaged(refused(server.url), "compressed")

    @pytest.mark.parametrize("encoding", [b"br", b"gzip, gzip"])
    def test_refuses_a_compression_it_did_not_ask_for(self, serve, encoding):
        head = OK + b"request-id: req_1\r\ncontent-encoding: " + encoding
        server = serve(sending(head + b"\r\ncontent-length: 2\r\n\r\n{}"))

        self.assert_damaged(refused(server.url), "compression is unknown")

    def test_refuses_a_body_over_the_limit_without_reading_on(self, serve):
        server = serve(
            sending(OK + b"request-id: req_1\r\ncontent-length: 2000000\r\n\r\n", b"x" * 2_000_000)
        )

        self.assert_damaged(refused(server.url, max_body_bytes=1024 * 1024), "larger than 1 MiB", Fate.FATAL)

    def test_bounds_what_a_gzip_bomb_unfolds_to(self, serve):
        bomb = gzip.compress(bytes(100 * 1024 * 1024))
        head = OK + b"request-id: req_1\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
        server = serve(sending(head + bomb))
        tracemalloc.start()

        try:
            error = refused(server.url, max_body_bytes=1024 * 1024)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        self.assert_damaged(error, "larger than 1 MiB", Fate.FATAL)
        assert peak_bytes < 8 * 1024 * 1024


class TestErrorBodies:
    def test_are_shortened(self, serve):
        server = serve(sending(b"HTTP/1.1 500 X\r\ncontent-length: 200000\r\n\r\n", b"x" * 200_000))

        assert transport(server.url).get("/v1/x", [], HEADERS).body == b"x" * 65536

    def test_are_kept_as_far_as_they_came(self, serve):
        server = serve(sending(b"HTTP/1.1 401 X\r\ncontent-length: 100\r\n\r\n{", then_close=True))

        assert transport(server.url).get("/v1/x", [], HEADERS).status == 401

    def test_are_left_out_when_they_cannot_be_decoded(self, serve):
        server = serve(sending(b"HTTP/1.1 503 X\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx"))

        assert transport(server.url).get("/v1/x", [], HEADERS).body == b""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A server context for 127.0.0.1 and the file with the certificate that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, path


class TestTls:
    def test_refuses_a_certificate_nobody_vouches_for(self, serve, certificate):
        server = serve(sending(EMPTY_OBJECT), tls=certificate[0])

        error = refused(server.url)

        assert "no trusted TLS" in error.detail
        assert server.heads == []

    def test_accepts_a_private_authority_named_by_the_environment(self, serve, certificate, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))
        server = serve(sending(EMPTY_OBJECT), tls=certificate[0])

        assert transport(server.url).get("/v1/x", [], HEADERS).body == b"{}"

    def test_keeps_the_deadline(self, serve, certificate, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))
        server = serve(dripping(OK + b"\r\n", b"x"), tls=certificate[0])
        started = time.monotonic()

        refused(server.url, total_deadline_seconds=0.5)

        assert time.monotonic() - started < 1.5

    def test_keeps_the_deadline_in_a_handshake_that_never_ends(self, serve):
        server = serve(silent)
        started = time.monotonic()

        error = refused(server.url.replace("http:", "https:"), total_deadline_seconds=0.4)

        assert "in time" in error.detail
        assert time.monotonic() - started < 1.2


class TestUnforeseen:
    @responses.activate
    def test_is_a_broken_connection(self):
        responses.get("https://api.example/v1/x", body=requests.exceptions.RequestException("?"))

        assert "connection broke" in refused("https://api.example").detail
