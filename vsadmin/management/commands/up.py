"""`up`: everything that must be there, then the web server and the background worker."""

import os
import sys
from collections.abc import Callable
from socket import socket
from typing import Any

from django.conf import settings
from django.core.checks import run_checks
from django.core.management.base import BaseCommand
from django.db import connection
from django.utils.translation import gettext as _

from mods import discovery, inventory, serverdir
from mods.models import GameServer
from vsadmin import address, checks, firstrun, running, supervisor
from vsadmin.lib import owner

#: Exit code after Ctrl-C while things are being prepared, as shells know it.
_INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Prepares what is missing (database, static files, administrator), then runs the web server and the background "
        "worker until Ctrl-C or SIGTERM. Restarts the worker at most three times in ten minutes."
    )
    # Our own, which are quick, run here; the others in the web server and the worker, which load what they look at.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        try:
            code = self._run()
        except firstrun.CannotStart as problem:
            self.stderr.write(_("vsadmin can't start: %s") % problem)
            code = 1
        except running.NotNow as problem:
            self.stderr.write(str(problem))
            code = 1
        except KeyboardInterrupt:
            code = _INTERRUPTED
        if code:
            sys.exit(code)

    def _run(self) -> int:
        self._check()
        with running.running(), address.bind(settings.HOST.get(), settings.PORT.get()) as listening:
            firstrun.free_full_disk(self._say)
            with firstrun.alone():
                firstrun.prepare_database(self._say)
                if firstrun.collect_static():
                    self._say(_("Brought the pages' static files together."))
                self._administrator()
                self._first_server()
            listening.listen(2048)
            return self._supervise(listening)

    def _check(self) -> None:
        found = run_checks(tags=[checks.TAG])
        if errors := checks.errors_among(found):
            raise firstrun.CannotStart(_("its settings need a correction.") + f"\n{checks.explain(errors)}")
        if trouble := owner.foreign_within(settings.VSADMIN_DATA_DIR):
            raise firstrun.CannotStart(trouble.text, _("Make all of it yours: %s") % trouble.command)
        if warnings := checks.warnings_among(found):
            self._say(checks.explain(warnings))

    def _administrator(self) -> None:
        try:
            made = firstrun.ensure_administrator()
        except firstrun.CannotStart as problem:  # the panel is of use without one
            self._say(str(problem))
            return
        if made is None:
            return
        self._say(_("Made the first administrator:"))
        self._say(_("  user:     %s") % made.name)
        if made.password:
            self._say(_("  password: %s   (shown this once; change it in the panel)") % made.password)
        if made.weakness:
            self._say(_("  The given password is weak: %s") % made.weakness)

    def _first_server(self) -> None:
        try:
            inventory.ensure_first_server()
        except serverdir.Unusable:
            pass  # the checks have told of it
        except OSError as error:
            self._say(str(error))

    def _supervise(self, listening: socket) -> int:
        host, port = address.reachable(listening)
        welcome = self._welcome(host, port, firstrun.administrator_name())
        is_new = not GameServer.objects.exists()
        # From here on no wait for the database may keep this process from ending what it started.
        connection.close()
        return supervisor.Supervisor(
            supervisor.Child(web_server(listening), cwd=settings.BASE_DIR, pass_fds=[listening.fileno()]),
            supervisor.Child(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster", "--no-warnings", "--of-up"]
            ),
            record=supervisor.DatabaseRecord(),
            say=self._say,
            first_answer=address.FirstAnswer((host, port), host_header(), welcome),
        ).run(meanwhile=self._found_folders if is_new else None)

    def _found_folders(self) -> None:
        """With no server known: where some may be."""
        found = discovery.find()
        if not found:
            self._say(_("No server is known yet, and none was found in the usual places."))
        else:
            self._say(_("No server is known yet. Data folders found on this machine:"))
        for folder in found:
            self._say(f"  {folder}")
        self._say(
            _("Add one in the panel (Servers, Add), or set VS_SERVER_DATA_DIR in %s and start again.")
            % (settings.BASE_DIR / ".env")
        )

    def _welcome(self, host: str, port: int, administrator: str) -> Callable[[], None]:
        def tell() -> None:
            self._say("")
            self._say(_("vsadmin is running: %s") % f"http://{address.in_url(host, port)}/")
            self._say(_("From another computer: %s") % address.tunnel(host, port))
            self._say(_("  then open %s there.") % f"http://localhost:{port}/")
            self._say(_("Forgot the password? %s") % f"./run.sh manage changepassword {administrator}")
            self._say(_("Ctrl-C stops it."))

        return tell

    def _say(self, text: str) -> None:
        """A line for the person at the terminal; where nobody reads any more, the work goes on."""
        try:
            self.stdout.write(text)
            self.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def web_server(listening: socket) -> list[str]:
    """The command line of the web server, to be run where manage.py is."""
    return [sys.executable, "-m", "vsadmin.webserver", str(listening.fileno())]


def host_header() -> str:
    """A name by which the panel lets itself be called."""
    names = [name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"]
    return names[0] if names else "localhost"
