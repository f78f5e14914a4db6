import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('datasets', '0001_initial'),
        ('storage', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BaseModelRevision',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('name', models.CharField(max_length=129)),
                ('model_hash', models.CharField(max_length=71, unique=True)),
                ('path', models.CharField(max_length=1000)),
                ('architecture', models.CharField(max_length=100)),
                ('n_layers', models.PositiveIntegerField()),
                ('d_model', models.PositiveIntegerField()),
                ('max_positions', models.PositiveIntegerField()),
                ('files', models.JSONField()),
                ('scorer', models.CharField(blank=True, max_length=20)),
            ],
            options={
                'ordering': ['name', '-created_at'],
            },
        ),
        migrations.CreateModel(
            name='Vector',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('name', models.CharField(max_length=64)),
                ('title', models.CharField(blank=True, max_length=120)),
                ('description', models.TextField(blank=True, max_length=4000)),
                ('visibility', models.CharField(choices=[('private', 'Private: only you'), ('public', 'Public: everybody')], default='private', max_length=10)),
            ],
            options={
                'ordering': ['-created_at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='VectorVersion',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('version', models.CharField(blank=True, max_length=32, null=True)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('failed', 'Failed'), ('extracted', 'Extracted'), ('published', 'Published'), ('yanked', 'Yanked')], default='draft', max_length=10)),
                ('spec', models.JSONField()),
                ('spec_digest', models.CharField(max_length=71)),
                ('manifest', models.JSONField(blank=True, null=True)),
                ('report', models.JSONField(blank=True, null=True)),
                ('verdict', models.CharField(blank=True, choices=[('pass', 'Pass'), ('warn', 'Warn'), ('insufficient', 'Insufficient'), ('fail', 'Fail')], max_length=12)),
                ('license', models.CharField(blank=True, choices=[('CC-BY-4.0', 'Creative Commons Attribution 4.0'), ('CC0-1.0', 'Creative Commons Zero 1.0 (public domain)'), ('CC-BY-SA-4.0', 'Creative Commons Attribution ShareAlike 4.0'), ('CC-BY-NC-4.0', 'Creative Commons Attribution NonCommercial 4.0'), ('Apache-2.0', 'Apache License 2.0'), ('MIT', 'MIT License')], max_length=20)),
                ('published_at', models.DateTimeField(blank=True, null=True)),
                ('yanked_at', models.DateTimeField(blank=True, null=True)),
                ('yank_reason', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='basemodelrevision',
            trigger=pgtrigger.compiler.Trigger(name='base_model_hash_is_fixed', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."model_hash" IS DISTINCT FROM (NEW."model_hash") OR OLD."files" IS DISTINCT FROM (NEW."files"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='cba03edf9304a5992a1e43869119095954233897', operation='UPDATE', pgid='pgtrigger_base_model_hash_is_fixed_974da', table='catalog_basemodelrevision', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='vector',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='vectors', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='vectorversion',
            name='artifact',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='storage.blob'),
        ),
        migrations.AddField(
            model_name='vectorversion',
            name='base_model',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='vector_versions', to='catalog.basemodelrevision'),
        ),
        migrations.AddField(
            model_name='vectorversion',
            name='dataset_version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='vector_versions', to='datasets.datasetversion'),
        ),
        migrations.AddField(
            model_name='vectorversion',
            name='vector',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='catalog.vector'),
        ),
        migrations.AddField(
            model_name='vector',
            name='latest',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.vectorversion'),
        ),
        migrations.AddConstraint(
            model_name='vectorversion',
            constraint=models.UniqueConstraint(fields=('vector', 'version'), name='vector_version_is_used_once'),
        ),
        migrations.AddConstraint(
            model_name='vectorversion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ('published', 'yanked')), _negated=True), models.Q(('artifact__isnull', False), ('published_at__isnull', False), ('report__isnull', False), ('version__isnull', False), models.Q(('license', ''), _negated=True)), _connector='OR'), name='released_version_is_complete'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='vectorversion',
            trigger=pgtrigger.compiler.Trigger(name='version_state_moves_forward', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{draft:extracted,draft:failed,extracted:published,published:yanked,yanked:published}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='d7a821e5dbe4d1878aab7fcb93fab348204d22c2', operation='UPDATE', pgid='pgtrigger_version_state_moves_forward_0236a', table='catalog_vectorversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='vectorversion',
            trigger=pgtrigger.compiler.Trigger(name='released_version_is_frozen', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN (OLD.state IN ('published', 'yanked')\n    AND (to_jsonb(NEW) - ARRAY['state', 'yanked_at', 'yank_reason'])\n        IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['state', 'yanked_at', 'yank_reason']))", func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='a4512062ba18e0bd94df7709e14aa94efa622da5', operation='UPDATE', pgid='pgtrigger_released_version_is_frozen_f0c87', table='catalog_vectorversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='vectorversion',
            trigger=pgtrigger.compiler.Trigger(name='released_version_is_kept', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."state" IN (\'published\', \'yanked\'))', func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='3fea3afa787451c466dfd890c896c4e55f561b79', operation='DELETE', pgid='pgtrigger_released_version_is_kept_28151', table='catalog_vectorversion', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='vector',
            constraint=models.UniqueConstraint(fields=('owner', 'name'), name='vector_name_is_unique_per_owner'),
        ),
    ]
