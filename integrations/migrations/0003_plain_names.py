"""Plain names for columns that keep theirs: only Django's picture of the tables changes, no statement runs."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("integrations", "0002_sources"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint(model_name="report", name="report_once"),
                migrations.AlterField(
                    model_name="report",
                    name="stream",
                    field=models.CharField(db_column="stream", max_length=40),
                ),
                migrations.RenameField(model_name="report", old_name="stream", new_name="report_name"),
                migrations.AddConstraint(
                    model_name="report",
                    constraint=models.UniqueConstraint(fields=("connection", "report_name"), name="report_once"),
                ),
            ],
        ),
    ]
