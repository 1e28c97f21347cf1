from typing import Any

from django.core.management.base import BaseCommand

from vsadmin import schedules


class Command(BaseCommand):
    help = (
        "Brings the table of scheduled jobs in line with the settings: one row for each job with an interval, none for "
        "a job whose interval is 0. The worker does it at each start; running it again changes nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for name, interval in schedules.sync().items():
            state = f"every {interval} s" if interval else "off (its interval is 0)"
            self.stdout.write(f"{name}: {state}")
