"""The least that Django needs to migrate and to serve."""

import os
from urllib.parse import unquote, urlsplit

SECRET_KEY = "only an example"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["guests"]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.removeprefix("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname,
        "PORT": url.port,
    }
}
CELERY_BROKER_URL = os.environ["REDIS_URL"]
