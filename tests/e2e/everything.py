"""A panel with something of everything, with hostile texts wherever somebody else writes them.

What is on disk is scanned, and what the mod database says is fetched, by the services that do it in earnest.
"""

from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.db.models import CharField, TextField
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from cache.models import CacheDay, CacheEntry, KnownDigest
from conftest import ServerDir, zip_of
from demo.moddb import ModDatabase
from mods import inventory, refresh, status, tasks
from mods.models import GameServer, Hold, InstalledMod, Mod, RefreshRun, ServerStart, Step
from mods.plans import Plan, PlannedStep, Unmet
from mods.tests.change_rows import make_change, make_kept, new, old, replace
from mods.tests.rows import install, install_many, make_server
from tests.role_matrix import World
from tests.role_matrix import _routes as routes
from vsadmin import schedules
from vsadmin.lib.jobs.models import JobRun
from vsadmin.lib.jobs.runner import run_now

LONG = "A Mod With AVeryVeryLongNameThatGoesOnAndOnWithoutABreak, Deluxe Ultimate Edition Remastered"
#: Breaks out of elements, attributes, templates and scripts, wherever one of them isn't escaped.
MARKUP = (
    "\"><img src=x onerror=alert(1)><evil-mark>' onfocus=alert(3) evil-attr='evil-{{ 7|add:7 }}"
    "<script>alert(2)</script>{% load no_such %}"
)
ODD = "\u202egnp.exe\x07\x1b[31m\r\n\u2028"
WORD = "W" * 90
EVIL = MARKUP + WORD + ODD
#: As it comes from outside: a NUL gets into no row, since PostgreSQL takes none.
RAW = EVIL + "\x00"
SCRIPT_LINK = "javascript:alert(4)"
#: A file system takes all but the slash, and 255 bytes.
FILE_NAME = MARKUP.replace("/", "\\") + "W" * 30 + ODD
#: Tables whose texts are ours, or come by a scan or a refresh: those are made hostile where they come from.
_TAKEN = {"mods.Mod", "mods.Release", "mods.InstalledMod", "mods.Lookup", "mods.CatalogueEntry", "jobs.Worker"}
#: How texts are called that people write, or that tell what others wrote.
_TEXTS = {
    "asked_by_name", "blamed", "dismissed_by_name", "doing", "error", "message", "name", "reason", "result",
    "server_name", "set_by_name", "summary", "text", "title", "unreachable_why", "why",
}  # fmt: skip

STEPS = (
    replace("alpha", "1.0.0", "1.2.0", group=1, why=EVIL, notes=("Released 2 days ago.", EVIL)),
    PlannedStep("install", 1, "Alpha 1.2.0 needs it.", None, new("lib" * 30, "1.4.2", at_hand=True)),
    replace("delta", "1.5.0", "1.4.0-rc.1", group=3, compatibility="incompatible"),
    PlannedStep("remove", 4, "You asked for it.", old("epsilon", "3.0.0", keep_because=EVIL)),
    PlannedStep("disable", 5, "You asked for it.", old(FILE_NAME), rename_to=f"{FILE_NAME}.disabled"),
)
PLAN = Plan(STEPS, left_alone=("Gamma 0.1.0 is held.", EVIL), warnings=("The world isn't rolled back.", EVIL))


class Everything(World):
    """See the module. Addresses come from the URL resolver, with `World`'s examples for what stands in them."""

    def __init__(self, folder: ServerDir, database: ModDatabase) -> None:
        super().__init__(folder.path)
        self.missing: list[str] = []
        _fill_database(database)
        self._fill_folder(folder)
        inventory.scan(self.server)
        refresh.refresh()
        run_now(tasks.CATALOGUE)
        self.mod = Mod.objects.get(lookups__key="alpha")
        self.other = self._other_server()
        self._add_changes()
        self._add_cached()
        self._add_runs()
        self._add_people()
        _make_hostile()
        status.update(InstalledMod.objects.all())

    def _fill_folder(self, folder: ServerDir) -> None:
        folder.configure(ModPaths=["Mods", f"/srv/{FILE_NAME}"], WorldConfig={"DisabledMods": ["oldruins@0.6.1", RAW]})
        says: dict[str, Any] = {
            "name": RAW,
            "description": RAW,
            "authors": [RAW],
            "contributors": [RAW],
            "website": SCRIPT_LINK,
        }
        (folder.mods / self.row.file_name).write_bytes(
            zip_of({"type": "code", "modid": "alpha", "version": "1.0.0", **says, "dependencies": {RAW: RAW}})
        )
        folder.add_zip(f"{FILE_NAME}.zip", modid="evil", side=RAW, type=RAW, version=RAW, **says)
        (folder.mods / f"broken{FILE_NAME}.zip").write_bytes(b"no zip at all")
        (folder.mods / f"{FILE_NAME}.cs").write_text(f'[assembly: ModInfo("{WORD}", "evilcs", Version = "1.0.0")]')
        folder.add_zip("gamma.zip", modid="gamma", version="0.1.0", dependencies={"missing": "1.0.0", "game": "1.21.0"})
        folder.add_zip("again.zip", modid="gamma", version="0.1.0")
        folder.add_zip("beta.zip.disabled", modid="beta", side="client")

    def _other_server(self) -> GameServer:
        """One that can't be reached, with enough mods for a second page, some with other versions."""
        now = timezone.now()
        server = make_server(
            "Testing with a rather long name",
            mod_folders=[{"path": "/tmp", "device": 1}],
            game_version="1.21.6",
            unreachable_since=now,
            unreachable_why="/srv/x can't be read: permission denied. Let it in:\nsudo setfacl -R -m u:x:rX '/srv/x'",
        )
        install(server, "alpha", "1.2.0", name=LONG, outdated=True)
        install(server, "delta", problems=["The same mod is here more than once."])
        install_many(server, 12)
        GameServer.objects.filter(pk=self.server.pk).update(
            notes=["ModPaths of serverconfig.json names /srv/gone, which can't be found.", EVIL],
            restart_note="sudo systemctl restart vintagestory@public\n(ask Mia before 22:00)",
        )
        ServerStart.objects.create(
            server=self.server,
            started_at=now - timedelta(hours=3),
            failures={"gamma": ["It needs lib 1.2.0, which isn't there.", MARKUP]},
            mods=[{"modid": "alpha", "version": "0.9.0", "enabled": True, "file_name": "a.zip", "name": MARKUP}],
        )
        Hold.objects.create(
            server=self.server, modid="gamma", modid_key="gamma", version="0.1.0", reason="It breaks", set_by_name="mia"
        )
        return server

    def _add_changes(self) -> None:
        """One in each state."""
        now = timezone.now()
        ran: dict[str, Any] = {"started_at": now - timedelta(seconds=12), "ended_at": now}
        wall = f"/srv/{'x' * 60}/Mods can't be written. Let it in:\nsudo setfacl -R -m u:x:rwX '/srv/{'x' * 60}/Mods'"
        self.failed = make_change(self.server, state="failed", plan=PLAN, message="1 of 5 failed.", **ran)
        Step.objects.filter(operation=self.failed, position__lt=2).update(state="failed", message="The disk is full.")
        self.changes = [
            self.failed,
            make_change(self.server, plan=PLAN),
            make_change(self.server, plan=Plan(STEPS, unmet=(Unmet("missing", "lib" * 20, EVIL),))),
            make_change(self.server, plan=Plan(STEPS, obstacles=(wall, EVIL))),
            make_change(self.server, "install", "planning", total=12, done=5, doing="fetching"),
            make_change(self.server, state="running", plan=PLAN, total=5, done=2, doing="Delta 1.4.0"),
            make_change(self.server, state="done", plan=PLAN, message="5 of 5 done.", **ran),
        ]
        make_kept(self.server, "alpha", "0.9.0", file_name=FILE_NAME, operation=self.failed)

    def _add_cached(self) -> None:
        """Four more files, an alarm, one that was adopted, figures of some days."""
        for number in range(4):
            CacheEntry.objects.create(
                key=f"sha256:{number}",
                title="Mod",
                file_name=f"{number}.zip",
                size=number * 1024**2,
                sha256=f"{number}" * 64,
                source=f"https://a-rather-long-host-name.example.com/{'x' * 200}" if number else "",
                checked=bool(number),
                last_accessed_at=timezone.now() - timedelta(days=9 * number),
            )
        KnownDigest.objects.create(
            key="moddb:3",
            sha256="a" * 64,
            refused_sha256="b" * 64,
            refused_at=timezone.now() - timedelta(hours=3),
            refusals=2,
        )
        today = timezone.now().date()
        CacheDay.objects.bulk_create(
            CacheDay(day=today - timedelta(days=ago), size_bytes=ago * 1024**2, hits=ago, misses=3)
            for ago in range(1, 25, 3)
        )

    def _add_runs(self) -> None:
        now = timezone.now()
        schedules.sync()
        RefreshRun.objects.filter(pk=self.refresh.pk).update(
            started_at=now - timedelta(seconds=8), ended_at=now, asked=9, failed=1, failures={"alpha": EVIL}
        )
        run: dict[str, Any] = {"message": "It broke off.", "started_at": now, "ended_at": now}
        JobRun.objects.filter(pk=self.run.pk).update(state="failed", **run)
        JobRun.objects.create(job="mod_cache_refresh", state="queued")

    def _add_people(self) -> None:
        """Their names are checked by a form; a row may come from elsewhere."""
        text = (MARKUP + WORD)[:140]
        User.objects.filter(pk=self.user.pk).update(username=text, first_name=text, last_name=text, email=text)
        Group.objects.filter(pk=self.group.pk).update(name=text)
        for about in (self.server, self.user, self.group, self.entry):
            LogEntry.objects.log_actions(self.user.pk, [about], CHANGE, MARKUP + WORD, single_object=True)

    def pages(self, part: int = 0, parts: int = 1) -> list[str]:
        """The addresses of all pages, or of one part: what a GET of a route shows as a whole page, and some in other
        states.

        `missing` gets the routes for which there is no example.
        """
        client = Client()
        client.force_login(User.objects.get(username="admin"))
        found = []
        for route in list(routes(get_resolver()))[part::parts]:
            try:
                address = self.url(route)
            except KeyError:
                self.missing.append(route)
                continue
            response = client.get(address)
            if not response.headers.get("Content-Type", "").startswith("text/html"):
                continue
            assert b"<evil-mark" not in response.content, address
            if response.status_code == 200 and b"<html" in response.content:
                found.append(address)
        return [*found, *self._in_other_states()[part::parts]]

    def _in_other_states(self) -> list[str]:
        mods, servers, operations = "/admin/mods/installedmod/", "/admin/mods/gameserver/", "/admin/mods/operation/"
        catalogue, cache = "/admin/mods/mod/", "/admin/cache/cacheentry/"
        tool, bare = Mod.objects.get(name="Map Tool"), Mod.objects.get(name="Mod 3")
        evil = InstalledMod.objects.get(file_name=f"{FILE_NAME}.zip")
        return [
            f"/admin/?run={self.run.pk}",
            f"{mods}?server={self.server.pk}&state=attention&side=universal",
            f"{mods}?q=nothing+fits",
            f"{mods}{evil.pk}/change/",
            f"{servers}{self.other.pk}/change/",
            f"{servers}compare/?left={self.server.pk}&right={self.other.pk}",
            *(f"{operations}{change.pk}/change/" for change in self.changes),
            f"{operations}install/?server={self.server.pk}&target=vintagestorymodinstall://alpha@1.2.0",
            f"{catalogue}?q=nothing+at+all&new=yes",
            f"{catalogue}?q=mod+1&sort=name",
            f"{catalogue}?q=evil",
            *(f"{catalogue}{mod.pk}/change/" for mod in (tool, bare)),
            *(f"{cache}{page}" for page in ("?q=nothing", "trim/?limit_mb=2", "what-would-go/?limit_mb=2")),
            f"{cache}what-would-go/?limit_mb=x",
        ]


def _fill_database(database: ModDatabase) -> None:
    """Thirty mods in the mod database, one of them hostile in all that it says."""
    evil = database.add_mod(
        name=RAW, modids=["alpha"], author=RAW, summary=RAW,
        text=f"<h2>About</h2><p>{RAW}</p><pre>{'x' * 300}</pre>",
        tags=[RAW, "QoL"], homepage_url=SCRIPT_LINK, source_url=f'https://example.com/"{MARKUP}', logo=SCRIPT_LINK,
    )  # fmt: skip
    for version, versions in (("1.0.0", ["1.20.4", "1.21.0"]), ("1.1.0-rc.1", ["1.21.5"]), ("1.2.0", ["1.21.5"])):
        changelog = f"<ul><li>{RAW}<a href='{SCRIPT_LINK}'>this</a> <a href='https://example.com'>that</a></li></ul>"
        release = database.add_release(
            evil, "alpha", version, game_versions=versions, changelog=changelog, file_name=f"{MARKUP}.zip"
        )
        if version == "1.0.0":
            database.retract(release, changelog)
    for number in range(28):
        mod = database.add_mod(
            name=f"Mod {number}", modids=[f"mod{number}"], author="Ann", tags=["QoL", "Storage"], downloads=number,
            summary="What it does, in a sentence that takes more than one line of a card to be said.",
        )  # fmt: skip
        database.add_release(mod, f"mod{number}", "1.0.0", game_versions=["1.21.5"])
    database.add_mod(name="Map Tool", type="externaltool", side=None)


def _make_hostile() -> None:
    """Every text in the tables that isn't empty."""
    for model in apps.get_models():
        if model._meta.app_label not in {"mods", "cache", "jobs", "events"} or model._meta.label in _TAKEN:
            continue
        for field in model._meta.concrete_fields:
            if field.name in _TEXTS and isinstance(field, CharField | TextField) and not field.choices:
                for row in model._default_manager.exclude(**{field.name: ""}):
                    text = f"{row.pk} {MARKUP}{WORD}"[: field.max_length]
                    model._default_manager.filter(pk=row.pk).update(**{field.name: text})
