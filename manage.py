#!/usr/bin/env python
"""Runs vsadmin's commands: `./run.sh manage help` lists them."""

import os
import sys

#: Commands whose standard output is the program's log; all others keep it free for their answer.
LOGGING_COMMANDS = {"up", "qcluster", "runserver"}
#: The check that says so; those commands are for anybody.
NOT_THE_OWNER = "vsadmin.E009"
CHANGES_NOTHING = {"help", "version", "service"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vsadmin.settings")
    if len(sys.argv) < 2 or sys.argv[1] not in LOGGING_COMMANDS:
        os.environ.setdefault("VSADMIN_LOG_STREAM", "stderr")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django isn't installed here. Start vsadmin with ./run.sh, which sets everything up.")
    from django.conf import settings
    from django.db import DatabaseError

    for number, text, remedy in settings.SETTING_PROBLEMS:
        if number == NOT_THE_OWNER and not CHANGES_NOTHING & set(sys.argv[1:2]):
            sys.exit(f"{text}\n{remedy}")
    try:
        execute_from_command_line(sys.argv)
    except DatabaseError as error:
        sys.exit(
            f"The database can't be used: {str(error).strip()}\n"
            "If vsadmin never ran here, start ./run.sh once: it sets the database up. Else see that it is running.\n"
            "If its disk is full, free some space, or start ./run.sh: files of the download cache give way then."
        )


if __name__ == "__main__":
    main()
