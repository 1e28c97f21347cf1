import logging
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

_log = logging.getLogger(__name__)


class ModsConfig(AppConfig):
    name = "mods"
    verbose_name = _("Mods")

    def ready(self) -> None:
        post_migrate.connect(_judge_anew, sender=self)


def _judge_anew(plan: Any, using: str, **_more: Any) -> None:
    """What follows from stored answers is worked out again once our tables changed: the rules may have, too.

    `plan`: pairs of a migration and whether it was taken back; nothing is done before all of ours are there.
    """
    from mods import status
    from mods.models import InstalledMod

    ours = [backwards for migration, backwards in plan if migration.app_label == "mods"]
    if ours and not any(ours) and _has_all_columns(using):
        try:
            status.update(InstalledMod.objects.using(using), tell=False)
        except Exception:  # noqa: BLE001  # odd rows of a restored database must not keep vsadmin from starting
            _log.exception("judging anew after a migration")


def _has_all_columns(using: str) -> bool:
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections[using])
    wanted = [key for key in executor.loader.graph.leaf_nodes() if key[0] == "mods"]
    return not executor.migration_plan(wanted)
