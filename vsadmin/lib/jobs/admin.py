"""The list of job runs, and a page of each."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from vsadmin.lib import times
from vsadmin.lib.jobs.models import JobRun
from vsadmin.lib.jobs.runner import registry
from vsadmin.lib.modeladmin import ReadOnlyAdmin, tag

TONES = {"queued": "calm", "running": "info", "done": "good", "failed": "bad"}


class JobFilter(admin.SimpleListFilter):
    title = _("job")
    parameter_name = "job"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, job.title) for name, job in registry.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[JobRun]) -> QuerySet[JobRun]:
        return queryset.filter(job=self.value()) if self.value() else queryset


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin[JobRun]):
    """What ran in the background: who asked, how it ended."""

    page_template = "admin/jobs/jobrun/page.html"
    list_display = ("shown_job", "shown_state", "message", "shown_by", "when", "took")
    list_filter = (JobFilter, "state")
    list_select_related = ("asked_by",)

    def page_context(self, request: HttpRequest, obj: JobRun) -> dict[str, Any]:
        title = registry[obj.job].title if obj.job in registry else obj.job
        return {"title": title, "tone": TONES.get(obj.state, "calm"), "took": took(obj)}

    @admin.display(description=_("job"), ordering="job")
    def shown_job(self, run: JobRun) -> str:
        return str(registry[run.job].title) if run.job in registry else run.job

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, run: JobRun) -> SafeString:
        return tag(TONES.get(run.state, "calm"), run.get_state_display())

    @admin.display(description=_("asked for by"), ordering="asked_by__username")
    def shown_by(self, run: JobRun) -> str:
        return run.asked_by.get_username() if run.asked_by else str(_("schedule"))

    @admin.display(description=_("when"), ordering="queued_at")
    def when(self, run: JobRun) -> SafeString | str:
        return times.ago(run.queued_at)

    @admin.display(description=_("took"))
    def took(self, run: JobRun) -> str:
        return took(run)


def took(run: JobRun) -> str:
    return times.span(run.ended_at - run.started_at) if run.started_at and run.ended_at else ""
