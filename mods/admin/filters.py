"""The filters beside the list of installed mods."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mods.admin.cells import SIDES
from mods.models import STATES, GameServer, Hold, InstalledMod


class ServerFilter(admin.SimpleListFilter):
    title = gettext_lazy("server")
    parameter_name = "server"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in GameServer.objects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(server=int(value)) if value and value in dict(self.lookup_choices) else queryset


class TabsFilter(admin.SimpleListFilter):
    """A filter shown as a row of tabs with counts. `conditions`: what each tab shows."""

    template = "panel/tabs_filter.html"
    conditions: Mapping[str, Q]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.conditions.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)

    def get_facet_counts(self, pk_attname: str, filtered_qs: QuerySet[Any]) -> dict[str, Count]:
        """All in one pass over the rows; Django would look each of them up in one subquery a tab."""
        return {
            f"{number}__c": Count(pk_attname, filter=self.conditions[value])
            for number, (value, _label) in enumerate(self.lookup_choices)
        }

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        counts = self.get_facet_queryset(changelist)
        for number, choice in enumerate(super().choices(changelist)):
            count = counts[f"{number - 1}__c"] if number else None
            yield {**choice, "count": count, "display": choice["display"] if number else _("All")}


class StateFilter(TabsFilter):
    """What is the matter with a mod."""

    conditions = STATES
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("attention", gettext_lazy("Need attention")),
            ("outdated", gettext_lazy("Updates")),
            ("back", gettext_lazy("Go back")),
            ("newer", gettext_lazy("Newer, not recommended")),
            ("incompatible", gettext_lazy("Incompatible")),
            ("retracted", gettext_lazy("Retracted")),
            ("gone", gettext_lazy("Gone from the mod database")),
            ("problem", gettext_lazy("Problem")),
            ("disabled", gettext_lazy("Disabled")),
            ("absent", gettext_lazy("Not in the mod database")),
            ("failed", gettext_lazy("Check failed")),
        ]


class SideFilter(admin.SimpleListFilter):
    title = gettext_lazy("side")
    parameter_name = "side"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(key, word) for key, word in SIDES.items() if key]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InstalledMod]) -> QuerySet[InstalledMod]:
        value = self.value()
        return queryset.filter(side__iexact=value) if value else queryset


class HeldFilter(admin.SimpleListFilter):
    title = gettext_lazy("hold")
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("held")), ("no", gettext_lazy("not held"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InstalledMod]) -> QuerySet[InstalledMod]:
        held = Exists(Hold.objects.filter(server=OuterRef("server"), modid_key=OuterRef("modid_key")))
        match self.value():
            case "yes":
                return queryset.filter(held)
            case "no":
                return queryset.exclude(held)
        return queryset
