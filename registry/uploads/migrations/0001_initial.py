"""Files on their way in, part by part."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('storage', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Upload',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('sha256', models.CharField(max_length=64)),
                ('size_bytes', models.PositiveBigIntegerField()),
                ('filename', models.CharField(blank=True, max_length=255)),
                ('purpose', models.CharField(choices=[('dataset', 'A file of contrastive pairs'), ('vector', 'A vector file to import')], max_length=10)),
                ('method', models.CharField(choices=[('s3', 'PUT to signed addresses in the object store'), ('app', 'PUT through this interface')], max_length=3)),
                ('part_bytes', models.PositiveIntegerField()),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('complete', 'Complete'), ('aborted', 'Aborted'), ('expired', 'Expired')], default='pending', max_length=10)),
                ('expires_at', models.DateTimeField()),
                ('has_parts', models.BooleanField(default=True)),
                ('blob', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='storage.blob')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='uploads', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at', '-id'],
                'indexes': [models.Index(condition=models.Q(('state', 'pending')), fields=['owner'], name='upload_open'), models.Index(condition=models.Q(('has_parts', True)), fields=['expires_at'], name='upload_to_clear')],
                'constraints': [models.CheckConstraint(condition=models.Q(('sha256__regex', '^[0-9a-f]{64}$')), name='upload_sha256_is_hex'), models.CheckConstraint(condition=models.Q(models.Q(('blob', models.F('sha256')), ('blob__isnull', False), ('state', 'complete')), models.Q(models.Q(('state', 'complete'), _negated=True), ('blob__isnull', True)), _connector='OR'), name='complete_upload_is_its_blob')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='upload',
            trigger=pgtrigger.compiler.Trigger(name='upload_is_what_was_announced', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."owner_id" IS DISTINCT FROM (NEW."owner_id") OR OLD."sha256" IS DISTINCT FROM (NEW."sha256") OR OLD."size_bytes" IS DISTINCT FROM (NEW."size_bytes") OR OLD."filename" IS DISTINCT FROM (NEW."filename") OR OLD."purpose" IS DISTINCT FROM (NEW."purpose") OR OLD."method" IS DISTINCT FROM (NEW."method") OR OLD."part_bytes" IS DISTINCT FROM (NEW."part_bytes"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='58bf79f49f59b2bba8cb281f8852b871edebe94c', operation='UPDATE', pgid='pgtrigger_upload_is_what_was_announced_23cfa', table='uploads_upload', when='BEFORE')),
        ),
    ]
