"""Every version of every cost row in one view, for queries as of a moment."""

import costs.fields
from django.db import migrations, models

_COLUMNS = (
    "connection_id, source, day, row_key, origin, workspace_id, api_key_id, actor_type, actor_id, product, model, "
    "token_type, cost_type, service_tier, context_window, inference_geo, speed, description, attribution, extra, "
    "amount_usd, list_amount_usd, observed_at"
)
_CREATE = f"""
    CREATE VIEW costs_costhistory AS
    SELECT id * 2 AS id, {_COLUMNS}, NULL::timestamptz AS superseded_at FROM costs_costfact
    UNION ALL
    SELECT id * 2 + 1 AS id, {_COLUMNS}, superseded_at FROM costs_supersededcost
"""  # noqa: S608 - constants of this module


class Migration(migrations.Migration):
    dependencies = [("costs", "0003_sources")]
    operations = [
        migrations.RunSQL(_CREATE, "DROP VIEW costs_costhistory"),
        migrations.CreateModel(
            name='CostHistory',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(help_text='The report (stream) the row came from.', max_length=40)),
                ('day', models.DateField(help_text='UTC day.')),
                ('row_key', models.BinaryField(help_text='16-byte hash of all key columns below.')),
                ('origin', models.CharField(max_length=32)),
                ('workspace_id', models.TextField(null=True)),
                ('api_key_id', models.TextField(null=True)),
                ('actor_type', models.TextField(null=True)),
                ('actor_id', models.TextField(null=True)),
                ('product', models.TextField(null=True)),
                ('model', models.TextField(null=True)),
                ('token_type', models.TextField(null=True)),
                ('cost_type', models.TextField(null=True)),
                ('service_tier', models.TextField(null=True)),
                ('context_window', models.TextField(null=True)),
                ('inference_geo', models.TextField(null=True)),
                ('speed', models.TextField(null=True)),
                ('description', models.TextField(null=True)),
                ('attribution', models.TextField(help_text='How it came to its key and person; null as upstream stated it. See costs.attribution.', null=True)),
                ('extra', models.JSONField(default=dict, help_text='Upstream fields this version does not know.')),
                ('amount_usd', costs.fields.UsdField(decimal_places=32, max_digits=60)),
                ('list_amount_usd', costs.fields.UsdField(decimal_places=32, max_digits=60, null=True)),
                ('observed_at', models.DateTimeField(help_text='When this version was first stored.')),
                ('superseded_at', models.DateTimeField(help_text='Null: still true.', null=True)),
            ],
            options={
                'db_table': 'costs_costhistory',
                'managed': False,
            },
        ),
    ]
