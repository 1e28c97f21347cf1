"""The filters of the Cache page's list."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from cache.models import CacheEntry, KnownDigest


class UseFilter(admin.SimpleListFilter):
    """When a file was last used."""

    title = gettext_lazy("last used")
    parameter_name = "used"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("week", gettext_lazy("In the last 7 days")),
            ("not30", gettext_lazy("Not for 30 days")),
            ("not90", gettext_lazy("Not for 90 days")),
            ("once", gettext_lazy("Once at most")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CacheEntry]) -> QuerySet[CacheEntry]:
        now = timezone.now()
        match self.value():
            case "week":
                return queryset.filter(last_accessed_at__gte=now - timedelta(days=7))
            case "not30":
                return queryset.filter(last_accessed_at__lt=now - timedelta(days=30))
            case "not90":
                return queryset.filter(last_accessed_at__lt=now - timedelta(days=90))
            case "once":
                return queryset.filter(times_used__lte=1)
        return queryset


class StateFilter(admin.SimpleListFilter):
    """What is special about a file."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("alarm", gettext_lazy("With an alarm")),
            ("unchecked", gettext_lazy("Adopted, not checked yet")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CacheEntry]) -> QuerySet[CacheEntry]:
        match self.value():
            case "alarm":
                return queryset.filter(key__in=KnownDigest.objects.alarmed().values("key"))
            case "unchecked":
                return queryset.filter(checked=False)
        return queryset
