"""Plain names for columns that keep theirs: only Django's picture of the tables changes, no statement runs."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("workers", "0006_pages_of_a_step"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint(model_name="page", name="page_once"),
                migrations.AlterField(
                    model_name="lane",
                    name="fence",
                    field=models.BigIntegerField(db_column="fence", default=0, help_text="Counts claims; a late holder's number is too old."),
                ),
                migrations.RenameField(model_name="lane", old_name="fence", new_name="fencing_token"),
                migrations.AlterField(
                    model_name="lane",
                    name="lease_token",
                    field=models.UUIDField(db_column="lease_token", null=True, help_text="Beside the fence: a restored counter could repeat."),
                ),
                migrations.RenameField(model_name="lane", old_name="lease_token", new_name="lease_id"),
                migrations.AlterField(
                    model_name="syncstep",
                    name="stream",
                    field=models.CharField(db_column="stream", max_length=40),
                ),
                migrations.RenameField(model_name="syncstep", old_name="stream", new_name="report_name"),
                migrations.AlterField(
                    model_name="syncstep",
                    name="generation",
                    field=models.PositiveIntegerField(db_column="generation", default=1, help_text="Counts restarts from page one."),
                ),
                migrations.RenameField(model_name="syncstep", old_name="generation", new_name="attempt"),
                migrations.AlterField(
                    model_name="page",
                    name="generation",
                    field=models.PositiveIntegerField(db_column="generation"),
                ),
                migrations.RenameField(model_name="page", old_name="generation", new_name="attempt"),
                migrations.AlterField(
                    model_name="syncstep",
                    name="pages_read",
                    field=models.IntegerField(
                        default=0, db_default=0, help_text="Pages of this attempt that were stored."
                    ),
                ),
                migrations.AlterModelOptions(name="page", options={"ordering": ["attempt", "sequence"]}),
                migrations.AddConstraint(
                    model_name="page",
                    constraint=models.UniqueConstraint(fields=("step", "attempt", "sequence"), name="page_once"),
                ),
            ],
        ),
    ]
