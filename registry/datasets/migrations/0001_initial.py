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
            name='Dataset',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('name', models.CharField(max_length=64)),
                ('description', models.CharField(blank=True, max_length=500)),
                ('visibility', models.CharField(choices=[('private', 'Private: only you'), ('public', 'Public: everybody')], default='private', max_length=10)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='datasets', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='DatasetUpload',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('n_pairs', models.PositiveIntegerField()),
                ('source_format', models.CharField(max_length=30)),
                ('source_filename', models.CharField(blank=True, max_length=255)),
                ('source_digest', models.CharField(max_length=71)),
                ('report', models.JSONField()),
                ('preview', models.JSONField()),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='storage.blob')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='DatasetVersion',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('number', models.PositiveIntegerField()),
                ('n_pairs', models.PositiveIntegerField()),
                ('source_format', models.CharField(max_length=30)),
                ('source_filename', models.CharField(blank=True, max_length=255)),
                ('source_digest', models.CharField(max_length=71)),
                ('report', models.JSONField()),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='storage.blob')),
                ('dataset', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='datasets.dataset')),
            ],
            options={
                'ordering': ['-number'],
            },
        ),
        migrations.AddConstraint(
            model_name='dataset',
            constraint=models.UniqueConstraint(fields=('owner', 'name'), name='dataset_name_is_unique_per_owner'),
        ),
        migrations.AddConstraint(
            model_name='datasetversion',
            constraint=models.UniqueConstraint(fields=('dataset', 'number'), name='dataset_version_is_unique'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='datasetversion',
            trigger=pgtrigger.compiler.Trigger(name='dataset_version_is_frozen', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='424a819959b2fe78c7dcc5bd6b63d77fea17f5ec', operation='UPDATE OR DELETE', pgid='pgtrigger_dataset_version_is_frozen_d475c', table='datasets_datasetversion', when='BEFORE')),
        ),
    ]
