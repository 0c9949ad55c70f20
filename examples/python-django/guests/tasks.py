from celery import shared_task
from django.db.models import Max

from guests.models import Guest


@shared_task
def seat_guest(name):
    """Gives a guest the next seat."""
    Guest.objects.create(name=name, seat=1 + Guest.objects.aggregate(Max("seat"))["seat__max"])
