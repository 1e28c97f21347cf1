"""Django's settings. What a person may set is in README.md's table; a `.env` beside manage.py is read too.

Nothing here raises on a malformed value: `vsadmin.checks` says what is wrong before anything starts.
"""

import io
import logging
import os
import secrets
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import django_stubs_ext
import environ
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from vsadmin import __version__
from vsadmin.lib import conf, mail, owner

# Lets `ModelAdmin[GameServer]` and its like be written where the types want it.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

VSADMIN_VERSION = __version__

#: What `vsadmin.checks` reports of this file: (check id, text, hint).
SETTING_PROBLEMS: list[tuple[str, str, str]] = []

env = environ.Env()
if not os.environ.get("VSADMIN_IGNORE_DOTENV") and (BASE_DIR / ".env").exists():
    try:
        env.read_env(io.StringIO((BASE_DIR / ".env").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        SETTING_PROBLEMS.append(
            (
                "vsadmin.E006",
                f"The file .env beside manage.py can't be read: {error}.",
                "Save it as UTF-8 text, with one NAME=value a line, readable by the user running vsadmin.",
            )
        )


def _port(text: str) -> int:
    number = conf.whole_number(text)
    if not 0 < number < 65536:
        raise conf.Malformed("a port is between 1 and 65535.")
    return number


DATA_DIR = conf.declare(
    "VSADMIN_DATA_DIR", BASE_DIR / "data", conf.path, "Write the path of a folder that vsadmin may write to."
)
HOST = conf.declare("HOST", "127.0.0.1", str, "Write the address to listen on, such as 127.0.0.1 or 0.0.0.0.")
PORT = conf.declare("PORT", 8000, _port, "Write a free port, such as PORT=8000.")
ALLOW_HTTP = conf.declare("VSADMIN_ALLOW_HTTP", False, conf.switch, "Write on or off.")
SHOW_LOGOS = conf.declare("VSADMIN_SHOW_LOGOS", False, conf.switch, "Write on or off.")
WORKERS = conf.declare(
    "VSADMIN_WORKERS", 2, conf.whole_number, "Write how many background tasks may run at once, such as 2."
)
_DEBUG = conf.declare("DEBUG", False, conf.switch, "Write on or off; off for everyday use.")

VSADMIN_DATA_DIR: Path = DATA_DIR.get()
DEBUG = _DEBUG.get()


def _prepare_data_dir() -> None:
    try:
        VSADMIN_DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Before anything is written: what root leaves here, nobody else can read or change.
        is_command = Path(sys.argv[0]).name == "manage.py" and sys.argv[1:2] != ["up"]
        arguments = ["manage", *sys.argv[1:]] if is_command else []
        if trouble := owner.not_ours(VSADMIN_DATA_DIR, BASE_DIR / "run.sh", arguments):
            SETTING_PROBLEMS.append(("vsadmin.E009", trouble.text, f"Type: {trouble.command}"))
        elif not os.access(VSADMIN_DATA_DIR, os.W_OK | os.X_OK):
            raise PermissionError(13, "not writable")
    except OSError as error:
        SETTING_PROBLEMS.append(
            (
                "vsadmin.E002",
                f"The data folder {VSADMIN_DATA_DIR} can't be used: {error.strerror}.",
                f'Make it yours: sudo install -d -m 700 -o "$(id -un)" {VSADMIN_DATA_DIR} — '
                "or set VSADMIN_DATA_DIR to a folder that you may write to.",
            )
        )


def _secret_key() -> str:
    """The key from the environment, else the one in the data folder, made at the first start (mode 0600)."""
    if given := os.environ.get("SECRET_KEY", "").strip():
        return given
    if SETTING_PROBLEMS:
        return secrets.token_urlsafe(64)  # nothing starts with it
    path = VSADMIN_DATA_DIR / "secret_key"
    try:
        if not path.exists():
            draft = path.with_name(f".secret_key.{secrets.token_hex(8)}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(64))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)  # refuses where another process was first: its key is the one
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        if key := path.read_text().strip():
            return key
        raise OSError(0, "it is empty")
    except (OSError, ValueError) as error:
        SETTING_PROBLEMS.append(
            (
                "vsadmin.E003",
                f"The secret key in {path} can't be read or made: {error}.",
                "Make the data folder and the file in it readable and writable by the user running vsadmin, "
                "or delete the file: a new key is made, and everybody logs in again.",
            )
        )
        return secrets.token_urlsafe(64)


_prepare_data_dir()
SECRET_KEY = _secret_key()

# --- database -------------------------------------------------------------------------------------

_SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": str(VSADMIN_DATA_DIR / "vsadmin.sqlite3"),
}


def _database() -> dict[str, Any]:
    if not os.environ.get("DATABASE_URL", "").strip():
        return dict(_SQLITE)
    try:
        with warnings.catch_warnings(action="ignore"):  # said in our own words below
            found: dict[str, Any] = env.db_url("DATABASE_URL")
        engine = str(found.get("ENGINE", ""))
    except Exception as error:  # noqa: BLE001  # the parser raises whatever the text provokes
        found, engine = {}, f"({type(error).__name__})"
    if engine.endswith(("postgresql", "sqlite3")) and found.get("NAME", ":memory:") not in {"", ":memory:"}:
        return found
    SETTING_PROBLEMS.append(
        (
            "vsadmin.E004",
            "DATABASE_URL can't be used: it names neither a PostgreSQL nor an SQLite database.",
            "Write DATABASE_URL=postgres://user:password@host:5432/name, with special characters of the password "
            "percent-encoded, or leave it out for SQLite in the data folder.",
        )
    )
    return dict(_SQLITE)


_default = _database()
_default["CONN_MAX_AGE"] = 60
_default["CONN_HEALTH_CHECKS"] = True
if str(_default["ENGINE"]).endswith("sqlite3"):
    # WAL with IMMEDIATE transactions is what keeps web and worker from "database is locked"; synchronous=FULL keeps
    # the last commits at a power cut.
    _default["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000; "
        "PRAGMA temp_store=MEMORY;",
    }
else:
    _default["OPTIONS"] = {"connect_timeout": 10, **_default.get("OPTIONS", {})}
DATABASES = {"default": _default}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Shared by the processes of one machine; holds django-q2's own statistics only.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(VSADMIN_DATA_DIR / "tmp" / "cache"),
    }
}

# --- applications ---------------------------------------------------------------------------------

INSTALLED_APPS = [
    "vsadmin.apps.VsadminConfig",  # before django_q: its `qcluster` is the one that runs
    "vsadmin.apps.PanelConfig",
    "vsadmin.lib.jobs.apps.JobsConfig",
    "vsadmin.lib.stored.apps.StoredConfig",
    "mods.apps.ModsConfig",
    "cache.apps.CacheConfig",
    "events.apps.EventsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "heroicons",
    "django_q",
    "axes",
]

MIDDLEWARE = [
    "vsadmin.middleware.SecurityHeadersMiddleware",  # outermost: every answer carries them, static files included
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "vsadmin.cookies.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "vsadmin.badrequest.NulCharactersMiddleware",  # behind the one above, which lets in no form of a stranger's
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "vsadmin.urls"
WSGI_APPLICATION = "vsadmin.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _local_time_zone() -> str:
    """The machine's time zone by its name, UTC where that can't be told."""
    name = os.environ.get("TZ", "").lstrip(":")
    if not name:
        name = os.path.realpath("/etc/localtime").rpartition("/zoneinfo/")[2]
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return "UTC"
    return name


# --- language and time ----------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
USE_I18N = True
FORMAT_MODULE_PATH = "vsadmin.formats"
USE_TZ = True
TIME_ZONE = _local_time_zone()  # for what is shown; everything is stored in UTC

# --- static files ---------------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VSADMIN_DATA_DIR / "tmp" / "static"
STORAGES = {
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    }
}

# --- who may come in ------------------------------------------------------------------------------

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
for _origin in CSRF_TRUSTED_ORIGINS:
    if not _origin.startswith(("http://", "https://")):
        SETTING_PROBLEMS.append(
            (
                "vsadmin.E005",
                f"CSRF_TRUSTED_ORIGINS has {_origin!r}, which doesn't begin with http:// or https://.",
                "Write whole origins, such as CSRF_TRUSTED_ORIGINS=https://mods.example.com.",
            )
        )

for _host in ALLOWED_HOSTS:
    if "/" in _host or (":" in _host and not _host.startswith("[")):
        SETTING_PROBLEMS.append(
            (
                "vsadmin.E007",
                f"ALLOWED_HOSTS has {_host!r}, which isn't a bare host name.",
                "Write names without http:// and without a port, such as ALLOWED_HOSTS=mods.example.com,192.0.2.7.",
            )
        )

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # also if the address to go on to isn't of this panel
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]

# Cookies need TLS unless the panel listens on this machine alone or its owner allowed plain HTTP.
_local_only = HOST.get() in {"127.0.0.1", "::1", "localhost"} and not CSRF_TRUSTED_ORIGINS
_plain_http = ALLOW_HTTP.get() or DEBUG
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not (_local_only or _plain_http)
# Browsers send a host's cookies to all of its ports: without names of their own, two panels would log each other out.
_panel = salted_hmac("vsadmin.settings", str(PORT.get()), secret=SECRET_KEY).hexdigest()[:8]
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"sessionid_{_panel}", f"csrftoken_{_panel}"
MESSAGE_COOKIE_NAME = f"messages_{_panel}"
SESSION_ENGINE = "vsadmin.cookies"
MESSAGE_STORAGE = "vsadmin.cookies.MessageStorage"
SESSION_COOKIE_AGE = 14 * 24 * 3600
# Behind a reverse proxy with TLS nothing is said without it, except to monitoring on this machine.
_behind_tls = any(origin.startswith("https://") for origin in CSRF_TRUSTED_ORIGINS) and not _plain_http
SECURE_SSL_REDIRECT = _behind_tls
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$"]
# Browsers remember it for a month, of this one name: what else a domain has isn't the panel's to decide (W005, W021).
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if _behind_tls else 0
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# Browsers heed it on trustworthy origins only, and complain of it on each page elsewhere.
SECURE_CROSS_ORIGIN_OPENER_POLICY = None if ALLOW_HTTP.get() else "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CSRF_TRUSTED_ORIGINS else None
X_FRAME_OPTIONS = "DENY"
# The web server takes no more in one request, so neither form fields nor files need a limit or a file of their own.
DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # "select all" on a long list

# Five failed logins with a name from an address, and that pair waits. Trying meanwhile doesn't prolong it.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "vsadmin.login.address_of"
AXES_LOCKOUT_CALLABLE = "vsadmin.login.wait_page"
AXES_ENABLE_ADMIN = False  # its pages show what was typed into the form
AXES_DISABLE_ACCESS_LOG = True  # it is never pruned
AXES_VERBOSE = False

# --- e-mail ---------------------------------------------------------------------------------------


def _email() -> dict[str, Any]:
    """What EMAIL_URL says. Without it, or with one that can't be used, nothing is sent."""
    url = os.environ.get("EMAIL_URL", "").strip()
    try:
        return mail.settings_of(url) if url else mail.NONE_IS_SENT
    except conf.Malformed as error:
        SETTING_PROBLEMS.append(
            (
                "vsadmin.E008",
                f"EMAIL_URL can't be used: {error}",
                "Write EMAIL_URL=smtp+tls://user:password@mail.example.com:587 (smtp+ssl:// for TLS from the start, "
                "smtp:// for none), with special characters of the password percent-encoded, or leave it out: then no "
                "e-mail is sent.",
            )
        )
        return mail.NONE_IS_SENT


globals().update(_email())
EMAIL_TIMEOUT = 10  # seconds

# --- background tasks -----------------------------------------------------------------------------

Q_CLUSTER = {
    "name": "vsadmin",
    "label": "Background tasks",
    "orm": "default",
    "workers": max(1, min(WORKERS.get(), 16)),
    # A task's lock begins when it is fetched, not when it runs: one at a time, and no retry before it must have ended.
    "queue_limit": 1,
    "bulk": 1,
    "timeout": 3600,
    "retry": 3 * 3600 + 600,
    # A failing task is done, not tried for ever; a missed schedule runs once, not once for each time missed.
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "poll": 1,
    "guard_cycle": 1,
    "save_limit": 20,
    "save_limit_per": "func",
    "log_level": "WARNING",
}

# --- log ------------------------------------------------------------------------------------------

logging.captureWarnings(True)  # those of Python and of libraries are lines of the log too
# A reader of the log that goes away is no reason to print tracebacks about it.
logging.raiseExceptions = DEBUG
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "vsadmin.lib.logs.JsonLines",
            "fmt": "{message}{asctime}{levelname}{name}",
            "style": "{",
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            "datefmt": "%Y-%m-%dT%H:%M:%S%z",
        }
    },
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": sys.stderr if os.environ.get("VSADMIN_LOG_STREAM") == "stderr" else sys.stdout,
        }
    },
    "root": {"handlers": ["stdout"], "level": "WARNING"},
    "loggers": {
        "vsadmin.events": {"level": "INFO"},
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
        "waitress.queue": {"level": "ERROR"},  # it tells of each request that waits for a thread
        "axes": {"level": "ERROR"},  # `login_throttled` is the line that says it
        "django-q": {"handlers": ["stdout"], "level": "WARNING", "propagate": False},
    },
}
