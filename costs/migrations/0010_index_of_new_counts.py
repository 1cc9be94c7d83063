"""Find the rows with counts that this version does not know without reading all others; built beside running syncs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("costs", "0009_upstream_novelties")]
    operations = [
        # What an interrupted try leaves behind is an index of this name that nobody uses and that is in the way.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS usage_with_others", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "usagefact",
            models.Index(
                fields=["connection", "day"], condition=~models.Q(other_counts={}), name="usage_with_others"
            ),
        ),
    ]
