"""Refreshes: what each one asked and what came of it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from mods.models import InstalledMod, RefreshRun
from vsadmin.lib import sizes, times
from vsadmin.lib.modeladmin import ReadOnlyAdmin, tag


@admin.register(RefreshRun)
class RefreshRunAdmin(ReadOnlyAdmin[RefreshRun]):
    """What each refresh asked and what came of it."""

    page_template = "admin/mods/refreshrun/page.html"
    list_display = ("when", "shown_state", "asked", "changed", "unchanged", "failed", "requests", "shown_bytes", "took")

    def page_context(self, request: HttpRequest, obj: RefreshRun) -> dict[str, Any]:
        failures = obj.failures if isinstance(obj.failures, dict) else {}
        keys = [str(modid).lower() for modid in failures]
        installed = dict(InstalledMod.objects.filter(modid_key__in=keys[:500]).values_list("modid_key", "pk"))
        return {
            "failures": [(modid, why, installed.get(str(modid).lower())) for modid, why in sorted(failures.items())],
            "took": _took(obj),
            "tone": _run_tone(obj),
        }

    @admin.display(description=gettext_lazy("started"), ordering="started_at")
    def when(self, run: RefreshRun) -> SafeString | str:
        return times.ago(run.started_at)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def shown_state(self, run: RefreshRun) -> SafeString:
        return tag(_run_tone(run), run.get_state_display())

    @admin.display(description=gettext_lazy("received"), ordering="bytes")
    def shown_bytes(self, run: RefreshRun) -> str:
        return sizes.in_words(run.bytes)

    @admin.display(description=gettext_lazy("took"))
    def took(self, run: RefreshRun) -> str:
        return _took(run)


def _took(run: RefreshRun) -> str:
    return times.span(run.ended_at - run.started_at) if run.ended_at else ""


def _run_tone(run: RefreshRun) -> str:
    return {"completed": "warn" if run.failed else "good", "failed": "bad"}.get(run.state, "info")
