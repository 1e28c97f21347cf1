from mods.management.answering import EXIT_CODES
from mods.management.changing import POLICY, ModsCommand
from mods.models import Operation


class Command(ModsCommand):
    kind = Operation.Kind.ENABLE
    help = (
        "Lets the server load disabled mods again, by taking .disabled off their files' names; what they need is "
        f"enabled or installed with them. {POLICY}{EXIT_CODES}"
    )
