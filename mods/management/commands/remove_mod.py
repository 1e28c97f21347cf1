from mods.management.answering import EXIT_CODES
from mods.management.changing import POLICY, ModsCommand
from mods.models import Operation


class Command(ModsCommand):
    kind = Operation.Kind.REMOVE
    help = (
        "Removes mods from a server, and says which others need them. Files that can't be fetched again are kept "
        f"as copies. {POLICY}{EXIT_CODES}"
    )
