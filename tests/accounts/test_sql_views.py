"""The views of the schema `bi`, asked by real login roles of PostgreSQL on connections of their own."""

# ruff: noqa: S608 - what is put into SQL here are names of our own

from __future__ import annotations

import datetime as dt
import importlib
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection as database

from accounts import sql_readers
from accounts.models import Account, AuditEvent, SqlReader
from costs import selectors, sources, usage, values
from costs.models import Resource, Restatement
from costs.names import record_names
from costs.records import NameRecord
from costs.selectors import CostQuery
from foundation.periods import DayRange
from tests.api.conftest import DAY, record, store, stored_connection, utc
from tests.sources.conftest import CONSOLE, ENTERPRISE, days, decimals, filled, key_of  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db(transaction=True)

_VIEWS = importlib.import_module("costs.migrations.0005_sql_views")
VIEWS = sorted(_VIEWS.VIEWS)
DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "sql.md").read_text("utf-8")
# A column of each view that stands in a table as it is, so that a condition on it could be asked of the whole table.
OF_THE_TABLE = {
    "v1_connections": "label", "v1_workspaces": "workspace_id", "v1_api_keys": "api_key_id", "v1_people": "person_id",
    "v1_names": "resource_id",
}  # fmt: skip
FIRST = dt.date(2026, 11, 3)
Asker = Callable[..., list[tuple[Any, ...]]]


def administer(*statements: str) -> None:
    with database.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def new_role(transactional_db) -> Iterator[Callable[..., str]]:
    """Makes login roles with the command's own SQL; roles belong to the server, so each has a name of its own."""
    made: list[str] = []

    def make() -> str:
        made.append(f"reader_{uuid.uuid4().hex[:12]}")
        administer(*sql_readers.statements(made[-1]), f"ALTER ROLE {made[-1]} PASSWORD 'correct horse'")
        return made[-1]

    yield make
    for role in made:
        administer(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.fixture
def sign_in() -> Iterator[Callable[[str], psycopg.Connection[Any]]]:
    """Opens a connection to the test's database as another role, as a BI tool does."""
    opened: list[psycopg.Connection[Any]] = []
    known = {
        name: value
        for name, value in database.get_connection_params().items()
        if name in {"dbname", "host", "port"}
    }

    def connect(role: str) -> psycopg.Connection[Any]:
        opened.append(psycopg.connect(**known, user=role, password="correct horse", autocommit=True))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


@pytest.fixture
def reader(account, new_role, sign_in) -> psycopg.Connection[Any]:
    """A role that reads Alice's account."""
    role = new_role()
    sql_readers.grant(role, account, actor="set-up")
    return sign_in(role)


@pytest.fixture
def both_filled(account, other_account) -> None:
    """Something in every view for Alice, and the same for Charlie with a mark in every text."""
    for owner, mark in ((account, "alice"), (other_account, "zanzibar")):
        connection = stored_connection(
            owner, label=f"{mark} label", cost_center=f"{mark} centre", wanted_from=FIRST
        )
        store(
            connection,
            record(FIRST, "4711.000000000000000000000000000001", workspace_id=f"ws-{mark}", model=mark),
        )
        record_names(
            connection.pk,
            [NameRecord(kind=kind, resource_id=f"{kind[:2]}-{mark}", name=f"{mark} {kind}") for kind in
             ("workspace", "api_key", "person")],
            observed_at=utc("2026-11-04T06:00:00"),
        )  # fmt: skip
        Restatement.objects.create(
            connection=connection, source="cost_report", day=FIRST, observed_at=utc("2026-11-04T06:00:00"),
            before_usd=1, after_usd=Decimal(4711), rows_added=0, rows_changed=1, rows_removed=0, was_provisional=False,
        )  # fmt: skip


def ask(connection: psycopg.Connection[Any], question: str, *values: Any) -> list[tuple[Any, ...]]:
    return connection.execute(question, values).fetchall()


def summed(reader: psycopg.Connection[Any], view: str, by: tuple[str, ...], span: DayRange) -> dict[Any, Any]:
    names = ", ".join(by)
    rows = ask(
        reader,
        f"SELECT {names}, sum(amount_usd) FROM bi.{view} WHERE day >= %s AND day < %s GROUP BY {names}",
        span.start, span.end,
    )  # fmt: skip
    return decimals({key: amount for *key_, amount in rows for key in [tuple(key_)]})


def told(query: CostQuery, by: tuple[str, ...]) -> dict[Any, Any]:
    """The same sums as API and pages tell them; no workspace at all is null in the views, as in the rows of the API."""
    sums: defaultdict[tuple[str | None, ...], Decimal] = defaultdict(Decimal)
    for row in selectors.summarise(query, group_by=by).rows:
        sums[tuple(None if values.is_made(name, row.group[name]) else row.group[name] for name in by)] += (
            row.amount_usd
        )
    return decimals(sums)


class TestSums:
    """The views add up to what the API says, to the last digit; both surfaces, all reports, thirty days."""

    @pytest.fixture
    def query(self, account, settings, filled, days) -> CostQuery:  # noqa: F811
        settings.REPORTS_OFF = frozenset()
        [filled(organisation) for organisation in (CONSOLE, ENTERPRISE)]
        return CostQuery(account.pk, days)

    def test_are_those_of_the_api(self, query, reader):
        everything = selectors.total(query)

        for view in ("v1_costs", "v1_costs_by_key", "v1_costs_by_product"):
            rows = ask(reader, f"SELECT sum(amount_usd) FROM bi.{view} WHERE day >= %s AND day < %s",
                       query.days.start, query.days.end)  # fmt: skip
            assert rows == [(everything,)]
        assert everything > 0
        for by in (("workspace_id",), ("day",), ("cost_type", "token_type"), ("model", "service_tier")):
            mine = summed(reader, "v1_costs", by, query.days)
            assert len(mine) > 1
            assert by == ("day",) or mine == told(query, by)
        by_key = ("api_key_id", "actor_id", "workspace_id")
        assert summed(reader, "v1_costs_by_key", by_key, query.days) == told(query, by_key)
        by_product = ("product", "speed", "context_window")
        assert summed(reader, "v1_costs_by_product", by_product, query.days) == told(query, by_product)
        self.assert_usage(query, reader)
        self.assert_names(reader)

    def assert_usage(self, query: CostQuery, reader: psycopg.Connection[Any]) -> None:
        rows = ask(
            reader,
            "SELECT api_key_id, sum(total_tokens), sum(web_search_requests) FROM bi.v1_usage "
            "WHERE day >= %s AND day < %s GROUP BY api_key_id",
            query.days.start, query.days.end,
        )  # fmt: skip
        said = usage.summarise(query, group_by=("api_key_id",)).rows
        assert sorted(rows, key=str) == sorted(
            [
                (r.group["api_key_id"], r.counts["total_tokens"], r.counts["web_search_requests"])
                for r in said
            ],
            key=str,
        )

    def assert_names(self, reader: psycopg.Connection[Any]) -> None:
        """Every key and person that costs name has a name, and so has the workspace that reports write as null."""
        unnamed = ask(
            reader,
            "SELECT count(*) FILTER (WHERE api_key_id IS NOT NULL AND api_key_name IS NULL), "
            "count(*) FILTER (WHERE origin = 'claude_platform' AND workspace_name IS NULL), "
            "count(DISTINCT api_key_name), count(DISTINCT actor_name) FROM bi.v1_costs_by_key",
        )
        assert unnamed[0][:2] == (0, 0)
        assert min(unnamed[0][2:]) > 1

    def test_write_the_default_workspace_as_null_however_a_report_spells_it(self, account, reader):
        connection = stored_connection(account)
        Resource.objects.create(connection=connection, kind="workspace", resource_id="ws-0", is_default=True)
        store(
            connection, record(FIRST, "1.5", workspace_id="ws-0", model="a"), record(FIRST, "2.5", model="a")
        )

        assert ask(reader, "SELECT workspace_id, sum(amount_usd) FROM bi.v1_costs GROUP BY 1") == [
            (None, Decimal(4))
        ]

    @pytest.mark.parametrize(("kind", "group_by"), _VIEWS.SCORES)
    def test_choose_reports_as_the_product_does(self, kind, group_by):
        """Fails when reports are added or ranked otherwise: then the views have to follow, in a new migration."""
        ranking = sources.rank(kind, group_by=group_by)

        assert (tuple(ranking.names), tuple(ranking.scores)) == (
            _VIEWS.COSTS if kind == "cost" else _VIEWS.USAGE,
            _VIEWS.SCORES[kind, group_by],
        )
        assert tuple(sources.BILLS) == _VIEWS.BILLS


class TestReader:
    @pytest.mark.parametrize("view", VIEWS)
    def test_sees_the_account_and_no_other(self, both_filled, reader, view):
        mine = ask(reader, f"SELECT * FROM bi.{view}")

        assert "zanzibar" not in str(mine).lower()
        assert "claude_code" in view or "usage" in view or mine

    @pytest.mark.parametrize("view", VIEWS)
    def test_is_shown_nobody_elses_row_by_a_function_of_its_own(self, both_filled, reader, view):
        """A cheap function in a condition would be asked before the account is compared, were it not for the barrier."""
        seen: list[str] = []
        reader.add_notice_handler(lambda notice: seen.append(notice.message_primary or ""))
        # Without indexes every row is looked at, so that only the order of the conditions decides.
        reader.execute("SET enable_indexscan = off")
        reader.execute("SET enable_bitmapscan = off")
        reader.execute("SET default_transaction_read_only = off")
        reader.execute(
            "CREATE FUNCTION pg_temp.look(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS "
            "$$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"
        )

        ask(
            reader,
            f"SELECT count(*) FROM bi.{view} WHERE pg_temp.look({OF_THE_TABLE.get(view, 'connection_label')})",
        )

        assert [text for text in seen if "zanzibar" in text.lower()] == []
        assert "claude_code" in view or "usage" in view or seen

    def test_cannot_read_anything_else(self, both_filled, reader):
        tables = [name for name in database.introspection.table_names() if not name.startswith("pg_")]
        refused = []
        for table in tables:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f'SELECT * FROM public."{table}"')
            refused.append(table)

        assert {"integrations_credential", "accounts_sqlreader", "accounts_apitoken", "django_session"} <= {
            *refused
        }

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO bi.v1_connections (label) VALUES ('x')",
            "UPDATE bi.v1_connections SET label = 'x'",
            "DELETE FROM bi.v1_connections",
            "UPDATE public.accounts_sqlreader SET account_id = gen_random_uuid()",
            "TRUNCATE public.costs_costfact",
            "CREATE TABLE public.mine (a int)",
            "CREATE VIEW bi.mine AS SELECT 1",
            "CREATE OR REPLACE VIEW bi.v1_connections AS SELECT 1",
            "DROP VIEW bi.v1_costs",
            "ALTER VIEW bi.v1_costs SET (security_barrier = false)",
            "CREATE SCHEMA mine",
            "SET SESSION AUTHORIZATION postgres",
            "COPY (SELECT 1) TO PROGRAM 'true'",
        ],
    )
    def test_cannot_write_or_become_another(self, both_filled, reader, statement):
        """Whoever switches off that his transactions are read-only still has no right."""
        reader.execute("SET default_transaction_read_only = off")

        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState,
                            psycopg.errors.FeatureNotSupported)):  # fmt: skip
            reader.execute(statement)

    @pytest.fixture
    def closed(
        self, account, new_role, sign_in
    ) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
        """A reader, and another program's role of the same database, after what the command prints was run."""
        role, other = new_role(), new_role()
        administer(f"GRANT SELECT ON public.django_migrations TO {other}")
        sql_readers.grant(role, account, actor="set-up")
        administer(*sql_readers.closing_statements(role))
        yield sign_in(role), sign_in(other)
        administer(
            f"GRANT TEMPORARY ON DATABASE {database.settings_dict['NAME']} TO PUBLIC",
            "GRANT EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) TO PUBLIC",
        )

    @pytest.mark.parametrize(
        "statement",
        ["CREATE TEMPORARY TABLE mine (a int)", "SELECT lo_create(0)", "SELECT lo_creat(-1)",
         "SELECT lo_from_bytea(0, 'x')", "SELECT lo_import('/etc/passwd')"],
    )  # fmt: skip
    def test_makes_nothing_that_fills_the_disk_and_others_go_on(self, closed, statement):
        reader, other = closed
        reader.execute("SET default_transaction_read_only = off")
        other.execute("SET default_transaction_read_only = off")

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement)

        other.execute("CREATE TEMPORARY TABLE mine (a int)")
        other.execute("SELECT lo_unlink(lo_create(0))")

    def test_once_closed_needs_no_further_statement(self, closed):
        assert sql_readers.closing_statements("another") == []

    def test_changes_nothing_by_mistake(self, reader):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("CREATE TABLE mine (a int)")

    def test_sees_nothing_once_the_row_is_gone_even_with_rights(self, both_filled, reader):
        SqlReader.objects.all().delete()

        assert [ask(reader, f"SELECT * FROM bi.{view}") for view in VIEWS] == [[]] * len(VIEWS)

    def test_of_an_erased_account_has_no_right_left(self, account, both_filled, reader):
        role = account.sql_readers.get().role_name

        call_command("erase_account", "--account", account.name, "--confirm", account.name)

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("SELECT * FROM bi.v1_costs")
        # Nothing of this database keeps the role from being dropped by its administrator.
        assert sql_readers.left_rights(role) == []
        administer(f"DROP ROLE {role}", *sql_readers.statements(role))

    def test_without_a_row_sees_nothing_although_it_may_look(self, both_filled, reader, new_role, sign_in):
        other = new_role()
        administer(f"GRANT USAGE ON SCHEMA bi TO {other}", f"GRANT SELECT ON bi.v1_costs TO {other}")

        assert ask(sign_in(other), "SELECT * FROM bi.v1_costs") == []


def test_examples_of_the_document_are_answered(both_filled, reader):
    examples = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)[0].split(";")

    answers = [ask(reader, example) for example in examples if example.strip()]

    assert answers[0] == [(None, Decimal("4711.000000000000000000000000000001"))]
    assert len(answers) == 3


class TestViews:
    def test_are_all_behind_a_barrier(self, db):
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'bi'::regnamespace AND relkind = 'v' "
                "AND 'security_barrier=true' = ANY(reloptions)"
            )
            barred = sorted(name for (name,) in cursor.fetchall())

        assert barred == VIEWS == sql_readers.list_views()

    @pytest.mark.parametrize("view", VIEWS)
    def test_are_explained_column_by_column(self, db, view):
        with database.cursor() as cursor:
            cursor.execute(f"SELECT * FROM bi.{view} LIMIT 0")
            columns = [column.name for column in cursor.description]

        assert explained(view) == columns


def explained(view: str) -> list[str]:
    """The columns that docs/sql.md explains for a view: those of its own table, or of the one it says it has."""
    section = re.search(rf"^### `bi\.{view}`.*?\n(.*?)(?=^##|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert section, f"docs/sql.md does not explain {view}"
    same = re.search(r"^The columns of `bi\.(v1_\w+)`\.", section[1], re.MULTILINE)
    return explained(same[1]) if same else re.findall(r"^\| `(\w+)` \|", section[1], re.MULTILINE)


class TestCommand:
    def test_prints_what_an_administrator_runs(self, capsys):
        call_command("bi_role", "finance")

        said = capsys.readouterr()
        assert said.out.startswith('CREATE ROLE "finance" LOGIN NOSUPERUSER')
        assert "manage.py bi_role finance --account NAME --apply" in said.err
        assert "FROM PUBLIC;" in said.out

    def test_says_what_else_the_role_can_make_and_how_that_ends(self, account, new_role, capsys):
        call_command("bi_role", new_role(), "--account", account.name, "--apply")

        said = capsys.readouterr().err
        assert "can also make temporary tables and large objects" in said
        assert "REVOKE TEMPORARY ON DATABASE" in said

    def test_lets_a_role_in_and_shuts_it_out(self, account, both_filled, new_role, sign_in):
        role = new_role()
        connection = sign_in(role)

        call_command("bi_role", role, "--account", account.name, "--apply")
        before = ask(connection, "SELECT label FROM bi.v1_connections")
        call_command("bi_role", role, "--revoke")

        assert before == [("alice label",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM bi.v1_connections")
        assert list(AuditEvent.objects.order_by("pk").values_list("action", "target")) == [
            ("sql_reader.granted", role), ("sql_reader.revoked", role),
        ]  # fmt: skip

    def test_shuts_out_a_role_whose_row_is_gone(self, both_filled, new_role, sign_in, capsys):
        role = new_role()
        connection = sign_in(role)
        administer(f"GRANT USAGE ON SCHEMA bi TO {role}", f"GRANT SELECT ON bi.v1_costs TO {role}")

        call_command("bi_role", role, "--revoke")

        assert capsys.readouterr().out == f"{role} read no account; the rights that it still had are taken.\n"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM bi.v1_costs")
        assert list(AuditEvent.objects.values_list("account", "action", "target")) == [
            (None, "sql_reader.revoked", role)
        ]

    @pytest.fixture
    def foreign(self, account, new_role) -> Iterator[str]:
        """A reader whose rights another role than the one at work here has given."""
        role, stranger = new_role(), new_role()
        sql_readers.grant(role, account, actor="set-up")
        administer(
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {stranger}",
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {stranger}",
            # The role of the tests is a superuser and could take everything from everybody.
            f"SET ROLE {stranger}",
        )
        yield role
        administer("RESET ROLE")

    def test_says_what_it_had_no_right_to_take(self, foreign):
        for _ in range(2):
            with pytest.raises(
                CommandError, match=f'REVOKE ALL ON ALL TABLES IN SCHEMA bi FROM "{foreign}";'
            ):
                call_command("bi_role", foreign, "--revoke")

        assert not SqlReader.objects.exists()
        assert "SELECT on bi.v1_costs" in sql_readers.left_rights(foreign)
        assert AuditEvent.objects.filter(action="sql_reader.revoked").count() == 1

    def test_tells_who_erases_an_account_which_rights_stay(self, account, foreign, capsys):
        call_command("erase_account", "--account", account.name, "--confirm", account.name)

        assert f'REVOKE ALL ON SCHEMA bi FROM "{foreign}";' in capsys.readouterr().err
        assert not Account.objects.filter(pk=account.pk).exists()

    def test_gives_the_same_again(self, account, new_role):
        role = new_role()

        [call_command("bi_role", role, "--account", account.name, "--apply") for _ in range(2)]

        assert AuditEvent.objects.count() == 1

    def test_says_when_the_rights_were_not_its_to_give(self, account, new_role):
        """An administrator made the schema and let us use it: PostgreSQL only warns, and gives nothing."""
        role, service = new_role(), f"service_{uuid.uuid4().hex[:12]}"
        administer(
            f"CREATE ROLE {service}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {service}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {service}",
            f"GRANT USAGE ON SCHEMA bi TO {service}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA bi TO {service}",
            f"SET ROLE {service}",
        )
        try:
            with pytest.raises(sql_readers.UnfitRoleError, match="belongs to somebody else"):
                sql_readers.grant(role, account, actor="alice")
        finally:
            administer("RESET ROLE", f"DROP OWNED BY {service}", f"DROP ROLE {service}")

        assert not SqlReader.objects.exists()

    def test_refuses_a_second_account(self, account, other_account, new_role):
        role = new_role()
        sql_readers.grant(role, account, actor="a")

        with pytest.raises(CommandError, match="reads Alice's company already"):
            call_command("bi_role", role, "--account", other_account.name, "--apply")

    @pytest.mark.parametrize(
        "name", ["", "Finance", "a b", 'a"b', "a; DROP ROLE b", "1a", "pg_monitor", "a" * 64, "ä"]
    )
    def test_refuses_names_that_would_need_quotes(self, db, name):
        for option in ([], ["--apply"], ["--revoke"]):
            with pytest.raises(CommandError, match="is no name for such a role"):
                call_command("bi_role", name, *option)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ("ALTER ROLE {} SUPERUSER", "superuser"),
            ("ALTER ROLE {} BYPASSRLS", "pass row security"),
            ("ALTER ROLE {} CREATEROLE", "make roles"),
            ("ALTER ROLE {} NOLOGIN", "cannot log in"),
            ("GRANT pg_read_all_data TO {}", "belongs to other roles"),
            ("GRANT SELECT (id) ON accounts_account TO {}", "rights on tables outside"),
            ("GRANT DELETE ON accounts_account TO {}", "rights on tables outside"),
            ("GRANT CREATE ON SCHEMA public TO {}", "make objects"),
            ("CREATE SCHEMA made AUTHORIZATION {}", "owns tables, views or schemas"),
            ("GRANT INSERT (label) ON bi.v1_connections TO {}", "write to the views"),
            ("GRANT UPDATE ON bi.v1_connections TO {}", "write to the views"),
            ("GRANT DELETE ON bi.v1_connections TO {}", "write to the views"),
            ("GRANT TRUNCATE ON bi.v1_costs TO {}", "write to the views"),
            ("GRANT TRIGGER ON bi.v1_costs TO {}", "write to the views"),
            ("GRANT CREATE ON SCHEMA bi TO {}", "make objects"),
        ],
    )
    def test_refuses_a_role_that_could_do_more(self, account, new_role, change, told):
        role = new_role()
        administer(change.format(role))

        with pytest.raises(CommandError, match=told):
            call_command("bi_role", role, "--account", account.name, "--apply")

        assert not SqlReader.objects.exists()

    def test_refuses_its_own_role(self, account):
        own = database.get_connection_params()["user"]

        with pytest.raises(CommandError, match="Tallystick itself uses it"):
            call_command("bi_role", own, "--apply")

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["nobody_here", "--apply"], "has no role nobody_here"),
            (["nobody_here", "--account", "Nobody", "--apply"], "no account 'Nobody'"),
            (["nobody_here", "--revoke"], "reads no account"),
            # A role of this name would be everybody; there is none.
            (["public", "--apply"], "has no role public"),
            (["current_user", "--apply"], "has no role current_user"),
            (["user", "--apply"], "has no role user"),
        ],
    )
    def test_says_what_is_not_there(self, db, arguments, told):
        with pytest.raises(CommandError, match=told):
            call_command("bi_role", *arguments)


def test_a_day_is_complete_when_it_was_read_after_its_end(account, reader):
    connection = stored_connection(account, wanted_from=FIRST)
    store(connection, record(FIRST, "1"), as_of=utc("2026-11-03T12:00:00"))
    store(connection, record(FIRST + DAY, "2"), as_of=utc("2026-11-05T00:00:00"))

    found = ask(
        reader,
        "SELECT day, is_bill, is_stored, has_ended, is_settled, amount_usd FROM bi.v1_completeness LIMIT 3",
    )

    assert sorted(found) == [
        (FIRST, True, True, False, False, Decimal(1)),
        (FIRST + DAY, True, True, True, False, Decimal(2)),
        (FIRST + 2 * DAY, True, False, False, False, None),
    ]


def test_an_account_may_have_several_readers(account, other_account: Account, new_role):
    roles = [new_role() for _ in range(3)]

    for role, owner in zip(roles, (account, account, other_account), strict=True):
        sql_readers.grant(role, owner, actor="a")

    assert set(account.sql_readers.values_list("role_name", flat=True)) == {*roles[:2]}
