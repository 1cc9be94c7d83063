from __future__ import annotations

import ast
import datetime as dt
import re
import uuid
from pathlib import Path

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts import audit, invitations, people
from accounts.actions import ACTIONS, sentence
from accounts.invitations import Offer
from accounts.models import Account, AuditEvent, Membership, Role, User
from alerts.models import OutboxMessage
from integrations.models import Connection
from tests.accounts.test_sign_in import sign_in
from tests.api.conftest import stored_connection

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("accounts", "alerts", "config", "costs", "dashboard", "demo", "integrations", "runtime", "workers")
# Literals of the same form that are something else: permissions, tasks, kinds of mails.
NO_ACTIONS = re.compile(
    r"(accounts|workers|integrations|allauth|django|connection\.(late|first_data|needs_you|recovered))\b"
)


# Put together from two words, in dashboard/saved_views.py.
BUILT = {f"{kind}.{deed}" for kind in ("view", "dashboard") for deed in ("saved", "edited", "deleted")}


def imports_audit(node: ast.AST) -> bool:
    """However it is written; what only reads, such as accounts.actions, is another module."""
    if isinstance(node, ast.Import):
        return any(alias.name == "accounts.audit" for alias in node.names)
    return isinstance(node, ast.ImportFrom) and (
        node.module == "accounts.audit"
        or (node.module == "accounts" and any(alias.name == "audit" for alias in node.names))
    )


def literals_of_audit() -> set[str]:
    """Every text of the form `noun.verb` in a module that writes to the audit log."""
    found: set[str] = set()
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        if not any(imports_audit(node) for node in nodes):
            continue
        constants = (node.value for node in nodes if isinstance(node, ast.Constant))
        found |= {c for c in constants if isinstance(c, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", c)}
    return {literal for literal in found if not NO_ACTIONS.match(literal)}


def event(action: str, **fields) -> AuditEvent:
    return AuditEvent(**{"actor": "alice@example.com", "action": action, "target": "Main", **fields})


class TestActions:
    def test_of_the_code_all_have_a_sentence(self):
        assert literals_of_audit() - set(ACTIONS) == set()

    def test_with_a_sentence_all_happen_in_the_code(self):
        assert set(ACTIONS) - literals_of_audit() - BUILT == set()

    @pytest.mark.parametrize("action", ACTIONS)
    def test_read_as_a_sentence_with_every_field_they_record(self, action):
        changes = {name: f"<{name}>" for name in ACTIONS[action].fields}

        said = sentence(event(action, changes=changes))

        assert re.fullmatch(r"alice@example\.com [a-z][^{}]*\.", said)
        assert "not recorded" not in said
        assert all(f"<{name}>" in said for name in ACTIONS[action].fields)

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            (
                {
                    "action": "member.changed",
                    "target": "bob@example.com",
                    "changes": {"role": ["viewer", "admin"]},
                },
                "alice@example.com changed the role of bob@example.com from viewer to admin.",
            ),
            (
                {
                    "action": "connection.edited",
                    "changes": {"label": ["A", "Main"], "cost_center": ["", "R&D"]},
                },
                "alice@example.com changed Main: label from A to Main; cost_center from none to R&D.",
            ),
            (
                {"action": "connection.paused", "token_prefix": "0a1b2c3d", "address": "203.0.113.5"},
                "alice@example.com paused Main (token 0a1b2c3d…, address 203.0.113.5).",
            ),
            ({"action": "connection.sync_forced"}, "the days from not recorded to before not recorded."),
            ({"action": "nothing.known"}, "alice@example.com did nothing.known to Main."),
            ({"action": "connection.paused", "target": "{actor}"}, "alice@example.com paused {actor}."),
        ],
    )
    def test_read_well(self, fields, said):
        assert sentence(event(**fields)).endswith(said)


class TestRecord:
    def test_refuses_what_has_no_sentence(self, account):
        with pytest.raises(ValueError, match="declare it"):
            audit.record(account, "alice", "account.sold")

    def test_refuses_fields_that_are_not_allowed(self, account):
        with pytest.raises(ValueError, match="api_key"):
            audit.record(account, "alice", "connection.edited", "Main", label=["a", "b"], api_key="sk-ant-x")

    def test_refuses_what_its_sentence_would_miss(self, account):
        with pytest.raises(ValueError, match="must record from_day"):
            audit.record(account, "alice", "connection.sync_forced", "Main", to_day="2026-11-01")

    def test_knows_nothing_of_a_request_outside_of_one(self, account):
        audit.record(account, "manage.py x", "connection.paused", "Main")

        written = AuditEvent.objects.get()
        assert (written.address, written.request_id, written.person_id) == (None, "", None)

    def test_says_where_a_person_was(self, account, admin_user, client):
        connection = stored_connection(account)
        client.force_login(admin_user)

        client.post(f"/connections/{connection.pk}/pause/", REMOTE_ADDR="203.0.113.5")

        written = AuditEvent.objects.get(action="connection.paused")
        assert (written.address, len(written.request_id)) == ("203.0.113.5", 36)
        assert (written.person_id, written.token_prefix) == (admin_user.pk, "")
        assert written.target_id == str(connection.pk)

    def test_says_which_token_it_was(self, account, admin_user, admin_token):
        connection = stored_connection(account)
        row, caller = admin_token

        caller("POST", f"connections/{connection.pk}/pause/")

        written = AuditEvent.objects.get(action="connection.paused")
        assert written.token_prefix == row.token_key[:8]
        assert (written.person_id, written.actor) == (admin_user.pk, "token ci")

    def test_forgets_the_request_after_its_end(self, account, admin_user, client):
        client.force_login(admin_user)
        client.get("/")

        audit.record(account, "manage.py x", "connection.paused", "Main")

        assert AuditEvent.objects.get().address is None


class TestRecordPerson:
    def test_stands_in_every_account_of_the_person(self, account, other_account, admin_user):
        Membership.objects.create(account=other_account, user=admin_user, role=Role.VIEWER)

        audit.record_person(admin_user, "password.set_by_operator", actor="root@example.com")

        assert {each.account for each in AuditEvent.objects.all()} == {account, other_account}

    def test_stands_in_the_installation_for_who_belongs_nowhere(self, db):
        user = User.objects.create_user("op@example.com")

        audit.record_person(user, "password.set_by_operator", actor="root@example.com")

        written = AuditEvent.objects.get()
        assert (written.account, written.actor, written.target) == (
            None,
            "root@example.com",
            "op@example.com",
        )


class TestTable:
    @pytest.fixture
    def written(self, account) -> AuditEvent:
        return audit.record(account, "alice", "connection.paused", "Main")

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE accounts_auditevent SET actor = 'nobody'",
            "UPDATE accounts_auditevent SET changes = '{}' WHERE false OR id > 0",
            "DELETE FROM accounts_auditevent",
            "TRUNCATE accounts_auditevent",
            "TRUNCATE accounts_account CASCADE",
        ],
    )
    def test_refuses_every_change(self, written, statement):
        with connection.cursor() as cursor:
            # The row is as fresh as this transaction: without this, PostgreSQL would refuse for a reason of its own.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                cursor.execute(statement)

        assert AuditEvent.objects.get().actor == "alice"

    def test_refuses_the_model_too(self, written):
        written.actor = "nobody"

        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            written.save()
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            written.account.delete()

    def test_lets_no_account_open_another_ones_log(self, written, other_account):
        self.open_for(str(other_account.pk))

        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            AuditEvent.objects.all().delete()

        assert AuditEvent.objects.exists()

    def test_keeps_the_installations_own_events_for_ever(self, db):
        audit.record(None, "alice", "account.erased", "Gone", connections=0, events=0, people=0)

        self.open_for("")

        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            AuditEvent.objects.all().delete()

    def open_for(self, account_id: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('tallystick.erase_account', %s, true)", [account_id])


@pytest.mark.django_db(transaction=True)
class TestEraseAccount:
    def test_leaves_one_event_and_the_other_account(self, account, other_account, admin_user, charlie, edith):
        stored_connection(account)
        kept = stored_connection(other_account, 2)
        Membership.objects.create(account=other_account, user=edith.user, role=Role.VIEWER)
        audit.record(account, "alice", "connection.paused", "Main")
        audit.record(other_account, "charlie", "connection.paused", "Other")

        call_command("erase_account", "--account", account.name, "--confirm", account.name)

        left = AuditEvent.objects.get(account=None)
        assert list(Account.objects.all()) == [other_account]
        assert list(Connection.objects.all()) == [kept]
        # The operator and who belongs elsewhere, too, stay.
        assert set(User.objects.values_list("pk", flat=True)) == {
            admin_user.pk,
            charlie.user_id,
            edith.user_id,
        }
        assert AuditEvent.objects.filter(account=other_account).count() == 1
        assert sentence(left) == (
            f"manage.py erase_account erased the account {account.name} with 1 connections and 2 audit events, "
            "and the 0 people who belonged nowhere else."
        )

    def test_takes_the_people_who_belong_nowhere_else(self, account, victor):
        call_command("erase_account", "--account", account.name, "--confirm", account.name)

        assert not User.objects.exists()

    @pytest.fixture
    def left(self, account, other_account, admin_user, edith, victor) -> None:
        """Edith and Victor have left; Victor belongs to another account by now."""
        Membership.objects.create(account=other_account, user=victor.user, role=Role.VIEWER)
        people.remove(edith, actor=admin_user)
        people.remove(victor, actor=victor.user)

    def test_takes_who_had_left_and_belongs_nowhere(self, account, left, admin_user, victor):
        call_command("erase_account", "--account", account.name, "--confirm", account.name)

        assert set(User.objects.values_list("pk", flat=True)) == {admin_user.pk, victor.user_id}

    def test_takes_the_sessions_of_who_is_gone(self, account, edith):
        client = Client()
        sign_in(client, edith.user.email)

        call_command("erase_account", "--account", account.name, "--confirm", account.name)

        assert not UserSession.objects.exists()
        assert not Session.objects.filter(session_key=client.session.session_key).exists()

    def test_takes_the_addresses_of_every_mail(self, account, other_account, admin_user, edith):
        invitations.invite(
            account, Offer("new@example.com", Role.VIEWER), invited_by=None, actor="a", now=timezone.now()
        )
        for owner, address in (
            (account, "new@example.com"), (None, "new@example.com"), (None, edith.user.email),
            (None, admin_user.email), (other_account, edith.user.email),
        ):  # fmt: skip
            OutboxMessage.objects.create(
                account=owner, event_key=str(uuid.uuid4()), recipient=address, due_at=timezone.now()
            )

        call_command("erase_account", "--account", account.name, "--confirm", account.name)

        # What another account says to somebody is that account's; the operator stays.
        assert set(OutboxMessage.objects.values_list("account", "recipient")) == {
            (None, admin_user.email), (other_account.pk, edith.user.email),
        }  # fmt: skip

    def test_closes_the_way_behind_itself(self, account, other_account):
        audit.record(other_account, "charlie", "connection.paused", "Other")
        call_command("erase_account", "--account", account.name, "--confirm", account.name)

        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            AuditEvent.objects.all().delete()

    @pytest.mark.parametrize(("name", "again"), [("Nobody", "Nobody"), ("Alice's company", "yes")])
    def test_asks_for_the_name_twice(self, account, name, again):
        with pytest.raises(CommandError):
            call_command("erase_account", "--account", name, "--confirm", again)

        assert Account.objects.exists()


class TestReplayOfADay:
    def test_is_a_sentence_per_event_in_order(self, account, capsys):
        audit.record(account, "alice", "connection.created", "Main")
        audit.record(account, "alice", "connection.paused", "Main")
        day = dt.datetime.now(dt.UTC).date()

        call_command("audit_log", "--day", day.isoformat(), "--account", account.name)

        lines = capsys.readouterr().out.splitlines()
        assert [line[9:] for line in lines] == ["alice connected Main.", "alice paused Main."]
        assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)

    def test_has_a_sentence_for_everything_that_can_happen(self, account, capsys):
        for action, known in ACTIONS.items():
            audit.record(account, "alice", action, "Main", **dict.fromkeys(known.fields, "this"))

        call_command("audit_log")

        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(ACTIONS)
        assert [line for line in lines if not re.fullmatch(r"\d\d:\d\d:\d\d alice [a-z][^{}]+\.", line)] == []
        assert [line for line in lines if "not recorded" in line or "did " in line] == []

    def test_holds_nothing_of_other_days_and_accounts(self, account, other_account, capsys):
        audit.record(other_account, "charlie", "connection.paused", "Other")

        call_command("audit_log", "--day", "2026-01-01")
        call_command(
            "audit_log", "--day", dt.datetime.now(dt.UTC).date().isoformat(), "--account", account.name
        )

        assert capsys.readouterr().out == ""
