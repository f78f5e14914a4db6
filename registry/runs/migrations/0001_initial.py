import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('catalog', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('kind', models.CharField(choices=[('extract', 'Extract')], max_length=20)),
                ('publish_as', models.JSONField(default=dict)),
                ('idempotency_key', models.CharField(blank=True, max_length=200, null=True)),
                ('request_digest', models.CharField(max_length=71)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('cancelled', 'Cancelled'), ('timed_out', 'Timed Out')], default='queued', max_length=10)),
                ('stage', models.CharField(blank=True, max_length=40)),
                ('progress', models.FloatField(default=0.0)),
                ('error_class', models.CharField(blank=True, choices=[('user', 'The data or the request: shown, not retried'), ('platform', 'Ours: retried, and the text is hidden'), ('poison', 'It took its worker down every time'), ('cancelled', 'Cancelled'), ('timed_out', 'Timed Out')], max_length=10)),
                ('error_code', models.CharField(blank=True, max_length=80)),
                ('error_message', models.TextField(blank=True)),
                ('cancel_requested', models.BooleanField(default=False)),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('lease_token', models.BigIntegerField(default=0)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('deadline_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('not_before', models.DateTimeField(blank=True, null=True)),
                ('notified_at', models.DateTimeField(blank=True, null=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='runs', to=settings.AUTH_USER_MODEL)),
                ('vector_version', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='run', to='catalog.vectorversion')),
            ],
            options={
                'ordering': ['-created_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='RunEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('attempt', models.PositiveIntegerField()),
                ('stage', models.CharField(max_length=40)),
                ('progress', models.FloatField()),
                ('message', models.CharField(max_length=500)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='runs.run')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('state__in', ('queued', 'running'))), fields=['lease_until'], name='run_active'),
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.UniqueConstraint(fields=('owner', 'idempotency_key'), name='run_idempotency_key_is_used_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='runevent',
            trigger=pgtrigger.compiler.Trigger(name='run_event_is_appended_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='109bcad3beeead2b1b6dde05eb79177c418b2ef6', operation='UPDATE OR DELETE', pgid='pgtrigger_run_event_is_appended_only_f5c75', table='runs_runevent', when='BEFORE')),
        ),
    ]
