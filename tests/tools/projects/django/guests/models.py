from django.db import models


class Guest(models.Model):
    name = models.TextField()
    seat = models.IntegerField(null=True)

    class Meta:
        db_table = "guests"
