from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("guests", "0001_initial")]
    operations = [
        migrations.RunSQL("INSERT INTO guests (name) SELECT 'Guest ' || nextval('executions')"),
        migrations.RunSQL("SELECT pg_sleep(2)"),
    ]
