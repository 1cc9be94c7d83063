"""One look at the database for an answer that takes several questions; knows no model."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection as database
from django.db import transaction


@contextmanager
def read_snapshot() -> Iterator[None]:
    """
    Let everything inside see the database as it is at the first query; nothing can be written.

    Which report answers for a day and what it says are two questions: a sync that commits between them would let
    a sum be read of a report that does not answer any more. Inside a transaction it is the caller's who sees to that.
    """
    if database.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield
