"""Storage settings that follow from how the tables are written."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("costs", "0001_initial")]

    operations = [
        # Windows are replaced in bulk; the default (a fifth of a growing table) would vacuum far too late.
        migrations.RunSQL(
            "ALTER TABLE costs_costfact SET (autovacuum_vacuum_scale_factor = 0.02)",
            "ALTER TABLE costs_costfact RESET (autovacuum_vacuum_scale_factor)",
        ),
    ]
