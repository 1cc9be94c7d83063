"""Plain names for columns that keep theirs: only Django's picture of the tables changes, no statement runs."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("costs", "0011_when_days_were_first_stored"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex(model_name="dailycost", name="daily_cost_by_cut"),
                migrations.RemoveIndex(model_name="dailyusage", name="daily_usage_by_cut"),
                migrations.AlterField(
                    model_name="dailycost",
                    name="cut",
                    field=models.SmallIntegerField(db_column="cut", help_text="Which dimensions it is summed by: costs.rollups numbers them."),
                ),
                migrations.RenameField(model_name="dailycost", old_name="cut", new_name="grain"),
                migrations.AlterField(
                    model_name="dailyusage",
                    name="cut",
                    field=models.SmallIntegerField(db_column="cut", help_text="Which dimensions it is summed by: costs.rollups numbers them."),
                ),
                migrations.RenameField(model_name="dailyusage", old_name="cut", new_name="grain"),
                migrations.AddIndex(
                    model_name="dailycost",
                    index=models.Index(fields=["connection", "grain", "day"], name="daily_cost_by_cut"),
                ),
                migrations.AddIndex(
                    model_name="dailyusage",
                    index=models.Index(fields=["connection", "grain", "day"], name="daily_usage_by_cut"),
                ),
                migrations.AlterField(
                    model_name="activityfact",
                    name="source",
                    field=models.CharField(help_text="The report that the row came from.", max_length=40),
                ),
                migrations.AlterField(
                    model_name="costfact",
                    name="source",
                    field=models.CharField(help_text="The report that the row came from.", max_length=40),
                ),
                migrations.AlterField(
                    model_name="supersededcost",
                    name="source",
                    field=models.CharField(help_text="The report that the row came from.", max_length=40),
                ),
                migrations.AlterField(
                    model_name="usagefact",
                    name="source",
                    field=models.CharField(help_text="The report that the row came from.", max_length=40),
                ),
                migrations.AlterField(
                    model_name="dailycost",
                    name="source",
                    field=models.CharField(help_text="The report that the facts came from.", max_length=40),
                ),
                migrations.AlterField(
                    model_name="dailyusage",
                    name="source",
                    field=models.CharField(help_text="The report that the facts came from.", max_length=40),
                ),
            ],
        ),
    ]
