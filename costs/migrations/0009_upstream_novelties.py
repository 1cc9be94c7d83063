"""What upstream says that this version does not know, for people to see."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('costs', '0008_digest_version'),
        ('integrations', '0002_sources'),
    ]

    operations = [
        migrations.CreateModel(
            name='UpstreamNovelty',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(help_text='The report (stream) that says it.', max_length=40)),
                ('kind', models.CharField(choices=[('value', 'new value'), ('field', 'new field'), ('count', 'new count'), ('unread', 'unreadable')], max_length=8)),
                ('field', models.TextField(help_text='Its name upstream.')),
                ('value', models.TextField(blank=True, help_text='Empty for counts.')),
                ('first_day', models.DateField(help_text='Null: in a list of names, which has no days.', null=True)),
                ('last_day', models.DateField(null=True)),
                ('first_seen_at', models.DateTimeField()),
                ('connection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='integrations.connection')),
            ],
            options={
                'ordering': ['source', 'field', 'value'],
                'constraints': [models.UniqueConstraint(fields=('connection', 'source', 'field', 'value'), name='novelty_once')],
            },
        ),
    ]
