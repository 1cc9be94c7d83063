"""A real Chromium against a real server, the simulated Anthropic upstream, and nothing unexpected in its console."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from accounts.models import Plan, User
from integrations.models import Connection
from tests.accounts.factors import show_second_factor
from workers import lifecycle
from workers.lifecycle import NewConnection

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = [
    "--no-sandbox",  # Chromium refuses to sandbox itself as root, which is what containers run as
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            # Static files come from the apps here; only an installation that collected them has the folder.
            item.add_marker(pytest.mark.filterwarnings("ignore:No directory at"))


def find_chromium() -> str | None:
    """Return a Chromium of this machine: CHROMIUM names one, otherwise the usual names are tried."""
    return os.environ.get("CHROMIUM") or next((path for name in _NAMES if (path := shutil.which(name))), None)


@pytest.fixture(autouse=True)
def one_report(bill_only: None) -> None:
    """Pages are the same for every report; tests of all of them are in tests/sources."""


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    # Playwright's loop lives in this thread, and Django would refuse queries beside any running loop.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with sync_playwright() as running:
            yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    executable = find_chromium() or playwright.chromium.executable_path
    if not Path(executable).exists():
        pytest.skip("no Chromium on this machine: install one, or name it in CHROMIUM")
    browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
    yield browser
    browser.close()


class Surfer:
    """One person's browser: opens pages, and remembers what a console would have shown."""

    def __init__(self, browser: Browser, base_url: str, **options: object) -> None:
        self.context: BrowserContext = browser.new_context(base_url=base_url, **options)
        self.context.set_default_timeout(15_000)
        self.base_url = base_url
        self.complaints: list[str] = []
        self.page = self.open_tab()

    def open_tab(self) -> Page:
        page = self.context.new_page()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        # Nothing may be fetched from anywhere else.
        page.on("request", lambda request: self._note_request(request.url))
        return page

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(f"{kind}: {text}")

    def _note_request(self, url: str) -> None:
        if not url.startswith((self.base_url, "data:", "blob:")):
            self.complaints.append(f"fetched from elsewhere: {url}")

    def sign_in(self, user: User) -> None:
        """Put a signed-in session's cookie into the browser; the form has a test of its own."""
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        show_second_factor(session, user)
        session.save()
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session.session_key, "url": self.base_url}
        self.context.add_cookies([cookie])


@pytest.fixture
def surf(browser: Browser, live_server) -> Iterator[Callable[..., Surfer]]:
    """Open browsers; at the end each of them must have had nothing to complain about."""
    surfers: list[Surfer] = []

    def start(user: User | None = None, **options: object) -> Surfer:
        surfer = Surfer(browser, live_server.url, **options)
        if user is not None:
            surfer.sign_in(user)
        surfers.append(surfer)
        return surfer

    yield start
    complaints = [complaint for surfer in surfers for complaint in surfer.complaints]
    for surfer in surfers:
        surfer.context.close()
    assert complaints == []


@pytest.fixture
def key_of(simulator) -> Callable[..., str]:
    """Find the key of a simulated organisation by its slug."""
    found = {organisation["slug"]: organisation for organisation in simulator.organisations()}
    return lambda slug, kind="admin_key": found[slug][kind]


@pytest.fixture
def filled(account, key_of, run_due) -> Connection:
    account.plan = Plan.FREE
    account.save()
    connection = lifecycle.connect(
        account, NewConnection(key_of("birch-logistics")), actor="alice@example.com"
    )
    run_due()
    connection.refresh_from_db()
    return connection
