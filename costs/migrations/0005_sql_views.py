"""
The views of the schema `bi`, version 1: what people may read by SQL, each role the rows of its own account.

The text is final: a view that has to say something else becomes a `v2_`, and this one stays beside it. Columns may be
added at the end of a view by a later migration. Owned by the role that migrates; nobody else may read them until
`manage.py bi_role` says so. docs/sql.md explains every column, docs/adr/0012-sql-views-for-one-account.md the way.
"""

from django.db import migrations

# A copy of costs.sources.rank as of this version; tests/accounts/test_sql_views.py compares them.
BILLS = ("cost_report", "analytics_cost", "enterprise_cost", "enterprise_cost_report")
COSTS = (
    "cost_report", "analytics_cost", "allocated", "analytics_cost_serving", "enterprise_cost", "enterprise_cost_speed",
    "enterprise_cost_report", "enterprise_cost_by_product", "enterprise_user_cost_report",
)
USAGE = (
    "analytics_usage", "analytics_usage_serving", "usage_report", "enterprise_usage", "enterprise_usage_speed",
    "enterprise_usage_report", "enterprise_user_usage_report",
)
BY_KEY = ("api_key_id", "actor_type", "actor_id", "workspace_id", "model", "service_tier")
BY_PRODUCT = ("product", "speed", "context_window", "inference_geo", "model")
SCORES = {
    ("cost", ()): (0,) * len(COSTS),
    ("cost", BY_KEY): (14, 126, 126, 4, 52, 4, 0, 4, 52),
    ("cost", BY_PRODUCT): (14, 2, 14, 62, 46, 62, 0, 34, 34),
    ("usage", BY_KEY): (126, 4, 126, 52, 4, 4, 52),
    ("usage", BY_PRODUCT): (2, 62, 2, 46, 62, 34, 34),
}

# The account of whoever asks. current_user is the role whose privileges are checked, also inside of a view.
_MINE = "(SELECT reader.account_id FROM accounts_sqlreader reader WHERE reader.role_name = current_user::text)"


def _texts(names):
    return "ARRAY[" + ", ".join(f"'{name}'" for name in names) + "]::text[]"


def _chosen(kind, group_by):
    """Of each day of each of the account's connections the one report that answers, as costs/choice.py chooses."""
    names, scores = COSTS if kind == "cost" else USAGE, SCORES[kind, group_by]
    agrees = f"WHERE bill_source = ANY({_texts(BILLS)}) AND (source = bill_source OR amount_usd = billed_usd)"
    return f"""(
        SELECT DISTINCT ON (connection_id, day) connection_id, source, day
        FROM (
            SELECT digest.connection_id, digest.source, digest.day, digest.amount_usd,
                array_position({_texts(names)}, digest.source::text) AS place,
                first_value(digest.source) OVER bill AS bill_source,
                first_value(digest.amount_usd) OVER bill AS billed_usd
            FROM costs_daydigest digest JOIN integrations_connection owner ON owner.id = digest.connection_id
            WHERE owner.account_id = {_MINE} AND digest.source = ANY({_texts(names)})
            WINDOW bill AS (
                PARTITION BY digest.connection_id, digest.day
                ORDER BY digest.source = ANY({_texts(BILLS)}) DESC, digest.source = owner.cost_source DESC, digest.source
            )
        ) ranked {agrees if kind == "cost" else ""}
        ORDER BY connection_id, day, (ARRAY{list(scores)}::int[])[place] DESC,
            {"source = bill_source DESC," if kind == "cost" else ""} place
    )"""


def _facts(table, kind, group_by, columns, *, has=()):
    """Rows of the chosen reports with the names of what they refer to; the default workspace is null, however spelt."""
    named = "api_key_id", "actor_type", "actor_id", "product", "model", *has, "service_tier", "context_window"
    return f"""
        SELECT fact.day, fact.connection_id, connection.label AS connection_label,
            nullif(connection.cost_center, '') AS cost_center, fact.origin, fact.source,
            CASE WHEN workspace.is_default THEN NULL ELSE fact.workspace_id END AS workspace_id,
            workspace_name.name AS workspace_name, key_name.name AS api_key_name, person_name.name AS actor_name,
            {", ".join(f"fact.{name}" for name in named)}, fact.inference_geo, fact.speed, {columns}, fact.observed_at
        FROM {_chosen(kind, group_by)} chosen
        JOIN {table} fact ON fact.connection_id = chosen.connection_id AND fact.source = chosen.source
            AND fact.day = chosen.day
        JOIN integrations_connection connection ON connection.id = fact.connection_id
        LEFT JOIN (
            SELECT connection_id, min(resource_id) AS resource_id FROM costs_resource
            WHERE kind = 'workspace' AND is_default GROUP BY connection_id
        ) usual ON usual.connection_id = fact.connection_id
        LEFT JOIN costs_resource workspace ON workspace.connection_id = fact.connection_id
            AND workspace.kind = 'workspace' AND workspace.resource_id = coalesce(fact.workspace_id, usual.resource_id)
        LEFT JOIN costs_resourcename workspace_name ON workspace_name.resource_id = workspace.id
            AND workspace_name.valid_to IS NULL
        LEFT JOIN costs_resource key ON key.connection_id = fact.connection_id
            AND key.kind = 'api_key' AND key.resource_id = fact.api_key_id
        LEFT JOIN costs_resourcename key_name ON key_name.resource_id = key.id AND key_name.valid_to IS NULL
        LEFT JOIN costs_resource person ON person.connection_id = fact.connection_id
            AND person.kind = 'person' AND person.resource_id = fact.actor_id
        LEFT JOIN costs_resourcename person_name ON person_name.resource_id = person.id AND person_name.valid_to IS NULL
        WHERE connection.account_id = {_MINE}
    """


def _costs(group_by):
    return _facts(
        "costs_costfact", "cost", group_by, "fact.description, fact.attribution, fact.amount_usd, fact.list_amount_usd",
        has=("token_type", "cost_type"),
    )


_TOKENS = (
    "uncached_input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens",
)


def _usage(group_by):
    counts = ", ".join(f"fact.{name}" for name in _TOKENS)
    total = " + ".join(f"fact.{name}" for name in _TOKENS)
    return _facts(
        "costs_usagefact", "usage", group_by,
        f"{counts}, {total} AS total_tokens, fact.web_search_requests, fact.requests",
    )


def _resources(kind, more=""):
    return f"""
        SELECT thing.connection_id, thing.resource_id AS {kind}_id, named.name, thing.is_listed, thing.archived_at,
            thing.first_seen_at{more}
        FROM costs_resource thing
        JOIN integrations_connection connection ON connection.id = thing.connection_id
        LEFT JOIN costs_resourcename named ON named.resource_id = thing.id AND named.valid_to IS NULL
        WHERE thing.kind = '{kind}' AND connection.account_id = {_MINE}
    """


VIEWS = {
    "v1_connections": f"""
        SELECT id AS connection_id, label, nullif(cost_center, '') AS cost_center, provider, origin, organization_id,
            organization_name, status, nullif(reason, '') AS reason, cost_source, wanted_from, settled_through,
            last_synced_at, next_sync_at, disconnected_at, created_at
        FROM integrations_connection WHERE account_id = {_MINE}
    """,
    "v1_costs": _costs(()),
    "v1_costs_by_key": _costs(BY_KEY),
    "v1_costs_by_product": _costs(BY_PRODUCT),
    "v1_usage": _usage(BY_KEY),
    "v1_usage_by_product": _usage(BY_PRODUCT),
    "v1_claude_code": f"""
        SELECT fact.day, fact.connection_id, connection.label AS connection_label, fact.origin, fact.actor_type,
            fact.actor_id, fact.customer_type, fact.subscription_type, fact.terminal_type, fact.is_remote, fact.sessions,
            fact.lines_added, fact.lines_removed, fact.commits, fact.pull_requests, fact.estimated_cost_usd,
            fact.observed_at
        FROM costs_activityfact fact JOIN integrations_connection connection ON connection.id = fact.connection_id
        WHERE connection.account_id = {_MINE}
    """,
    "v1_workspaces": _resources("workspace", ", thing.is_default"),
    "v1_api_keys": _resources(
        "api_key", ", thing.attributes->>'status' AS status, thing.attributes->>'workspace_id' AS workspace_id"
    ),
    "v1_people": _resources("person", ", thing.attributes->>'email' AS email, thing.attributes->>'role' AS role"),
    "v1_names": f"""
        SELECT thing.connection_id, thing.kind, thing.resource_id, named.name, named.valid_from, named.valid_to
        FROM costs_resourcename named JOIN costs_resource thing ON thing.id = named.resource_id
        JOIN integrations_connection connection ON connection.id = thing.connection_id
        WHERE connection.account_id = {_MINE}
    """,
    "v1_restatements": f"""
        SELECT restated.day, restated.connection_id, connection.label AS connection_label, restated.source,
            restated.observed_at, restated.before_usd, restated.after_usd,
            restated.after_usd - restated.before_usd AS change_usd, restated.rows_added, restated.rows_changed,
            restated.rows_removed, restated.was_provisional
        FROM costs_restatement restated
        JOIN integrations_connection connection ON connection.id = restated.connection_id
        WHERE connection.account_id = {_MINE} AND restated.source = ANY({_texts(BILLS)}) AND (
            restated.source = connection.cost_source OR NOT EXISTS (
                SELECT FROM costs_daydigest digest WHERE digest.connection_id = restated.connection_id
                AND digest.day = restated.day AND digest.source = connection.cost_source
            )
        )
    """,
    "v1_completeness": f"""
        SELECT wanted.day::date AS day, report.connection_id, connection.label AS connection_label,
            report.stream AS source, report.stream = connection.cost_source AS is_bill,
            digest.id IS NOT NULL AS is_stored,
            coalesce(digest.as_of >= (wanted.day::date + 1)::timestamp AT TIME ZONE 'UTC', false) AS has_ended,
            coalesce(wanted.day::date <= report.settled_through, false) AS is_settled,
            digest.as_of AS read_at, digest.revised_at, digest.row_count, digest.amount_usd
        FROM integrations_report report
        JOIN integrations_connection connection ON connection.id = report.connection_id
        CROSS JOIN LATERAL generate_series(
            report.wanted_from::timestamp, (now() AT TIME ZONE 'UTC')::date::timestamp, interval '1 day'
        ) AS wanted(day)
        LEFT JOIN costs_daydigest digest ON digest.connection_id = report.connection_id
            AND digest.source = report.stream AND digest.day = wanted.day::date
        WHERE connection.account_id = {_MINE} AND connection.disconnected_at IS NULL AND NOT report.is_refused
    """,
}

_SCHEMA = """
    DO $$ BEGIN
        -- Asked first, because IF NOT EXISTS wants the right to create one even where an administrator has made it.
        IF to_regnamespace('bi') IS NULL THEN CREATE SCHEMA bi; END IF;
    END $$
"""


def _create(name):
    # security_barrier: a function of the reader's own is never shown a row before the account was compared.
    return f"CREATE VIEW bi.{name} WITH (security_barrier) AS {VIEWS[name]}"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_sql_readers"),
        ("costs", "0004_history"),
        ("integrations", "0002_sources"),
    ]
    operations = [
        migrations.RunSQL(_SCHEMA, migrations.RunSQL.noop),
        *(migrations.RunSQL(_create(name), f"DROP VIEW bi.{name}") for name in VIEWS),
    ]
