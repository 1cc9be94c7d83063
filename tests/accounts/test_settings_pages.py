"""The settings pages, as each role sees them and as somebody of another account tries them."""

from __future__ import annotations

import re
import uuid

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import reverse

from accounts import audit, invitations, sessions, tokens
from accounts.invitations import Offer
from accounts.models import ApiToken, AuditEvent, Invitation, Membership, Role, User
from accounts.pages import urls
from accounts.pages.forms import NameForm
from accounts.tokens import Terms
from alerts import outbox
from alerts.models import OutboxMessage
from tests.accounts.test_sign_in import sign_in
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db


def as_(membership: Membership, **options) -> Client:
    client = Client(**options)
    client.force_login(membership.user)
    return client


def said(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.fixture
def token(account, edith) -> ApiToken:
    """Edith's."""
    return tokens.issue(account, edith.user, Terms("quarterly", Role.VIEWER), actor="set-up")[0]


@pytest.fixture
def invited(account, alice) -> Invitation:
    from django.utils import timezone

    return invitations.invite(
        account, Offer("bob@example.com", Role.EDITOR), invited_by=alice.user, actor="x", now=timezone.now()
    )


class TestPeople:
    def test_are_listed_for_everybody_and_changed_by_admins_only(self, alice, victor):
        theirs, hers = as_(victor).get(reverse("settings:people")), as_(alice).get(reverse("settings:people"))

        assert "alice@example.com" in theirs.text
        assert "Invite somebody" not in theirs.text
        assert "Invite somebody" in hers.text

    def test_are_invited_by_mail(self, alice, account):
        client = as_(alice)

        answer = client.post(
            reverse("settings:invite"), {"email": "Bob@Example.com", "role": "editor"}, follow=True
        )

        mail = OutboxMessage.objects.get()
        assert "bob@example.com is on its way" in said(answer)
        assert (mail.recipient, mail.account) == ("bob@example.com", account)
        assert re.search(r"http://localhost:8000/invitations/\S+/\n", mail.body)
        assert "bob@example.com" in client.get(reverse("settings:people")).text
        # The link is for who reads that mail, and for nobody else.
        assert "/invitations/" not in client.get(reverse("settings:people")).text.replace(
            "people/invitations/", ""
        )

    @pytest.mark.parametrize(
        ("email", "words"), [("alice@example.com", "belongs to this account"), ("nonsense", "valid email")]
    )
    def test_are_told_what_is_wrong_with_an_invitation(self, alice, email, words):
        answer = as_(alice).post(reverse("settings:invite"), {"email": email, "role": "viewer"})

        assert words in answer.text
        assert not OutboxMessage.objects.exists()

    def test_change_role(self, alice, edith):
        as_(alice).post(reverse("settings:change_role", args=(edith.pk,)), {"role": "admin"})

        edith.refresh_from_db()
        assert edith.role == Role.ADMIN

    def test_keep_their_role_when_it_makes_no_sense(self, alice, edith):
        as_(alice).post(reverse("settings:change_role", args=(edith.pk,)), {"role": "owner"})

        edith.refresh_from_db()
        assert edith.role == Role.EDITOR

    def test_cannot_all_lose_the_role_of_admin(self, alice):
        answer = as_(alice).post(
            reverse("settings:change_role", args=(alice.pk,)), {"role": "viewer"}, follow=True
        )

        assert "needs an admin" in said(answer)

    def test_are_removed_after_being_asked_about(self, alice, edith, token):
        client, address = as_(alice), reverse("settings:remove", args=(edith.pk,))

        asked = client.get(address).text
        client.post(address)

        assert "1 API token made by them here stops" in asked
        assert not Membership.objects.filter(pk=edith.pk).exists()
        assert not ApiToken.objects.exists()

    def test_who_were_removed_see_nothing_more_with_their_next_click(self, alice, edith):
        client = as_(edith)
        before = client.get("/").status_code

        as_(alice).post(reverse("settings:remove", args=(edith.pk,)))

        assert (before, client.get("/").status_code) == (200, 403)

    def test_may_leave_by_themselves(self, alice, victor):
        as_(victor).post(reverse("settings:remove", args=(victor.pk,)))

        assert not Membership.objects.filter(pk=victor.pk).exists()
        assert AuditEvent.objects.get().action == "member.left"


class TestInvitation:
    def test_lets_somebody_new_choose_a_password_and_in(self, account, invited):
        client, address = Client(), reverse("invitation", args=(invitations.token_of(invited),))

        offered = client.get(address)
        joined = client.post(address, {"password": "battery horse correct"})

        assert "alice@example.com invites" in offered.text
        assert joined["Location"] == "/"
        assert client.get("/").status_code == 200
        assert Membership.objects.get(user__email="bob@example.com").role == Role.EDITOR
        assert sign_in(Client(), "bob@example.com", "battery horse correct").status_code == 302
        assert client.get(address).status_code == 404

    def test_holds_the_password_against_the_rules(self, invited):
        address = reverse("invitation", args=(invitations.token_of(invited),))

        answer = Client().post(address, {"password": "bob@example.com"})

        assert "too similar" in answer.text
        assert 'bob@example.com"' not in answer.text
        assert not User.objects.filter(email="bob@example.com").exists()

    def test_of_somebody_known_needs_their_sign_in(self, account, invited, other_account):
        user = User.objects.create_user("bob@example.com", "correct horse battery")
        Membership.objects.create(account=other_account, user=user, role=Role.VIEWER)
        address = reverse("invitation", args=(invitations.token_of(invited),))

        stranger = Client().post(address, {"password": "I take it over now"})
        client = Client()
        client.force_login(user)
        asked = client.get(address)
        client.post(address)

        assert stranger["Location"].startswith("/accounts/login/")
        assert not user.memberships.filter(account=account).exists() or asked.status_code == 200
        # From now on they look at what they joined.
        assert account.name in client.get("/settings/people/").content.decode().replace("&#x27;", "'")
        assert {each.account for each in user.memberships.all()} == {account, other_account}

    def test_is_not_for_whoever_is_signed_in_as_somebody_else(self, invited, victor):
        address = reverse("invitation", args=(invitations.token_of(invited),))

        answer = as_(victor).post(address, {"password": "battery horse correct"})

        assert "You are signed in as victor@example.com" in answer.text
        assert not User.objects.filter(email="bob@example.com").exists()

    def test_is_withdrawn_by_an_admin(self, alice, invited):
        address = reverse("invitation", args=(invitations.token_of(invited),))

        as_(alice).post(reverse("settings:withdraw", args=(invited.pk,)))

        assert Client().get(address).status_code == 404

    def test_leaves_no_link_behind_once_it_was_sent(self, alice, mailoutbox):
        from django.utils import timezone

        as_(alice).post(reverse("settings:invite"), {"email": "bob@example.com", "role": "viewer"})

        outbox.send_due(now=timezone.now())

        assert "/invitations/" in mailoutbox[0].body
        assert mailoutbox[0].to == ["bob@example.com"]
        assert "/invitations/" not in OutboxMessage.objects.get().body


class TestTokens:
    def test_are_shown_once(self, alice):
        client = as_(alice)
        form = {"name": "ci", "role": "admin", "access": "full", "expires": "30"}

        made = client.post(reverse("settings:issue_token"), form)

        plain = made.context["plain"]
        assert plain in made.text
        assert made["Cache-Control"] == "private, no-store"
        assert plain not in client.get(reverse("settings:tokens")).text
        assert Caller(plain, Client()).get("connections/").status_code == 200

    def test_have_the_chosen_terms(self, alice):
        form = {"name": "ci", "role": "editor", "access": "read", "expires": "never"}

        as_(alice).post(reverse("settings:issue_token"), form)

        token = ApiToken.objects.get()
        assert (token.role, token.is_read_only, token.expiry) == ("editor", True, None)
        event = AuditEvent.objects.get()
        assert event.changes == {"role": "editor", "access": "read-only", "expires": "never"}

    def test_never_get_a_role_that_one_lacks(self, victor):
        form = {"name": "ci", "role": "admin", "access": "full", "expires": "30"}

        answer = as_(victor).post(reverse("settings:issue_token"), form)

        assert "not one of the available choices" in answer.text
        assert not ApiToken.objects.exists()

    def test_of_others_are_seen_by_admins_only(self, alice, victor, edith, token):
        pages = [as_(each).get(reverse("settings:tokens")).text for each in (alice, edith, victor)]

        assert ["quarterly" in page for page in pages] == [True, True, False]

    def test_are_revoked_after_being_asked_about(self, alice, token):
        client, address = as_(alice), reverse("settings:revoke", args=(token.public_id,))

        asked = client.get(address)
        client.post(address)

        assert asked.status_code == 200
        assert not ApiToken.objects.exists()
        assert AuditEvent.objects.order_by("pk").last().action == "token.revoked"

    def test_show_neither_digest_nor_more_than_a_prefix(self, alice, token):
        page = as_(alice).get(reverse("settings:tokens")).text

        assert token.digest not in page
        assert token.token_key not in page


class TestYou:
    def test_change_your_name(self, victor):
        as_(victor).post(reverse("mfa_index"), {"first_name": "Victor", "last_name": "V", "is_staff": "on"})

        user = User.objects.get(pk=victor.user_id)
        assert (user.first_name, user.is_staff) == ("Victor", False)
        assert AuditEvent.objects.get().changes == {"first_name": ["", "Victor"], "last_name": ["", "V"]}

    def test_write_nothing_but_the_name(self, victor, monkeypatch):
        """Whoever is shut out while a name is being saved stays shut out, however often it is saved."""
        client, cleaned = as_(victor), NameForm.clean

        def shut_out(form: NameForm) -> object:
            User.objects.filter(pk=victor.user_id).update(is_active=False, password="another")
            return cleaned(form)

        monkeypatch.setattr(NameForm, "clean", shut_out)

        client.post(reverse("mfa_index"), {"first_name": "Victor", "last_name": "V"})

        user = User.objects.get(pk=victor.user_id)
        assert (user.first_name, user.is_active, user.password) == ("Victor", False, "another")

    def test_is_open_to_who_belongs_to_no_account(self, db):
        user = User.objects.create_user("lost@example.com", "correct horse battery")
        client = Client()
        client.force_login(user)

        assert client.get(reverse("mfa_index")).status_code == 200

    def test_lists_sessions_with_where_and_when(self, victor):
        client = Client(headers={"user-agent": "Firefox of Victor"})
        sign_in(client, victor.user.email, REMOTE_ADDR="203.0.113.7")

        page = client.get(reverse("mfa_index"), REMOTE_ADDR="203.0.113.8").text

        assert "Firefox of Victor" in page
        assert "203.0.113.8" in page  # where it was last used from
        assert "this one" in page

    def test_ends_one_session(self, victor):
        here, there = Client(), Client()
        sign_in(there, victor.user.email)
        theirs = UserSession.objects.get()
        sign_in(here, victor.user.email)

        here.post(reverse("settings:end_session", args=(theirs.pk,)))

        assert (here.get("/").status_code, there.get("/").status_code) == (200, 302)
        assert AuditEvent.objects.order_by("pk").last().changes == {"count": 1}

    def test_ends_all_other_sessions(self, victor):
        clients = [Client() for _ in range(3)]
        [sign_in(each, victor.user.email) for each in clients]

        clients[0].post(reverse("settings:end_others"))

        assert [each.get("/").status_code for each in clients] == [200, 302, 302]

    def test_ends_nobody_elses(self, victor, edith):
        there = Client()
        sign_in(there, edith.user.email)

        answer = as_(victor).post(reverse("settings:end_session", args=(UserSession.objects.get().pk,)))

        assert answer.status_code == 404
        assert there.get("/").status_code == 200

    def test_writes_the_last_use_once_a_minute(self, victor, django_assert_num_queries):
        client = Client()
        sign_in(client, victor.user.email)
        client.get(reverse("mfa_index"))
        session = UserSession.objects.get()

        client.get(reverse("mfa_index"), REMOTE_ADDR="203.0.113.8")

        assert UserSession.objects.get().ip == session.ip

    def test_shows_no_session_key(self, victor):
        client = Client()
        sign_in(client, victor.user.email)

        assert client.session.session_key not in client.get(reverse("mfa_index")).text

    def test_keeps_no_session_key_in_redis(self, victor):
        from workers.bucket import redis_client

        client = Client()
        sign_in(client, victor.user.email)
        client.get("/")

        redis = redis_client()
        kept = b" ".join(
            key + (redis.get(key) or b"") for key in redis.keys("*") if redis.type(key) == b"string"
        )
        assert b"tallystick:cache" in kept  # sign-in counts there, so that this search finds something
        assert client.session.session_key.encode() not in kept

    def test_opens_while_redis_does_not_answer(self, victor, settings):
        client = Client()
        sign_in(client, victor.user.email)
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": "redis://127.0.0.1:1",
            }
        }

        assert client.get(reverse("mfa_index")).status_code == 200

    def test_forgets_sessions_that_are_gone(self, victor):
        client = Client()
        sign_in(client, victor.user.email)
        client.session.flush()

        assert sessions.list_of(victor.user) == []


class TestAudit:
    @pytest.fixture
    def log(self, account, other_account) -> None:
        audit.record(account, "alice@example.com", "connection.created", "Main")
        audit.record(account, "token ci", "connection.paused", "=HYPERLINK(1)")
        audit.record(other_account, "charlie@example.com", "connection.created", "Secret")

    def test_tells_the_accounts_events_in_sentences(self, alice, log):
        page = as_(alice).get(reverse("settings:audit")).text

        assert "alice@example.com connected Main." in page
        assert "Secret" not in page

    @pytest.mark.parametrize("role", ["editor", "viewer"])
    @pytest.mark.parametrize("name", ["audit", "audit_csv"])
    def test_is_for_admins(self, edith, victor, log, role, name):
        client = as_({"editor": edith, "viewer": victor}[role])

        assert client.get(reverse(f"settings:{name}")).status_code == 403

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"actor": "TOKEN"}, ["connection.paused"]),
            ({"action": "connection.created"}, ["connection.created"]),
            ({"target": "main"}, ["connection.created"]),
            ({"since": "2020-01-01", "until": "2020-01-02"}, []),
            ({"since": "2020-01-01"}, ["connection.paused", "connection.created"]),
            ({"until": "9999-12-31"}, ["connection.paused", "connection.created"]),
            ({"since": "9999-12-31"}, []),
            ({"since": "nonsense"}, []),
            ({"action": "nonsense"}, []),
            ({"before": "9" * 30}, ["connection.paused", "connection.created"]),
        ],
    )
    def test_is_filtered(self, alice, log, query, found):
        shown = as_(alice).get(reverse("settings:audit"), query).context["events"]

        assert [event.action for event, _ in shown] == found

    def test_pages_by_position(self, alice, account):
        for number in range(120):
            audit.record(account, "alice@example.com", "connection.tested", f"c{number}")
        client, seen, query = as_(alice), [], {}

        for _ in range(3):
            context = client.get(reverse("settings:audit"), query).context
            seen += [event.target for event, _ in context["events"]]
            query = {"before": context["older"]}

        assert seen == [f"c{number}" for number in reversed(range(120))]
        assert context["older"] is None


def bare(answer) -> str:
    """A page without what differs from request to request."""
    return re.sub(r'csrfmiddlewaretoken" value="\w+"|[0-9a-f-]{36}|\d+', "#", answer.text)


class TestAnotherAccount:
    """Charlie is an admin, of another account: what belongs to this one is not there for him."""

    ADDRESSES = ("change_role", "remove", "withdraw", "revoke")

    @pytest.mark.parametrize("name", ADDRESSES)
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_finds_nothing(self, charlie, edith, token, invited, name, method):
        its = {"withdraw": invited.pk, "revoke": token.public_id}.get(name, edith.pk)
        nobodys = uuid.uuid4() if name in {"withdraw", "revoke"} else edith.pk + 1000
        client = as_(charlie)

        answers = [
            getattr(client, method)(reverse(f"settings:{name}", args=(id_,)), {"role": "viewer"})
            for id_ in (its, nobodys)
        ]

        assert {answer.status_code for answer in answers} <= {404, 405}
        assert bare(answers[0]) == bare(answers[1])
        assert Membership.objects.filter(pk=edith.pk, role=Role.EDITOR).exists()
        assert Invitation.objects.get().revoked_at is None
        assert ApiToken.objects.exists()

    def test_every_address_of_an_object_is_covered(self):
        with_id = {str(one.name) for one in urls.settings if "<" in str(one.pattern)}

        assert with_id == {*self.ADDRESSES, "end_session"}

    def test_sees_nothing_of_it(self, charlie, edith, token, invited):
        client = as_(charlie)

        pages = "".join(
            client.get(reverse(f"settings:{name}")).text for name in ("people", "tokens", "audit")
        )

        assert not {"edith", "quarterly", "bob@example.com"} & set(re.findall(r"[\w.@]+", pages))


class TestRoles:
    @pytest.mark.parametrize("who", ["edith", "victor"])
    @pytest.mark.parametrize("name", ["invite", "change_role", "withdraw"])
    def test_below_admin_manage_nobody(self, request, alice, invited, who, name):
        client = as_(request.getfixturevalue(who))
        args = {"invite": (), "change_role": (alice.pk,), "withdraw": (invited.pk,)}[name]

        answer = client.post(
            reverse(f"settings:{name}", args=args), {"email": "x@example.com", "role": "viewer"}
        )

        assert answer.status_code == 403
        assert Invitation.objects.filter(revoked_at=None).count() == 1

    def test_below_admin_remove_nobody_but_themselves(self, alice, edith, victor):
        assert as_(victor).post(reverse("settings:remove", args=(edith.pk,))).status_code == 404
        assert Membership.objects.filter(pk=edith.pk).exists()

    def test_below_admin_revoke_only_their_own_tokens(self, victor, token):
        assert as_(victor).post(reverse("settings:revoke", args=(token.public_id,))).status_code == 404
        assert ApiToken.objects.exists()


class TestForgery:
    @pytest.mark.parametrize("name", ["invite", "issue_token", "end_others"])
    def test_is_refused(self, alice, name):
        assert as_(alice, enforce_csrf_checks=True).post(reverse(f"settings:{name}")).status_code == 403

    def test_is_refused_for_an_invitation(self, invited):
        address = reverse("invitation", args=(invitations.token_of(invited),))

        answer = Client(enforce_csrf_checks=True).post(address, {"password": "battery horse correct"})

        assert answer.status_code == 403


class TestVisitors:
    @pytest.mark.parametrize("name", ["people", "tokens", "audit", "audit_csv", "index"])
    def test_are_asked_to_sign_in(self, db, name):
        answer = Client().get(reverse(f"settings:{name}"), follow=True)

        assert answer.redirect_chain[-1][0].startswith("/accounts/login/")

    @pytest.mark.parametrize(
        ("name", "home"), [("invite", "/settings/people/"), ("issue_token", "/settings/tokens/")]
    )
    def test_are_led_to_the_page_of_a_button(self, db, name, home):
        answer = Client().post(reverse(f"settings:{name}"))

        assert answer["Location"] == f"/accounts/login/?next={home}"
