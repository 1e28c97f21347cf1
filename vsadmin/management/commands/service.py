"""`service`: a systemd unit for this folder and user."""

import os
import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

_UNIT = """\
# vsadmin's service, made by ./run.sh service. Settings are read from {env_file}
[Unit]
Description=vsadmin, the mods of Vintage Story servers
After=network-online.target local-fs.target
Wants=network-online.target

[Service]
Type=exec
User={user}
WorkingDirectory={home}
ExecStart={run}
Restart=on-failure
RestartSec=10
# The panel and its worker stop within 10 seconds after a signal to their parent alone.
KillMode=mixed
TimeoutStopSec=20
TimeoutStartSec=infinity
UMask=0077
# Nothing here keeps vsadmin from the servers' folders.
NoNewPrivileges=yes
ProtectSystem=full
ReadWritePaths={writable}
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
PrivateDevices=yes
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

[Install]
WantedBy=multi-user.target
"""

#: Settings whose name doesn't tell that they are ours.
_OUR_NAMES = {
    "DATABASE_URL",
    "SECRET_KEY",
    "DEBUG",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "HOST",
    "PORT",
    "EMAIL_URL",
    "DEFAULT_FROM_EMAIL",
}


class Command(BaseCommand):
    help = "Prints a systemd unit for this folder and user on standard output; how to install it, on standard error."
    #: It changes nothing, and under sudo it is for whoever called.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(unit(settings.BASE_DIR, settings.VSADMIN_DATA_DIR, user_name()), ending="")
        self.stderr.write(how_to_install(), style_func=str)
        if missing := not_in_file(os.environ, settings.BASE_DIR / ".env"):
            self.stderr.write(
                _("The service won't have these settings of your environment; write them into %(file)s: %(names)s")
                % {"file": settings.BASE_DIR / ".env", "names": ", ".join(missing)}
            )


def how_to_install() -> str:
    return _(
        """\
To install it:
  ./run.sh                       once by hand: it shows the administrator's password; then Ctrl-C
  ./run.sh service | sudo tee /etc/systemd/system/vsadmin.service
  sudo systemctl daemon-reload
  sudo systemctl enable --now vsadmin
  journalctl -u vsadmin -f       shows its log"""
    )


def unit(home: Path, data_dir: Path, user: str) -> str:
    """The unit's text; paths are escaped as systemd wants them."""
    # "-": not there yet is no failure.
    writable = [home] if data_dir.is_relative_to(home) else [home, data_dir]
    return _UNIT.format(
        env_file=_one_line(str(home / ".env")),
        user=user,
        home=_one_line(str(home)).replace("%", "%%"),
        run=_quoted(str(home / "run.sh")),
        writable=" ".join(_quoted(f"-{path}") for path in writable),
    )


def user_name() -> str:
    """Who runs the service: this user; under sudo, whoever called it."""
    caller = os.environ.get("SUDO_USER", "")
    if os.getuid() == 0 and caller:
        return caller
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def not_in_file(environment: Mapping[str, str], file: Path) -> list[str]:
    """Names of our settings that the environment has and the file doesn't."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        text = ""
    written = set(re.findall(r"^(?:export )?([A-Za-z_0-9]+)=", text, re.MULTILINE))
    internal = {"VSADMIN_LOG_STREAM", "VSADMIN_IGNORE_DOTENV", "VSADMIN_BROWSER_TESTS"}
    ours = {name for name in environment if name in _OUR_NAMES or name.startswith(("VS_", "VSADMIN_"))}
    return sorted(ours - written - internal)


def _quoted(text: str) -> str:
    """A word of a systemd setting: quotes, backslashes and its `%` specifiers escaped."""
    escaped = _one_line(text).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _one_line(text: str) -> str:
    """A folder's name may hold line breaks; a line of a unit can't."""
    return " ".join(text.splitlines())
