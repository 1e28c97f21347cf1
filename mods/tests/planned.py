"""A server and a loopback mod database in which plans are made: few lines say what is installed and what exists."""

import hashlib
from typing import Any

from conftest import ServerDir
from demo.moddb import DemoRelease, ModDatabase
from mods import inventory, planning, plans, refresh, wishes
from mods.models import GameServer, InstalledMod, Lookup, Operation, Release
from mods.plans import Plan, PlannedStep
from mods.wishes import Target, Wish


class Stage:
    """One server of game version 1.21.5, its folder, and the mod database."""

    def __init__(self, folder: ServerDir, database: ModDatabase) -> None:
        self.folder = folder
        self.database = database
        self.server = GameServer.objects.create(name="Public", data_dir=str(folder.path))
        self._mods: dict[str, Any] = {}
        self._releases: list[DemoRelease] = []

    def release(self, modid: str, version: str, *, needs: dict[str, str] | None = None, **options: Any) -> DemoRelease:
        """A release in the mod database, of 1.21.5 unless `game_versions` says otherwise. `mod`: options of the mod."""
        mod = self._mods.get(modid) or self.database.add_mod(
            name=modid.title(), modids=[modid], **options.pop("mod", {})
        )
        self._mods[modid] = mod
        options.pop("mod", None)
        options = {"game_versions": ["1.21.5"], "changelog": f"<p>News of {version}</p>", **options}
        made = self.database.add_release(mod, modid, version, dependencies=needs, **options)
        self._releases.append(made)
        return made

    def put(self, release: DemoRelease, file_name: str = "") -> str:
        """That release's file among the server's mods."""
        name = file_name or release.file_name
        (self.folder.mods / name).write_bytes(release.content)
        return name

    def ready(self, *, read: bool = True) -> "Stage":
        """Scan and refresh; with `read`, all files count as read before, so that nothing is downloaded to plan."""
        inventory.scan(self.server)
        refresh.refresh()
        self.server.refresh_from_db()
        if read:
            refresh.look_up([Lookup.objects.get_or_create(key=key, defaults={"modid": key})[0] for key in self._mods])
            for made in self._releases:
                Release.objects.filter(release_id=made.release_id).update(
                    read_file_id=made.file_id, sha256=hashlib.sha256(made.content).hexdigest(), size=len(made.content),
                    dependencies=dict(made.dependencies),
                    file_side=str(made.modinfo["side"]).lower(),
                )  # fmt: skip
        return self

    def plan(self, kind: str, *targets: str | Target, **options: Any) -> Plan:
        """The plan of a wish; targets are modids, `modid@version` or whole Targets."""
        operation = self.ask(kind, *targets, **options)
        planning.make(operation)
        assert operation.plan is not None, operation.message
        return plans.plan_from_json(operation.plan)

    def ask(self, kind: str, *targets: str | Target, **options: Any) -> Operation:
        wanted = tuple(one if isinstance(one, Target) else wishes.read_target(one) for one in targets)
        wish = Wish(kind, wanted, **options)
        return Operation.objects.create(server=self.server, kind=kind, title=kind, wish=wishes.to_json(wish))

    def row(self, modid: str) -> InstalledMod:
        return InstalledMod.objects.get(server=self.server, modid_key=modid)


def said(plan: Plan) -> list[str]:
    """The steps in short: "replace lib 1.0.0 -> 1.2.0"."""
    return [_short(step) for step in plan.steps]


def _short(step: PlannedStep) -> str:
    match step.action:
        case "install":
            return f"install {step.modid} {step.to_version}"
        case "replace":
            return f"replace {step.modid} {step.from_version} -> {step.to_version}"
        case _:
            return f"{step.action} {step.modid} {step.from_version}"


def lacks(plan: Plan) -> list[tuple[str, str]]:
    return [(one.kind, one.modid) for one in plan.unmet]
