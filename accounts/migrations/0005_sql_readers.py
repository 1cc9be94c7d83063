import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_audit_append_only'),
    ]

    operations = [
        migrations.CreateModel(
            name='SqlReader',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role_name', models.CharField(help_text='As PostgreSQL spells it.', max_length=63, unique=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sql_readers', to='accounts.account')),
            ],
            options={
                'ordering': ['role_name'],
            },
        ),
    ]
