"""Sums of each day by a few sets of dimensions, which the database keeps up in the statement that changes a fact.

Triggers, not code beside each writer: a sum that somebody forgot to renew would be a wrong number on a page.
"""

import costs.fields
import django.db.models.deletion
from django.db import migrations, models

_KEY = "connection_id, source, day, origin"
# As costs.daily describes them; the order of the columns numbers the cuts.
_COST_CUTS = (
    ("model",),
    ("workspace_id",),
    ("api_key_id", "attribution"),
    ("actor_type", "actor_id", "attribution"),
    ("model", "service_tier", "token_type", "cost_type"),
    ("workspace_id", "model"),
    ("api_key_id", "workspace_id", "model", "attribution"),
    ("product", "model", "service_tier", "context_window", "inference_geo", "speed"),
    ("actor_type", "actor_id", "workspace_id", "product", "model", "attribution"),
)
_COST_COLUMNS = (
    "workspace_id, api_key_id, actor_type, actor_id, product, model, token_type, cost_type, service_tier, "
    "context_window, inference_geo, speed, attribution"
)
_USAGE_CUTS = (
    ("model", "service_tier"),
    ("workspace_id",),
    ("workspace_id", "model"),
    ("api_key_id", "workspace_id", "model"),
    ("product", "model", "service_tier", "context_window", "inference_geo", "speed"),
    ("actor_type", "actor_id", "workspace_id", "product", "model"),
)
_USAGE_COLUMNS = (
    "workspace_id, api_key_id, actor_type, actor_id, product, model, service_tier, context_window, inference_geo, speed"
)
_COUNTS = (
    "uncached_input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "web_search_requests",
)
# Half of a sum would be read as the whole: requests that one fact does not count are not counted at all.
_REQUESTS = "CASE WHEN count(requests) = count(*) THEN sum(requests) END"
_FUNCTION = """
    CREATE FUNCTION {function}{suffix}() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE touched record;
    BEGIN
        FOR touched IN
            SELECT connection_id, source, array_agg(DISTINCT day) AS days FROM {changed} GROUP BY connection_id, source
        LOOP
            -- One writer at a time, whoever it is: two would each add a set of sums. Syncs hold this row already.
            PERFORM FROM integrations_connection WHERE id = touched.connection_id FOR NO KEY UPDATE;
            -- Every cut by its number, because the index has them before the days.
            DELETE FROM {sums} WHERE connection_id = touched.connection_id AND source = touched.source
                AND cut = ANY ('{{{numbers}}}') AND day = ANY (touched.days);
            {insert} WHERE connection_id = touched.connection_id AND source = touched.source
                AND day = ANY (touched.days) {group};
        END LOOP;
        RETURN NULL;
    END $$;
"""
# A row that somebody moved to another day is gone from the old one.
_MOVED = "(SELECT * FROM gone UNION ALL SELECT * FROM changed) moved"
_TRIGGERS = """
    CREATE TRIGGER {function}_of_new AFTER INSERT ON {facts} REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION {function}();
    CREATE TRIGGER {function}_of_changed AFTER UPDATE ON {facts} REFERENCING OLD TABLE AS gone NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION {function}_moved();
    CREATE TRIGGER {function}_of_gone AFTER DELETE ON {facts} REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""


def _number(columns, cut):
    """Return GROUPING() of a cut: a bit for each column that is summed away, the last column the lowest."""
    names = columns.split(", ")
    return sum(1 << (len(names) - 1 - place) for place, name in enumerate(names) if name not in cut)


def _keep_up(facts, sums, columns, cuts, values):
    """Return what creates the triggers and sums what is stored already, and what takes the triggers away."""
    names, expressions = ", ".join(values), ", ".join(values.values())
    insert = (
        f"INSERT INTO {sums} ({_KEY}, cut, {columns}, {names}) "
        f"SELECT {_KEY}, GROUPING({columns}), {columns}, {expressions} FROM {facts}"
    )
    # Days of one cut beside each other: pages read ranges of them.
    group = (
        f"GROUP BY {_KEY}, GROUPING SETS ({', '.join('(' + ', '.join(cut) + ')' for cut in cuts)}) "
        f"ORDER BY connection_id, source, GROUPING({columns}), day"
    )
    function = f"{sums}_keep_up"
    numbers = ", ".join(str(_number(columns, cut)) for cut in cuts)
    create = "".join(
        _FUNCTION.format(
            function=function, suffix=suffix, changed=changed, sums=sums, insert=insert, group=group, numbers=numbers
        )
        for suffix, changed in (("", "changed"), ("_moved", _MOVED))
    )
    create += _TRIGGERS.format(function=function, facts=facts)
    # Windows are replaced in bulk, as those of the facts are.
    create += f"ALTER TABLE {sums} SET (autovacuum_vacuum_scale_factor = 0.02); {insert} {group}"
    drop = "; ".join(
        [f"DROP TRIGGER {function}_of_{what} ON {facts}" for what in ("new", "changed", "gone")]
        + [f"DROP FUNCTION {function}{suffix}()" for suffix in ("", "_moved")]
    )
    return migrations.RunSQL(create, drop)


class Migration(migrations.Migration):

    dependencies = [
        ('costs', '0005_sql_views'),
        ('integrations', '0002_sources'),
    ]

    operations = [
        migrations.CreateModel(
            name='DailyCost',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(help_text='The report (stream) the facts came from.', max_length=40)),
                ('day', models.DateField(help_text='UTC day.')),
                ('cut', models.SmallIntegerField(help_text='Which dimensions it is summed by: costs.daily numbers them.')),
                ('origin', models.CharField(max_length=32)),
                ('workspace_id', models.TextField(null=True)),
                ('api_key_id', models.TextField(null=True)),
                ('actor_type', models.TextField(null=True)),
                ('actor_id', models.TextField(null=True)),
                ('product', models.TextField(null=True)),
                ('model', models.TextField(null=True)),
                ('service_tier', models.TextField(null=True)),
                ('context_window', models.TextField(null=True)),
                ('inference_geo', models.TextField(null=True)),
                ('speed', models.TextField(null=True)),
                ('token_type', models.TextField(null=True)),
                ('cost_type', models.TextField(null=True)),
                ('attribution', models.TextField(null=True)),
                ('amount_usd', costs.fields.UsdField(decimal_places=32, max_digits=60)),
                ('connection', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='integrations.connection')),
            ],
            options={
                'indexes': [models.Index(fields=['connection', 'cut', 'day'], name='daily_cost_by_cut')],
            },
        ),
        migrations.CreateModel(
            name='DailyUsage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(help_text='The report (stream) the facts came from.', max_length=40)),
                ('day', models.DateField(help_text='UTC day.')),
                ('cut', models.SmallIntegerField(help_text='Which dimensions it is summed by: costs.daily numbers them.')),
                ('origin', models.CharField(max_length=32)),
                ('workspace_id', models.TextField(null=True)),
                ('api_key_id', models.TextField(null=True)),
                ('actor_type', models.TextField(null=True)),
                ('actor_id', models.TextField(null=True)),
                ('product', models.TextField(null=True)),
                ('model', models.TextField(null=True)),
                ('service_tier', models.TextField(null=True)),
                ('context_window', models.TextField(null=True)),
                ('inference_geo', models.TextField(null=True)),
                ('speed', models.TextField(null=True)),
                ('uncached_input_tokens', models.BigIntegerField()),
                ('output_tokens', models.BigIntegerField()),
                ('cache_read_input_tokens', models.BigIntegerField()),
                ('cache_write_5m_tokens', models.BigIntegerField()),
                ('cache_write_1h_tokens', models.BigIntegerField()),
                ('web_search_requests', models.BigIntegerField()),
                ('requests', models.BigIntegerField(help_text='Null where one of its facts does not count them.', null=True)),
                ('connection', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='integrations.connection')),
            ],
            options={
                'indexes': [models.Index(fields=['connection', 'cut', 'day'], name='daily_usage_by_cut')],
            },
        ),
        # In the order in which workers write: usage, then the shares of costs that follow from it.
        _keep_up(
            "costs_usagefact", "costs_dailyusage", _USAGE_COLUMNS, _USAGE_CUTS,
            {**{name: f"sum({name})" for name in _COUNTS}, "requests": _REQUESTS},
        ),
        _keep_up("costs_costfact", "costs_dailycost", _COST_COLUMNS, _COST_CUTS, {"amount_usd": "sum(amount_usd)"}),
    ]
