from django.http import HttpResponse, JsonResponse
from django.urls import path

from guests.models import Guest
from guests.tasks import seat_guest


def guests(request):
    return JsonResponse(list(Guest.objects.order_by("id").values("name", "seat")), safe=False)


def invite(request, name):
    seat_guest.delay(name)
    return HttpResponse(status=202)


urlpatterns = [path("", guests), path("guests/<name>", invite)]
