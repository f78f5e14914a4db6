from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_an_owner_stays'),
    ]

    operations = [
        migrations.AddField(
            model_name='namespace',
            name='website',
            field=models.URLField(blank=True),
        ),
    ]
