"""What somebody tried who read the code and meant harm; each test is a way in that is closed."""

from __future__ import annotations

import io
import logging
import re
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse

from accounts import invitations
from accounts.invitations import Offer
from accounts.models import AuditEvent, Role, User
from alerts import outbox
from alerts.models import OutboxMessage
from foundation import logs
from tests.accounts.test_settings_pages import as_
from tests.accounts.test_sign_in import sign_in
from tests.accounts.test_url_map import charlie_asks, is_file, routes, zanzibar  # noqa: F401 - fixtures
from tests.api.conftest import stored_connection
from tests.passwords import QuickHasher


def told_by_mail() -> str:
    """The text of the one mail that is sent when the outbox is emptied."""
    outbox.send_due(now=datetime.now(UTC))
    return str(mail.outbox[-1].body)


class CountingHasher(QuickHasher):
    """Counts how often the slow part of a sign-in is done."""

    times: ClassVar[int] = 0

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        CountingHasher.times += 1
        encoded: str = super().encode(password, salt, iterations)
        return encoded


def key_of(address: str) -> str:
    """The part of a reset link that opens something."""
    return address.rstrip("/").rpartition("/")[2]


class TestGuesses:
    """How long an answer takes is noisy; what is done for it can be counted."""

    def effort(self, email: str, form: dict[str, str]) -> tuple[int, int, int]:
        """How often a password was hashed, how many rows were written and statements sent, for one guess."""
        client, hashed = Client(), CountingHasher.times
        client.get("/accounts/login/")
        events = AuditEvent.objects.count()
        with CaptureQueriesContext(connection) as captured:
            answer = client.post("/accounts/login/", {"login": email, **form})
        assert "not correct" in answer.text
        return CountingHasher.times - hashed, AuditEvent.objects.count() - events, len(captured)

    def test_of_a_password_cost_the_same_whether_somebody_is_there_or_not(self, settings, alice):
        settings.PASSWORD_HASHERS = ["tests.accounts.test_outsider.CountingHasher"]
        wrong = {"password": "not the password"}

        known, unknown = self.effort(alice.user.email, wrong), self.effort("nobody@example.com", wrong)

        assert known[:2] == unknown[:2] == (1, 1)
        # Which accounts somebody belongs to is asked for one of them: a millisecond beside the half second of the hash.
        assert abs(known[2] - unknown[2]) <= 1

    def test_of_somebody_inactive_cost_the_same(self, settings, alice):
        settings.PASSWORD_HASHERS = ["tests.accounts.test_outsider.CountingHasher"]
        User.objects.filter(pk=alice.user_id).update(is_active=False)

        assert self.effort(alice.user.email, {"password": "not the password"})[:2] == (1, 1)


class TestPasswordReset:
    def test_leads_to_our_own_address_whatever_host_was_asked(self, settings, alice):
        """Somebody else may ask for the mail, and chooses the Host; whoever reads the mail gives the key away there."""
        settings.ALLOWED_HOSTS = ["*"]
        settings.PUBLIC_URL = "https://costs.example.com"

        Client().post(
            "/accounts/password/reset/", {"email": alice.user.email}, headers={"host": "evil.example"}
        )

        text = told_by_mail()
        assert re.search(r"https://costs\.example\.com/accounts/password/reset/key/\S+", text)
        assert "evil.example" not in text

    @pytest.mark.parametrize("email", ["alice@example.com", "ALICE@example.com", "nobody@example.com"])
    def test_asks_the_same_of_the_database_whoever_it_is_for(self, alice, email):
        client = Client()
        client.get("/accounts/password/reset/")

        with CaptureQueriesContext(connection) as captured:
            answer = client.post("/accounts/password/reset/", {"email": email})

        asked = [re.sub(r"'[^']*'", "?", query["sql"]) for query in captured]
        assert answer.status_code == 302
        assert [sql.partition("(")[0].strip() for sql in asked] == ['INSERT INTO "alerts_outboxmessage"']

    def test_hashes_nothing_while_somebody_waits(self, settings, alice):
        settings.PASSWORD_HASHERS = ["tests.accounts.test_outsider.CountingHasher"]
        before = CountingHasher.times

        Client().post("/accounts/password/reset/", {"email": alice.user.email})

        assert CountingHasher.times == before

    @pytest.mark.parametrize("email", ["nobody@example.com", "edith@example.com"])
    def test_sends_nothing_to_nobody_and_to_who_was_shut_out_and_forgets_that_it_was_asked_for(
        self, edith, email
    ):
        User.objects.filter(pk=edith.user_id).update(is_active=False)
        Client().post("/accounts/password/reset/", {"email": email})

        outbox.send_due(now=datetime.now(UTC))

        assert mail.outbox == []
        assert not OutboxMessage.objects.exists()

    def test_link_stands_in_no_statement_that_a_server_could_log(self, alice):
        """PostgreSQL logs a statement that fails with all that it was to write."""
        with CaptureQueriesContext(connection) as captured:
            Client().post("/accounts/password/reset/", {"email": alice.user.email})
            address = re.search(r"http://\S+(/accounts/password/reset/key/\S+)", told_by_mail())[1]

        assert Client().get(address, follow=True).status_code == 200
        assert not [query for query in captured if key_of(address).partition("-")[2] in query["sql"]]

    def test_leaves_nothing_behind_once_it_is_sent(self, alice):
        Client().post("/accounts/password/reset/", {"email": alice.user.email})

        told_by_mail()

        assert not OutboxMessage.objects.exists()

    def test_ends_the_other_sessions(self, alice):
        thief = as_(alice)
        Client().post("/accounts/password/reset/", {"email": alice.user.email})
        address = re.search(r"http://\S+(/accounts/password/reset/key/\S+)", told_by_mail())[1]
        client = Client()
        form = client.get(address, follow=True).request["PATH_INFO"]

        client.post(form, {"password1": "another horse battery", "password2": "another horse battery"})

        assert sign_in(Client(), alice.user.email, "another horse battery").status_code == 302
        assert thief.get("/settings/you/").status_code == 302

    def test_works_once(self, alice):
        Client().post("/accounts/password/reset/", {"email": alice.user.email})
        address = re.search(r"http://\S+(/accounts/password/reset/key/\S+)", told_by_mail())[1]
        first, second = Client(), Client()
        form = first.get(address, follow=True).request["PATH_INFO"]
        first.post(form, {"password1": "another horse battery", "password2": "another horse battery"})

        again = second.get(address, follow=True)

        assert "password1" not in again.text


class TestRequestId:
    @pytest.mark.parametrize(
        "sent", ["0af7651916cd43dd8448eb211c80319c", "a\x1b[2J", "x" * 500, "<script>", "' OR 1=1", ""]
    )
    def test_is_ours_whatever_is_sent(self, account, alice, sent):
        """Otherwise a stranger's request could stand in the audit log under the id of somebody else's."""
        paused = stored_connection(account)

        as_(alice).post(f"/connections/{paused.pk}/pause/", headers={"x-request-id": sent})

        written = AuditEvent.objects.get(action="connection.paused").request_id
        assert re.fullmatch(r"[0-9a-f-]{36}", written)
        assert written != sent


class TestLogs:
    @pytest.fixture
    def written(self):
        """What the log holds, as it is written for people who run the service."""
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        config = logs.configure("json", "DEBUG")["formatters"]["structured"]
        handler.setFormatter(config.pop("()")(**config))
        root = logging.getLogger()
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        yield stream
        root.removeHandler(handler)

    def test_hold_no_link_of_an_invitation(self, account, written):
        """Who reads the logs could join in the invited one's place."""
        invited = invitations.invite(
            account, Offer("new@example.com", Role.ADMIN), invited_by=None, actor="a", now=datetime.now(UTC)
        )
        address = reverse("invitation", args=(invitations.token_of(invited),))
        client = Client(enforce_csrf_checks=True)

        answers = [client.get(address), client.post(address, {"password": "x"}), client.put(address)]

        assert [answer.status_code for answer in answers] == [200, 403, 403]
        assert "/invitations/" in written.getvalue()
        assert invitations.token_of(invited).partition(":")[2] not in written.getvalue()

    def test_hold_no_key_of_a_new_password(self, alice, written):
        Client().post("/accounts/password/reset/", {"email": alice.user.email})
        address = re.search(r"http://\S+(/accounts/password/reset/key/\S+)", told_by_mail())[1]

        Client().get(address)
        Client(enforce_csrf_checks=True).post(address)

        assert "/password/reset/key/" in written.getvalue()
        assert key_of(address) not in written.getvalue()

    def test_hold_no_code_of_the_identity_provider(self, db, written):
        Client().get("/accounts/sso/login/callback/?code=SplxlOBeZQQYbYS6WxSbIA&state=af0ifjsldkj")

        assert "SplxlOBeZQQYbYS6WxSbIA" not in written.getvalue()
        assert "af0ifjsldkj" not in written.getvalue()


class TestCaches:
    PAGES = sorted(
        route
        for route, name in routes(get_resolver())
        if "<" not in route and not route.startswith(("api/", "static"))
    )

    @pytest.mark.parametrize(
        "route",
        [
            pytest.param(route, marks=pytest.mark.django_db(transaction=True)) if is_file(route) else route
            for route in PAGES
        ],
    )
    def test_keep_no_page_of_somebody_who_is_signed_in(self, charlie_asks, zanzibar, route):  # noqa: F811
        """A shared computer, or a proxy that keeps too much: going back shows nothing to the next person."""
        answer = charlie_asks.get(f"/{route}")

        text = (answer.getvalue() if answer.streaming else answer.content).decode()
        kept = answer.headers.get("Cache-Control", "")
        assert "charlie@example.com" not in text or "no-store" in kept, kept

    @pytest.mark.parametrize(
        "path", ["connections/", "costs/?from=2026-11-01&to=2026-11-02", "tokens/", "people/"]
    )
    def test_keep_no_answer_to_a_program_for_another_one(self, charlie_asks, path):  # noqa: F811
        kept = charlie_asks.get(f"/api/v1/{path}").headers.get("Cache-Control", "")

        assert "no-store" in kept or "private" in kept, kept


class TestRedirects:
    @pytest.mark.parametrize(
        "target", ["https://evil.example/", "//evil.example/", "\\\\evil.example", "/\\evil.example", "javascript:alert(1)",
                   "https:evil.example", "///evil.example", "http:///evil.example", " //evil.example", "\x08//evil.example"],
    )  # fmt: skip
    def test_after_signing_in_stay_here(self, alice, target):
        answer = Client().post(
            "/accounts/login/",
            {"login": alice.user.email, "password": "correct horse battery", "next": target},
        )

        assert answer.headers["Location"] == "/"

    @pytest.mark.parametrize("page", ["/accounts/logout/", "/accounts/reauthenticate/", "/admin/login/"])
    def test_of_other_pages_stay_here(self, alice, page):
        answer = as_(alice).post(page, {"next": "https://evil.example/", "password": "correct horse battery"})

        assert "evil.example" not in answer.headers.get("Location", "/")


class TestSessions:
    def test_get_a_new_key_with_the_sign_in(self, alice):
        client = Client()
        client.get("/accounts/login/")
        session = client.session
        session["planted"] = "by somebody else"
        session.save()
        planted = session.session_key
        client.cookies["sessionid"] = planted

        sign_in(client, alice.user.email)

        assert client.session.session_key != planted
        assert client.session.get("_auth_user_id") == str(alice.user_id)

    def test_end_with_the_person(self, alice, edith):
        client = as_(edith)
        User.objects.filter(pk=edith.user_id).update(is_active=False)

        assert client.get("/settings/you/").status_code == 302

    def test_act_for_no_account_that_was_left(self, alice, edith):
        client = as_(edith)
        client.get("/connections/")
        edith.delete()

        assert client.get("/connections/").status_code == 403


class TestForms:
    def test_set_nothing_but_what_they_show(self, alice):
        """Members that the page does not offer are not taken: nobody makes themselves an operator."""
        client = as_(alice)

        client.post(
            "/settings/you/",
            {
                "first_name": "A",
                "last_name": "B",
                "is_staff": "on",
                "is_superuser": "on",
                "email": "root@example.com",
            },
        )

        person = User.objects.get(pk=alice.user_id)
        assert (person.is_staff, person.is_superuser, person.email, person.first_name) == (
            False, False, "alice@example.com", "A",
        )  # fmt: skip
