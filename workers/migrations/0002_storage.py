"""Storage settings that follow from how the tables are written."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("workers", "0001_initial")]

    operations = [
        # A lane is updated several times a request; free room on its page keeps updates off the index.
        migrations.RunSQL(
            "ALTER TABLE workers_lane SET (fillfactor = 70)", "ALTER TABLE workers_lane RESET (fillfactor)"
        ),
    ]
