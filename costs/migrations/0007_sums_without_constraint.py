"""The sums lose their own constraint on the connection: the facts have it, and a trigger keeps no sum without a fact."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('costs', '0006_daily_sums'),
        ('integrations', '0002_sources'),
    ]

    operations = [
        migrations.AlterField(
            model_name='dailycost',
            name='connection',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='integrations.connection'),
        ),
        migrations.AlterField(
            model_name='dailyusage',
            name='connection',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='integrations.connection'),
        ),
    ]
