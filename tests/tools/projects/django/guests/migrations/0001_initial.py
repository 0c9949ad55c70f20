from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Guest",
            [("id", models.AutoField(primary_key=True)), ("name", models.TextField())],
            {"db_table": "guests"},
        ),
        migrations.RunSQL("INSERT INTO guests (name) VALUES ('Ada'), ('Grace')"),
    ]
