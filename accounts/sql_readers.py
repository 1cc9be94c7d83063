"""Login roles of the database that read one account through the views of the schema `bi`: check, let in, shut out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import ProgrammingError, connection, transaction

from accounts import audit
from accounts.models import Account, SqlReader

SCHEMA = "bi"
# Safe between quotes, which a name such as `user` needs, and the same without them in whatever tool reads.
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
_NOT_OF_THE_SERVER = "nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_t%%'"
_RELATIONS = """
    SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'v', 'm', 'p', 'f')
"""
# Each question answers with what makes a role unfit to be handed to somebody who shall read one account and no more.
_QUESTIONS: Sequence[tuple[str, str]] = (
    ("it is a superuser", "SELECT FROM pg_roles WHERE rolname = %(role)s AND rolsuper"),
    (
        "it may make roles or databases, replicate or pass row security",
        "SELECT FROM pg_roles WHERE rolname = %(role)s AND (rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)",
    ),
    ("it cannot log in", "SELECT FROM pg_roles WHERE rolname = %(role)s AND NOT rolcanlogin"),
    ("Tallystick itself uses it", "SELECT WHERE %(role)s IN (current_user, session_user)"),
    (
        "it belongs to other roles and has what they have",
        "SELECT FROM pg_auth_members WHERE member = %(role)s::regrole",
    ),
    (
        "it owns tables, views or schemas here",
        """
        SELECT FROM pg_class WHERE relowner = %(role)s::regrole
        UNION ALL SELECT FROM pg_namespace WHERE nspowner = %(role)s::regrole
        """,
    ),
    (
        "it has rights on tables outside of the schema bi",
        f"""
        {_RELATIONS} AND {_NOT_OF_THE_SERVER} AND nspname <> 'bi' AND (
            has_any_column_privilege(%(role)s, pg_class.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
            OR has_table_privilege(%(role)s, pg_class.oid, 'DELETE, TRUNCATE, TRIGGER')
        )
        """,
    ),
    (
        # A view over one table passes a write on to it with the rights of the view's owner.
        "it may write to the views of the schema bi",
        f"""
        {_RELATIONS} AND nspname = 'bi' AND (
            has_any_column_privilege(%(role)s, pg_class.oid, 'INSERT, UPDATE, REFERENCES')
            OR has_table_privilege(%(role)s, pg_class.oid, 'DELETE, TRUNCATE, TRIGGER')
        )
        """,
    ),
    (
        "it may make objects in a schema of this database",
        f"SELECT FROM pg_namespace WHERE {_NOT_OF_THE_SERVER} AND has_schema_privilege(%(role)s, oid, 'CREATE')",
    ),
    (
        "it may not connect to this database",
        "SELECT WHERE NOT has_database_privilege(%(role)s, current_database(), 'CONNECT')",
    ),
)

_MAKES_TABLES = "SELECT WHERE has_database_privilege(%(role)s, current_database(), 'TEMPORARY')"
# The three functions that make one; all others want one that is there, of one's own.
_LARGE_OBJECTS = "EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea)"
_MAKES_OBJECTS = """
    SELECT FROM unnest(ARRAY['lo_creat(integer)', 'lo_create(oid)', 'lo_from_bytea(oid, bytea)']) maker
    WHERE has_function_privilege(%(role)s, maker, 'EXECUTE')
"""
_OTHERS = r"""
    SELECT rolname FROM pg_roles WHERE NOT rolsuper AND rolname NOT LIKE 'pg\_%%' AND rolname <> %(role)s
    AND rolname NOT IN (SELECT role_name FROM accounts_sqlreader)
    AND (rolname = current_user OR EXISTS (
        SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = pg_roles.oid
        AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ))
    ORDER BY rolname
"""


class UnfitRoleError(Exception):
    """The role cannot be let in as it is; the text says why and what to do."""


def statements(role_name: str) -> list[str]:
    """
    Return the SQL with which an administrator of the database makes such a role, without a password.

    Raises:  UnfitRoleError — the name would need quotes
    """
    name = _checked(role_name)
    return [
        f'CREATE ROLE "{name}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 10;',
        # For who writes by mistake and for questions without an end; rights are what holds.
        f'ALTER ROLE "{name}" SET default_transaction_read_only = on;',
        f"ALTER ROLE \"{name}\" SET statement_timeout = '5min';",
        f'ALTER ROLE "{name}" SET search_path = {SCHEMA};',
    ]


def closing_statements(role_name: str) -> list[str]:
    """
    Return the SQL by which an administrator keeps the role from making temporary tables and large objects.

    PostgreSQL lets everybody make them and can refuse nobody in particular. So whoever else has or owns something in
    this database, which may be shared, is given by name what is then taken from everybody. Nothing once that was done.
    """
    name = _checked(role_name)
    with connection.cursor() as cursor:
        cursor.execute(_OTHERS, {"role": name})
        others = ", ".join(_quoted(other) for (other,) in cursor.fetchall())
        cursor.execute("SELECT current_database()")
        (database,) = cursor.fetchone()
    wanted = []
    for right, question in (
        (f"TEMPORARY ON DATABASE {_quoted(database)}", _MAKES_TABLES),
        (_LARGE_OBJECTS, _MAKES_OBJECTS),
    ):
        if _asked(question, "public"):
            wanted += [f"GRANT {right} TO {others};"] if others else []
            wanted += [f"REVOKE {right} FROM PUBLIC;"]
    return wanted


def leftovers(role_name: str) -> list[str]:
    """Return what a role can make in this database beside reading: temporary tables, large objects, both or nothing."""
    found = (("temporary tables", _MAKES_TABLES), ("large objects", _MAKES_OBJECTS))
    return [told for told, question in found if _asked(question, role_name)]


@transaction.atomic
def grant(role_name: str, account: Account, *, actor: str) -> list[str]:
    """
    Let a role read one account; return the names of the views.

    Key:     again for the same account, it gives the rights on views that came since
    Raises:  UnfitRoleError — the role is not there, could do more than read its account, or reads another one
    """
    name = _checked(role_name)
    if not _asked("SELECT FROM pg_roles WHERE rolname = %(role)s", name):
        raise UnfitRoleError(f"The database has no role {name}. Make it first: manage.py bi_role {name}")
    wrong = [told for told, question in _QUESTIONS if _asked(question, name)]
    if wrong:
        raise UnfitRoleError(
            f"The role {name} shall read one account and do nothing else, but {'; '.join(wrong)}."
        )
    reader, is_new = SqlReader.objects.get_or_create(role_name=name, defaults={"account": account})
    if reader.account_id != account.pk:
        raise UnfitRoleError(
            f"The role {name} reads {reader.account} already. Take that from it first, with --revoke."
        )
    views = list_views()
    _do(
        f'GRANT USAGE ON SCHEMA {SCHEMA} TO "{name}"',
        *(f'GRANT SELECT ON {SCHEMA}.{view} TO "{name}"' for view in views),
    )
    if not _asked(
        "SELECT WHERE has_schema_privilege(%(role)s, 'bi', 'USAGE')"
        " AND has_table_privilege(%(role)s, 'bi.v1_costs', 'SELECT')",
        name,
    ):
        # PostgreSQL only warns when whoever grants has no right to.
        raise UnfitRoleError(
            f"The rights were not given, because the schema {SCHEMA} belongs to somebody else. As an administrator: "
            f"ALTER SCHEMA {SCHEMA} OWNER TO the role that Tallystick signs in with."
        )
    if is_new:
        audit.record(account, actor, "sql_reader.granted", name)
    return views


@dataclass(frozen=True, slots=True)
class Revoked:
    """
    What became of a role's access.

    Shape:   `account` it read, None when no row said so; `left` is what `left_rights` still finds
    """

    account: Account | None
    left: list[str]


@transaction.atomic
def revoke(role_name: str, *, actor: str) -> Revoked:
    """
    Take from a role what `grant` gave, also when its row has gone already. The role itself stays.

    Raises:  UnfitRoleError — it reads no account and has no right on the views
    """
    name = _checked(role_name)
    reader = SqlReader.objects.select_related("account").filter(role_name=name).first()
    rights = left_rights(name)
    if reader is None and not rights:
        raise UnfitRoleError(f"The role {name} reads no account.")
    _take_rights(name)
    left = left_rights(name)
    account = reader.account if reader else None
    if reader or left != rights:
        audit.record(account, actor, "sql_reader.revoked", name)
    if reader:
        reader.delete()
    return Revoked(account, left)


def revoke_all(account: Account) -> list[str]:
    """Take their rights from all roles that read an account, which is about to go; return those that keep some."""
    names = list(account.sql_readers.values_list("role_name", flat=True))
    for name in names:
        _take_rights(name)
    return [name for name in names if left_rights(name)]


def what_is_left(role_name: str) -> str:
    """Say that a role keeps rights, what they are worth, and how an administrator takes them."""
    return (
        f"{role_name} keeps rights on the schema {SCHEMA}, because whoever gave them is not the role that Tallystick signs "
        "in with. It sees no row through them. As an administrator of the database:\n"
        + "\n".join(f"{statement};" for statement in _revocation(role_name))
    )


def left_rights(role_name: str) -> list[str]:
    """Return what a role itself was given in the schema of the views, as `SELECT on bi.v1_costs`; also for no such role."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH given AS (
                SELECT relname AS what, (aclexplode(relacl)).* FROM pg_class WHERE relnamespace = to_regnamespace('bi')
                UNION ALL
                SELECT relname || '.' || attname, (aclexplode(attacl)).* FROM pg_attribute
                JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = to_regnamespace('bi')
                UNION ALL
                SELECT '', (aclexplode(nspacl)).* FROM pg_namespace WHERE oid = to_regnamespace('bi')
            )
            SELECT privilege_type || CASE what WHEN '' THEN ' on schema bi' ELSE ' on bi.' || what END
            FROM given JOIN pg_roles ON pg_roles.oid = grantee WHERE rolname = %s ORDER BY 1
            """,
            [role_name],
        )
        return [right for (right,) in cursor.fetchall()]


def _take_rights(name: str) -> None:
    if not left_rights(name):
        return
    try:
        with transaction.atomic():
            _do(*_revocation(name))
    except ProgrammingError:
        # Not ours to take. Without its row the role sees nothing, and `left_rights` tells what stays.
        return


def _revocation(name: str) -> tuple[str, ...]:
    return (
        f'REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM "{name}"',
        f'REVOKE ALL ON SCHEMA {SCHEMA} FROM "{name}"',
    )


def list_views() -> list[str]:
    """Return the names of the views that readers get."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT viewname FROM pg_views WHERE schemaname = %s ORDER BY viewname", [SCHEMA])
        return [name for (name,) in cursor.fetchall()]


def _checked(role_name: str) -> str:
    """Return the name; from here on it stands in SQL as it is."""
    if not _NAME.fullmatch(role_name) or role_name.startswith("pg_"):
        raise UnfitRoleError(
            f"{role_name!r} is no name for such a role: use up to 63 lower-case letters, digits and underscores, "
            "not beginning with a digit or pg_."
        )
    return role_name


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _asked(question: str, role_name: str) -> bool:
    parameters: dict[str, Any] = {"role": role_name}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({question})", parameters)
        return bool(cursor.fetchone()[0])


def _do(*wanted: str) -> None:
    with connection.cursor() as cursor:
        for statement in wanted:
            cursor.execute(statement)
