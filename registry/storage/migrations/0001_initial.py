import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Blob',
            fields=[
                ('sha256', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('size_bytes', models.PositiveBigIntegerField()),
                ('media_type', models.CharField(max_length=100)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('stored', 'Stored')], default='pending', max_length=10)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('sha256__regex', '^[0-9a-f]{64}$')), name='blob_sha256_is_hex')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='blob',
            trigger=pgtrigger.compiler.Trigger(name='blob_is_what_it_is', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."sha256" IS DISTINCT FROM (NEW."sha256") OR OLD."size_bytes" IS DISTINCT FROM (NEW."size_bytes"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='ac20a76f7f731daef37dbcf7dd4a95fe1d392b02', operation='UPDATE', pgid='pgtrigger_blob_is_what_it_is_004be', table='storage_blob', when='BEFORE')),
        ),
    ]
