from django.http import JsonResponse
from django.urls import path

from guests.models import Guest


def guests(request):
    return JsonResponse(list(Guest.objects.order_by("id").values("name", "seat")), safe=False)


urlpatterns = [path("", guests)]
