"""Say by which version a day was digested, so that an upgrade can tell its own digests from those of the release before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("costs", "0007_sums_without_constraint")]
    operations = [
        migrations.AddField(
            "daydigest",
            "version",
            models.SmallIntegerField(db_default=1, help_text="Which way of digesting it was made by."),
        ),
    ]
