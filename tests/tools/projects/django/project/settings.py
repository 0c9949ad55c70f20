import os
from urllib.parse import unquote, urlsplit

url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": url.hostname,
        "PORT": url.port,
        "USER": url.username,
        "PASSWORD": unquote(url.password),
        "NAME": url.path[1:],
    }
}
INSTALLED_APPS = ["guests"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
