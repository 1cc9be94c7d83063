"""Empties the tables after a test that commits; holds nothing that a test is about.

Django's own way truncates every table and then makes content types and permissions anew: a tenth of a second
for each of hundreds of tests. Here only what was written is deleted, and what migrations put there stays.
"""

from __future__ import annotations

from functools import cache

from django.db import connection, transaction
from django.test import TransactionTestCase

# Written once, after the migrations, and the same for every test.
_KEPT = {"django_content_type", "auth_permission"}


def empty_tables(_: TransactionTestCase) -> None:
    """Delete every row that a test can have left; takes the place of TransactionTestCase._fixture_teardown."""
    # One transaction: foreign keys are checked at its end, so the order does not matter.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_question())
        for (table,) in cursor.fetchall():
            guarded = table in _guarded()
            if guarded:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the catalogue
            if guarded:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@cache
def _question() -> str:
    """Ask in one statement which tables hold a row."""
    existing = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})"  # noqa: S608 - names from the catalogue
        for table in sorted(set(existing) - _KEPT)
    )


@cache
def _guarded() -> frozenset[str]:
    """Find the tables whose triggers would refuse it: the audit log only grows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
        return frozenset(table for (table,) in cursor.fetchall())
