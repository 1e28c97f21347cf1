from mods.management.answering import EXIT_CODES
from mods.management.changing import POLICY, ModsCommand
from mods.models import Operation


class Command(ModsCommand):
    kind = Operation.Kind.DISABLE
    help = (
        "Keeps the server from loading mods, by adding .disabled to their files' names, and says which others need "
        f"them. {POLICY}{EXIT_CODES}"
    )
