from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("guests", "0002_slow")]
    operations = [
        migrations.AddField("Guest", "seat", models.IntegerField(null=True)),
        migrations.RunSQL("UPDATE guests SET seat = id + 10"),
    ]
