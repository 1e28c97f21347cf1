"""What the web server runs. Refuses to start with settings that `manage.py check` would refuse."""

import os
import sys

import django
from django.core.checks import run_checks
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application


def _checked_application() -> WSGIHandler:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vsadmin.settings")
    django.setup(set_prefix=False)
    from vsadmin import checks

    if errors := checks.errors_among(run_checks()):
        sys.stderr.write(f"vsadmin can't start:\n{checks.explain(errors)}\n")
        sys.stderr.flush()
        raise SystemExit(1)
    return get_wsgi_application()


application = _checked_application()
