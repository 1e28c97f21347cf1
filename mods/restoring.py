"""Back to what was before: a change reversed, or the set of a start put back."""

from collections.abc import Iterable

from django.db.models import Q
from django.utils.translation import gettext as _

from mods import plans, versions
from mods.candidates import releases
from mods.drafts import Drafts
from mods.models import InstalledMod, KeptCopy, Operation, Release, ServerStart, Step
from mods.modset import Entry
from mods.plans import OldFile, PlannedStep, Unmet
from mods.puttingback import PuttingBack
from mods.resolving import Draft
from mods.wishes import Wish

_Action = Step.Action


class Restoring(Drafts):
    """Reverses a change, or puts the set of a start back."""

    # Undo

    def _undo(self, wish: Wish) -> None:
        operation = Operation.objects.filter(pk=wish.operation or 0, server=self.world.server).first()
        if operation is None:
            self.left_alone.append(_("That change is no longer recorded."))
            return
        steps = [plans.step_from_json(one.planned) for one in operation.steps.carried_out().order_by("-position")]
        sources = _Sources([step.old for step in steps if step.old and not step.rename_to])
        by_group: dict[int, Draft] = {}
        for step in steps:
            draft = self._reverse(step, sources)
            if draft is not None:
                first = by_group.setdefault(step.group, draft)
                if first is not draft:
                    first.partners.append(draft)

    def _reverse(self, step: PlannedStep, sources: "_Sources") -> Draft | None:
        row = self._result_of(step)
        if row is None and step.action != _Action.REMOVE:
            self.left_alone.append(_("%s was changed since, and stays as it is.") % step.name)
            return None
        why = _("It was changed by what is rolled back.")
        match step.action:
            case _Action.INSTALL if row:
                return self._remove(row, why)
            case _Action.ENABLE | _Action.DISABLE if row and step.old:
                draft = self._toggle(row, enable=step.action == _Action.DISABLE, why=why)
                if draft is not None:
                    draft.file_name = step.old.file_name
                return draft
        old = step.old
        if old is None:
            return None
        if row is None and self.world.of(old.modid.lower()) and old.modid:
            self.left_alone.append(_("%s is there again already.") % step.name)
            return None
        release, kept = sources.of(old)
        draft = self._put_back(row, old.modid.lower(), release, kept, why, old.version, old.file_name)
        if draft is not None:
            draft.enabled = old.enabled
        return draft

    def _result_of(self, step: PlannedStep) -> InstalledMod | None:
        """The file that the step left behind, if it is still the same."""
        if step.rename_to and step.old:
            folder, name, sha256 = step.old.folder, step.rename_to, step.old.sha256
        elif step.new:
            folder, name, sha256 = step.new.folder, step.new.file_name, step.new.sha256
        else:
            return None
        return next(
            (r for r in self.world.rows if (r.folder, r.file_name) == (folder, name) and r.sha256 == sha256), None
        )

    # The set of a start

    def _put_back_set(self, wish: Wish) -> None:
        """The very files that the server had at a start, and nothing else."""
        starts = ServerStart.objects.filter(server=self.world.server, mods__isnull=False)
        start = starts.filter(pk=wish.start or 0).first()
        if start is None:
            self.left_alone.append(_("The mods of that start are no longer recorded."))
            return
        back = PuttingBack(self.world, start)
        self.resolver.is_exact = True
        self.warnings += back.warnings()
        self.left_alone += back.left_alone()
        differing = back.differing()
        wanted = {id(one): _old_file(one.then) for one in differing if one.then and not one.is_file_the_same}
        sources = _Sources(wanted.values())
        found = {number: sources.of(old) if old.sha256 else (None, None) for number, old in wanted.items()}
        unread = [release for release, kept in found.values() if release is not None and kept is None]
        troubles = self.candidates.read(unread)
        for one in differing:
            if one.then is None:
                if one.row is not None:
                    self._remove(one.row, _("It wasn't there at %s.") % back.when)
            elif one.is_file_the_same and one.row is not None:
                if one.row.enabled != one.then.enabled:
                    why = _("So it was at %s.") % back.when
                    self._toggle(one.row, enable=one.then.enabled, why=why)
            else:
                release, kept = found[id(one)]
                if release is not None and (release.pk in troubles or self._is_other(one.then, release)):
                    self._say_other(one.then, release, troubles.get(release.pk, ""))
                    if release.pk in troubles:
                        continue
                self._put_file_back(one.then, one.row, release, kept, _("It ran at %s.") % back.when)

    @staticmethod
    def _is_other(then: Entry, release: Release) -> bool:
        return bool(release.sha256) and release.sha256 != then.sha256

    def _say_other(self, then: Entry, release: Release, trouble: str) -> None:
        words = {"mod": f"{then.name or then.modid} {then.version}".strip(), "why": trouble}
        if trouble:
            text = _("%(mod)s can't be had: %(why)s")
        else:
            text = _(
                "The very file of %(mod)s that ran can't be had any more: the mod database has another one (SHA-256) "
                "of that version, which would take its place."
            )
        self.resolver.unmet.append(Unmet("missing", then.modid.lower(), text % words))

    def _put_file_back(
        self, then: Entry, row: InstalledMod | None, release: Release | None, kept: KeptCopy | None, why: str
    ) -> None:
        key = then.modid.lower()
        if row is not None and row.enabled and not row.disabled_by_config and not then.enabled and (release or kept):
            # A file that takes the place of an enabled one is enabled as well; so one goes, the other comes.
            draft = self._put_back(None, key, release, kept, why, then.version, then.file_name)
            gone = self._add(Draft(_Action.REMOVE, key, why, row=row))
            if draft is not None and gone is not None:
                draft.partners.append(gone)
        elif row is not None and (release or kept):
            replacing = Draft(_Action.REPLACE, key, why, row, release, kept, file_name=then.file_name)
            replacing.enabled = then.enabled
            draft = self._add(self._with_needs(replacing))
        else:
            draft = self._put_back(None, key, release, kept, why, then.version or then.file_name, then.file_name)
        if draft is not None:
            draft.enabled = then.enabled


class _Sources:
    """Where files that were replaced can be had from again; two queries."""

    def __init__(self, files: Iterable[OldFile]) -> None:
        wanted = list(files)
        digests = {one.sha256 for one in wanted if one.sha256}
        self._kept = {one.sha256: one for one in KeptCopy.objects.filter(sha256__in=digests).order_by("kept_at")}
        keys = {one.modid.lower() for one in wanted if one.modid}
        found = releases().filter(Q(sha256__in=digests) | Q(modid_key__in=keys), file_id__isnull=False)
        # What is gone from the list, as retracted ones are, the file host may still have.
        there = found.filter(Q(gone_since=None) | ~Q(file_url=""))
        self._releases = sorted(there, key=lambda one: one.withdrawn)

    def of(self, old: OldFile) -> tuple[Release | None, KeptCopy | None]:
        if kept := self._kept.get(old.sha256):
            return None, kept
        exact = next((one for one in self._releases if one.sha256 and one.sha256 == old.sha256), None)
        same = next(
            (r for r in self._releases if r.modid_key == old.modid.lower() and versions.same(r.version, old.version)),
            None,
        )
        return exact or same, None


def _old_file(then: Entry) -> OldFile:
    return OldFile("", then.file_name, then.sha256, 0, then.modid, then.version, then.name, enabled=then.enabled)
