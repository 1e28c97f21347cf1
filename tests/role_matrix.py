"""Every address of the panel, asked for by every role: what the stored matrix of `test_role_matrix.py` is made of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from cache.models import CacheEntry, KnownDigest
from events.kinds import Kind
from events.models import Event
from events.models import Target as Told
from mods.models import Crash, Hold, RefreshRun, ServerStart
from mods.plans import Plan
from mods.tests.change_rows import make_change, make_kept, replace
from mods.tests.rows import install, make_mod, make_release, make_server
from mods.wishes import Target
from vsadmin import roles
from vsadmin.lib.jobs.models import JobRun
from vsadmin.schedules import SCHEDULED

ANONYMOUS, SUPERUSER = "anonymous", "superuser"
ROLES = (ANONYMOUS, roles.VIEWER, roles.OPERATOR, roles.ADMINISTRATOR, SUPERUSER)
_PLACEHOLDER = re.compile(r"<(?:\w+:)?(\w+)>")
#: Tables whose rows every visit may write.
_OWN_BUSINESS = ("django_session", "axes_", "events_read")


@dataclass(frozen=True)
class Request:
    """One line of the matrix. `name` is the address as the project writes it, and what is done there besides."""

    method: str
    name: str
    url: str
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        return f"{self.method} {self.name}"


class World:
    """One row of everything that an address can name."""

    def __init__(self, folder: Path) -> None:
        self.server = make_server(data_dir=str(folder), mod_folders=[{"path": str(folder / "Mods"), "device": 1}])
        self.mod = make_mod("alpha")
        self.release = make_release(self.mod, "1.1.0")
        self.row = install(self.server, "alpha", outdated=True, recommended="1.1.0", recommended_release=self.release)
        plan = Plan(steps=(replace("alpha"),))
        self.change = make_change(self.server, plan=plan, targets=(Target(row=self.row.pk),))
        self.removal = make_change(self.server, "remove", plan=plan, targets=(Target(row=self.row.pk),))
        self.done = make_change(self.server, state="done", plan=plan)
        self.kept = make_kept(self.server, "alpha")
        Hold.objects.create(server=self.server, modid="alpha", modid_key="alpha", version="1.0.0")
        mods = [{"modid": "alpha", "version": "0.9.0", "file_name": "alpha.zip", "name": "Alpha", "sha256": "a" * 64}]
        moment = timezone.now()
        self.start = ServerStart.objects.create(
            server=self.server, started_at=moment - timedelta(days=2), good=True, mods=mods
        )
        self.crash = Crash.objects.create(server=self.server, happened_at=moment, blamed="alpha", blamed_key="alpha")
        self.refresh = RefreshRun.objects.create(state=RefreshRun.State.COMPLETED)
        self.run = JobRun.objects.create(job="mod_scan", state=JobRun.State.DONE)
        self.entry = CacheEntry.objects.create(key="moddb:1", title="Alpha", file_name="a.zip", size=1, sha256="a" * 64)
        self.alarm = KnownDigest.objects.create(
            key="moddb:2", sha256="a" * 64, refused_sha256="b" * 64, refused_at=timezone.now(), refusals=1
        )
        self.event = Event.objects.create(kind=Kind.GAME_VERSION, key="1.22.0", title="Game version 1.22.0 is out")
        self.told = Told.objects.create(name="Chat", form="discord", address="https://example.com/secret", kinds=[])
        self.group = Group.objects.create(name="Friends")
        self.user = User.objects.create_user("somebody", is_staff=True)
        self.root = User.objects.create_superuser("root")

    def value(self, route: str, name: str) -> str:
        """What stands for a placeholder of an address; a KeyError wants a new line here."""
        if name in {"name", "form"}:
            return {"name": "mod_scan", "form": "json"}[name]
        if name == "content_type_id":
            return "1"
        if "/r/" in route:
            return "1"
        if "alarms/" in route:
            return str(self.alarm.pk)
        if "jobs/run/" in route:
            return str(self.run.pk)
        if "/undo/" in route:
            return str(self.done.pk)
        found: dict[str, Any] = {
            "jobs/jobrun": self.run,
            "mods/mod": self.mod,
            "mods/installedmod": self.row,
            "mods/keptcopy": self.kept,
            "mods/operation": self.change,
            "mods/refreshrun": self.refresh,
            "mods/gameserver": self.server,
            "mods/serverstart": self.start,
            "mods/crash": self.crash,
            "cache/cacheentry": self.entry,
            "events/event": self.event,
            "events/target": self.told,
            "auth/group": self.group,
            "auth/user": self.user,
        }
        return str(found["/".join(route.split("/")[1:3])].pk)

    def requests(self) -> list[Request]:
        """A GET and a POST (with nothing in it) of every address, and what people do at some of them."""
        found = []
        for route in _routes(get_resolver()):
            url = self.url(route)
            found += [Request("GET", route, url), Request("POST", route, url)]
        return [*found, *self._deeds()]

    def url(self, route: str) -> str:
        text = re.sub(r"\^?\(\?P<app_label>.*?\)", "mods", route).replace("(?P<url>.*)", "no/such/page").rstrip("$")
        return "/" + _PLACEHOLDER.sub(lambda match: self.value(route, match[1]), text)

    def _deeds(self) -> Iterator[Request]:
        for job in SCHEDULED:
            yield Request("POST", f"start {job.name}", f"/admin/jobs/start/{job.name}/")
        ticked = {"index": "0", "_selected_action": str(self.row.pk), "confirmed": "yes"}
        for action in ("update", "enable", "disable", "hold", "unhold", "remove"):
            yield Request("POST", f"mods: {action}", "/admin/mods/installedmod/", {"action": action, **ticked})
        yield Request(
            "POST", "mods: roll back", f"/admin/mods/installedmod/{self.row.pk}/roll-back/", {"version": "0.9.0"}
        )
        yield Request("POST", "crashed: roll back", f"/admin/mods/crash/{self.crash.pk}/roll-back/", {"modid": "alpha"})
        place = {"server": str(self.server.pk)}
        yield Request("POST", "mods: install", "/admin/mods/operation/install/", {"target": "beta", **place})
        yield Request("POST", "catalogue: install", f"/admin/mods/mod/{self.mod.pk}/install/", place)
        ready = {"version": "1.22.0", **place}
        yield Request("POST", "get ready for a version", "/admin/mods/gameserver/readiness/", ready)
        lists = f"/admin/mods/gameserver/{self.server.pk}/lists/"
        yield Request("POST", "import a list", lists, {"text": "beta@1.0.0"})
        yield Request("POST", "import a list, removing others", lists, {"text": "beta@1.0.0", "remove_others": "on"})
        seen = {"planned": self.removal.planned_at.isoformat() if self.removal.planned_at else ""}
        yield Request("POST", "carry out a removal", f"/admin/mods/operation/{self.removal.pk}/confirm/", seen)
        yield Request("POST", "cancel a removal", f"/admin/mods/operation/{self.removal.pk}/cancel/")
        evict = {"action": "evict_selected", "index": "0", "_selected_action": str(self.entry.pk), "confirmed": "yes"}
        yield Request("POST", "cache: evict", "/admin/cache/cacheentry/", evict)
        dismiss = {"decision": "dismiss", "refused": "b" * 64}
        yield Request("POST", "cache: dismiss alarm", f"/admin/cache/cacheentry/alarms/{self.alarm.pk}/", dismiss)
        yield from self._deeds_with_people()
        server = {"name": "Renamed", "data_dir": self.server.data_dir, "game_version_by_hand": "", "restart_note": ""}
        yield Request("POST", "rename a server", f"/admin/mods/gameserver/{self.server.pk}/change/", server)
        yield Request("POST", "delete a server", f"/admin/mods/gameserver/{self.server.pk}/delete/", {"post": "yes"})

        target = {"name": "Mail", "form": "webhook", "address": "https://example.com/hook", "kinds": ["server_crashed"]}
        yield Request("POST", "add a target", "/admin/events/target/add/", target)
        yield Request("POST", "change a target", f"/admin/events/target/{self.told.pk}/change/", target)
        yield Request("POST", "delete a target", f"/admin/events/target/{self.told.pk}/delete/", {"post": "yes"})
        yield Request("POST", "change a setting", "/admin/system/settings/", {"VS_MOD_SOAK_DAYS": "5"})

    def _deeds_with_people(self) -> Iterator[Request]:
        words = {"usable_password": "true", "password1": "k4-long-and-odd", "password2": "k4-long-and-odd"}
        yield Request("POST", "add a user", "/admin/auth/user/add/", {"username": "new", **words})
        yield Request("POST", "rename a user", f"/admin/auth/user/{self.user.pk}/change/", {"username": "renamed"})
        yield Request("POST", "delete a user", f"/admin/auth/user/{self.user.pk}/delete/", {"post": "yes"})
        own = {"old_password": "of the matrix", "new_password1": "k4-long-and-odd", "new_password2": "k4-long-and-odd"}
        yield Request("POST", "change one's own password", "/admin/password_change/", own)
        root = f"/admin/auth/user/{self.root.pk}"
        yield Request("GET", "a superuser's page", f"{root}/change/")
        yield Request("POST", "rename a superuser", f"{root}/change/", {"username": "renamed"})
        yield Request("POST", "set a superuser's password", f"{root}/password/", words)
        yield Request("POST", "delete a superuser", f"{root}/delete/", {"post": "yes"})
        yield Request("POST", "rename a group", f"/admin/auth/group/{self.group.pk}/change/", {"name": "Family"})
        yield Request("POST", "delete a group", f"/admin/auth/group/{self.group.pk}/delete/", {"post": "yes"})


def _routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for one in resolver.url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLPattern):
            yield route
        else:
            yield from _routes(one, route)


def client_of(role: str) -> Client:
    client = Client(raise_request_exception=True)
    if role == ANONYMOUS:
        return client
    user = User.objects.create_user(f"the {role}", is_staff=True, is_superuser=role == SUPERUSER)
    user.set_password("of the matrix")
    user.save()
    if role != SUPERUSER:
        user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


def ask(client: Client, request: Request) -> str:
    """The answer's status, "login" where it leads there; + where something was written and the admin log tells of it,
    * where something was written and it doesn't. Nothing of it stays.
    """
    cookies = SimpleCookie({name: morsel.value for name, morsel in client.cookies.items()})
    written: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")) and not any(table in sql for table in _OWN_BUSINESS):
            written.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note), transaction.atomic():
        response: HttpResponse = getattr(client, request.method.lower())(request.url, request.body)
        transaction.set_rollback(True)
    client.cookies = cookies  # logging out is one of the addresses
    to_login = response.status_code == 302 and response.headers["Location"].startswith("/admin/login/")
    mark = ""
    if written:
        mark = "+" if any("django_admin_log" in sql for sql in written) else "*"
    return ("login" if to_login else str(response.status_code)) + mark
