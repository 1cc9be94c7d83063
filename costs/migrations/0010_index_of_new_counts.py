"""Find the rows with counts that this version does not know without reading all others; built beside running syncs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("costs", "0009_upstream_novelties")]
    operations = [
        AddIndexConcurrently(
            "usagefact",
            models.Index(
                fields=["connection", "day"], condition=~models.Q(other_counts={}), name="usage_with_others"
            ),
        ),
    ]
