"""Fills the database with a million cost rows of one account and their usage, as a large one has after a year.

Import only on a prepared ground (devtools/bench/ground.py): this module uses the product's models.
"""

import datetime as dt
from collections.abc import Sequence

from django.db import connection as database

from accounts.models import Account, Membership, Role, User
from costs.models import Resource, ResourceName
from integrations.models import Connection, Status
from workers.clock import database_now

DAYS = 400
_MODELS = (
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-haiku-4-5-20251001",
    "claude-opus-4-8",
    "claude-fable-5-1",
)
_WORKSPACES = 10
_TOKEN_TYPES = (
    "uncached_input_tokens", "output_tokens", "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens",
)  # fmt: skip
ROWS_A_DAY = len(_MODELS) * _WORKSPACES * len(_TOKEN_TYPES)

# Every combination on every day: what a busy organisation reports, and the worst for whatever sums it up. The
# amount falls with the model's and workspace's number and swings with the day, so that something always moves.
_FACTS = """
    INSERT INTO costs_costfact (
        connection_id, source, day, row_key, origin, workspace_id, model, token_type, cost_type, service_tier,
        context_window, inference_geo, description, extra, amount_usd, observed_at
    )
    SELECT connection.id, 'cost_report', day::date,
        decode(md5(w || '/' || m || '/' || t), 'hex'), 'claude_platform',
        'wrkspc_' || right(connection.id::text, 4) || w, (%(models)s::text[])[m], (%(tokens)s::text[])[t], 'tokens',
        'standard', '0-200k', 'global', (%(models)s::text[])[m] || ' Usage - ' || (%(tokens)s::text[])[t], '{}',
        round((100.0 / (m * w * t) * (1.2 + sin(extract(doy FROM day) / (7.0 + w))))::numeric, 9), now()
    FROM integrations_connection connection,
        generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS day,
        generate_series(1, %(workspaces)s) AS w, generate_series(1, %(model_count)s) AS m,
        generate_series(1, %(token_count)s) AS t
    -- Rows of a day arrive together, so they lie together.
    ORDER BY connection.id, day
"""
_USAGE = """
    INSERT INTO costs_usagefact (
        connection_id, source, day, row_key, origin, workspace_id, model, service_tier, extra, uncached_input_tokens,
        output_tokens, cache_read_input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, web_search_requests,
        other_counts, observed_at
    )
    SELECT connection.id, 'usage_report', day::date, decode(md5(w || '/' || m), 'hex'), 'claude_platform',
        'wrkspc_' || right(connection.id::text, 4) || w, (%(models)s::text[])[m], 'standard', '{}',
        1000000 / (m * w), 200000 / (m * w), 5000000 / (m * w), 600000 / (m * w), 0, 10, '{}', now()
    FROM integrations_connection connection,
        generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS day,
        generate_series(1, %(workspaces)s) AS w, generate_series(1, %(model_count)s) AS m
    ORDER BY connection.id, day
"""
_USAGE_DIGESTS = """
    INSERT INTO costs_daydigest (connection_id, source, day, digest, row_count, amount_usd, as_of)
    SELECT connection_id, source, day, '\\x00', count(*), 0,
        greatest(day::timestamp AT TIME ZONE 'UTC' + interval '7 days', now() - interval '1 hour')
    FROM costs_usagefact GROUP BY connection_id, source, day
"""
_DIGESTS = """
    INSERT INTO costs_daydigest (connection_id, source, day, digest, row_count, amount_usd, as_of)
    SELECT connection_id, source, day, '\\x00', count(*), sum(amount_usd),
        greatest(day::timestamp AT TIME ZONE 'UTC' + interval '7 days', now() - interval '1 hour')
    FROM costs_costfact GROUP BY connection_id, source, day
"""


def fill(rows: int) -> User:
    """Store at least so many cost rows of one account over the last days; return an admin who sees them."""
    account = Account.objects.create(name="Large")
    user = User.objects.create_superuser("large@example.com", "correct horse battery")
    Membership.objects.create(account=account, user=user, role=Role.ADMIN)
    today = database_now().date()
    connections = _connections(account, -(-rows // (ROWS_A_DAY * DAYS)), today)
    values = {
        "models": list(_MODELS), "tokens": list(_TOKEN_TYPES), "workspaces": _WORKSPACES,
        "model_count": len(_MODELS), "token_count": len(_TOKEN_TYPES),
        "first": today - dt.timedelta(days=DAYS), "last": today - dt.timedelta(days=1),
    }  # fmt: skip
    with database.cursor() as cursor:
        cursor.execute(_FACTS, values)
        cursor.execute(_DIGESTS)
        cursor.execute(_USAGE, values)
        cursor.execute(_USAGE_DIGESTS)
    _name_workspaces(connections)
    # As autovacuum leaves it; it would otherwise do so in the middle of the measurement.
    with database.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return user


def _connections(account: Account, count: int, today: dt.date) -> Sequence[Connection]:
    return Connection.objects.bulk_create(
        Connection(
            account=account, origin="claude_platform", label=f"Organisation {number}",
            organization_id=f"org-{number}", organization_name=f"Organisation {number}",
            key_hint="sk-ant-admin01-…", status=Status.ACTIVE, backfill_days=DAYS,
            wanted_from=today - dt.timedelta(days=DAYS), last_synced_at=database_now(),
        )
        for number in range(count)
    )  # fmt: skip


def _name_workspaces(connections: Sequence[Connection]) -> None:
    resources = Resource.objects.bulk_create(
        Resource(connection=each, kind="workspace", resource_id=f"wrkspc_{str(each.pk)[-4:]}{number}")
        for each in connections
        for number in range(1, _WORKSPACES + 1)
    )
    ResourceName.objects.bulk_create(
        ResourceName(resource=each, name=f"Team {number}", valid_from=database_now())
        for number, each in enumerate(resources)
    )
