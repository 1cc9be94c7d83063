"""How far the pages of a step have come; without a check of their sign, which would read every step under a full lock."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workers', '0005_database_clock'),
    ]

    operations = [
        migrations.AddField(
            model_name='syncstep',
            name='blank_pages',
            field=models.IntegerField(db_default=0, default=0, help_text='How many of the last of them held nothing.'),
        ),
        migrations.AddField(
            model_name='syncstep',
            name='pages_read',
            field=models.IntegerField(db_default=0, default=0, help_text='Pages of this generation that were stored.'),
        ),
    ]
