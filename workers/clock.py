"""The engine's only clock: the database's, which every worker shares whatever its own machine believes."""

import datetime as dt

from django.db import connection as database


def database_now() -> dt.datetime:
    """Return the database's present time in UTC; unlike SQL's now() it moves inside a transaction."""
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: dt.datetime = cursor.fetchone()[0]
    return now.astimezone(dt.UTC)
