from django.db import migrations, models


def seat_the_first_guests(apps, schema_editor):
    guest = apps.get_model("guests", "Guest")
    guest.objects.create(name="Ada Lovelace", seat=11)
    guest.objects.create(name="Grace Hopper", seat=12)


class Migration(migrations.Migration):
    dependencies = [("guests", "0001_initial")]
    operations = [
        migrations.AddField("guest", "seat", models.IntegerField(null=True)),
        migrations.RunPython(seat_the_first_guests, migrations.RunPython.noop),
    ]
