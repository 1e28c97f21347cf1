"""Back to what was before: a change reversed, or the set of a start put back.

One rule for both: removed files come back, added ones go, each under its name from before, enabled or disabled as it
was, and nothing else changes. What can't be so is named: in `left_alone`, in the step's notes, or as `unmet` if it
takes a decision. One exception is made on purpose: a second enabled file of a mod doesn't come back, since the game
loads only one of them and it is a problem wherever mods are listed.
"""

from collections.abc import Collection, Iterable, Sequence

from django.db.models import Q
from django.utils.translation import gettext as _

from mods import plans, versions
from mods.candidates import releases
from mods.drafts import Drafts, described
from mods.models import InstalledMod, KeptCopy, Operation, Release, ServerStart, Step
from mods.modset import Entry
from mods.plans import OldFile, PlannedStep, Unmet
from mods.puttingback import PuttingBack
from mods.resolving import Draft
from mods.wishes import Wish

_Action = Step.Action
_DISABLED = ".disabled"


class Restoring(Drafts):
    """Reverses a change, or puts the set of a start back."""

    # A change

    def _undo(self, wish: Wish) -> None:
        operation = Operation.objects.filter(pk=wish.operation or 0, server=self.world.server).first()
        if operation is None:
            self.left_alone.append(_("That change is no longer recorded."))
            return
        self.resolver.is_exact = self.resolver.names_lacks = True
        carried_out = operation.steps.carried_out().order_by("-position")
        steps = [plans.step_from_json(one.planned) for one in carried_out]
        sources = self._sources(step.old for step in steps if step.old and not step.rename_to)
        results = {id(step): self._result_of(step) for step in steps}
        spare = self._spare(steps, results)
        by_group: dict[int, Draft] = {}
        for step in steps:
            if step.action == _Action.REMOVE and step.old and self._is_there(step.old, results.values()):
                self.left_alone.append(_("%s is there again already.") % step.name)
                continue
            if id(step) in spare:
                self._say_spare(step.old or OldFile("", "", "", 0))
                continue
            draft = self._reverse(step, results[id(step)], sources)
            if draft is not None:
                first = by_group.setdefault(step.group, draft)
                if first is not draft:
                    first.partners.append(draft)

    def _reverse(self, step: PlannedStep, row: InstalledMod | None, sources: "_Sources") -> Draft | None:
        old = step.old
        if row is None and step.action != _Action.REMOVE:
            self.left_alone.append(_("%s was changed since, and stays as it is.") % step.name)
            return None
        why = _("It was changed by what is rolled back.")
        match step.action:
            case _Action.INSTALL if row:
                return self._remove(row, why)
            case _Action.ENABLE | _Action.DISABLE if row and old:
                draft = self._toggle(row, enable=step.action == _Action.DISABLE, why=why)
                if draft is not None:
                    draft.file_name = old.file_name
                return draft
        if old is None:
            return None
        draft = self._bring_back(old, row, sources, why)
        other = self.world.active(old.modid.lower()) if draft is not None and old.enabled and old.modid else None
        if draft is not None and other is not None and other is not row:
            draft.notes.append(_("%s is enabled as well; the game loads only the highest version.") % described(other))
        return draft

    def _is_there(self, old: OldFile, changing: Collection[InstalledMod | None]) -> bool:
        """Whether it is in its place. `changing`: what the roll-back itself replaces or takes away."""
        file = (old.folder, old.file_name, old.sha256)
        return any((row.folder, row.file_name, row.sha256) == file for row in self.world.rows if row not in changing)

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

    def _spare(self, steps: Sequence[PlannedStep], results: dict[int, InstalledMod | None]) -> set[int]:
        """Of the steps whose reverse would add an enabled file beside another one of the same mod: their ids."""
        touched = {row.pk for row in results.values() if row is not None}
        there = {row.modid_key for row in self.world.rows if row.enabled and row.pk not in touched}
        adding: dict[str, list[PlannedStep]] = {}
        for step in steps:
            row = results[id(step)]
            key = step.old.modid.lower() if step.old else ""
            if step.old is None or not step.old.enabled or not key or (row is None and step.action != _Action.REMOVE):
                continue
            if row is not None and row.enabled:
                there.add(key)
            else:
                adding.setdefault(key, []).append(step)
        return {
            id(step)
            for key, found in adding.items()
            for step in sorted(found, key=lambda one: versions.sort_key(one.from_version), reverse=True)[
                0 if key in there else 1 :
            ]
        }

    def _say_spare(self, old: OldFile) -> None:
        text = _(
            "%(mod)s %(version)s (%(file)s) doesn't come back: another file of this mod is enabled, and the game loads "
            "only one of them."
        )
        words = {"mod": old.name or old.modid, "version": old.version, "file": old.file_name}
        self.left_alone.append(text % words)

    # The set of a start

    def _put_back_set(self, wish: Wish) -> None:
        starts = ServerStart.objects.filter(server=self.world.server, mods__isnull=False)
        start = starts.filter(pk=wish.start or 0).first()
        if start is None:
            self.left_alone.append(_("The mods of that start are no longer recorded."))
            return
        back = PuttingBack(self.world, start)
        self.resolver.is_exact = True
        self.left_alone += back.left_alone()
        differing = back.differing()
        if differing:
            self.warnings += back.warnings()
        files = {id(one): self._as_it_was(one.then) for one in differing if one.then}
        sources = self._sources(files[id(one)] for one in differing if one.then and not one.is_file_the_same)
        for one in differing:
            if one.then is None or back.is_spare(one.then):
                if one.then is not None:
                    self._say_spare(files[id(one)])
                if one.row is not None and not one.is_file_the_same:
                    self._remove(one.row, _("It wasn't there at %s.") % back.when)
            elif one.is_file_the_same and one.row is not None:
                if one.row.enabled != one.then.enabled:
                    self._toggle(one.row, enable=one.then.enabled, why=_("So it was at %s.") % back.when)
            else:
                self._bring_back(files[id(one)], one.row, sources, _("It ran at %s.") % back.when)

    def _as_it_was(self, then: Entry) -> OldFile:
        """What was disabled by serverconfig.json alone is so by its name, unless serverconfig.json still says it."""
        name = then.file_name
        switched_off = {str(entry).lower() for entry in self.world.server.disabled_mods}
        key = then.modid.lower()
        is_off = not switched_off.isdisjoint({key, f"{key}@{then.version.lower()}"})
        if not (then.enabled or name.endswith(_DISABLED) or is_off):
            name += _DISABLED
        return OldFile("", name, then.sha256, 0, then.modid, then.version, then.name, enabled=then.enabled)

    # Both

    def _sources(self, files: Iterable[OldFile]) -> "_Sources":
        """Where they can be had; what was never read of it is read."""
        sources = _Sources(files)
        found = sources.releases()
        self._learn(found)
        wanted = [one for one in found if not one.retracted or self._is_agreed(plans.RETRACTED, one.modid, one.version)]
        sources.troubles = self.candidates.read(wanted)
        return sources

    def _bring_back(self, then: OldFile, row: InstalledMod | None, sources: "_Sources", why: str) -> Draft | None:
        """The very file, in the place of `row` if there is one."""
        key = then.modid.lower()
        release, kept = sources.of(then) if then.sha256 else (None, None)
        words = {"mod": f"{then.name or then.modid or then.file_name} {then.version}".strip()}
        trouble = sources.troubles.get(release.pk) if release is not None else None
        if trouble is not None:
            self._lack(key, _("%(mod)s can't be had: %(why)s") % {**words, "why": trouble})
            return None
        if release is None and kept is None:
            text = _("%(mod)s is no longer available: neither the mod database nor a kept copy has it.")
            self._lack(key, text % words)
            return None
        action = _Action.INSTALL if row is None else _Action.REPLACE
        draft = Draft(action, key, why, row, release, kept, file_name=then.file_name, enabled=then.enabled)
        places = {entry["path"] for entry in self.world.server.mod_folders}
        if then.folder in places:
            draft.folder = then.folder
        elif then.folder:
            draft.notes.append(_("The server doesn't look for mods in %s any more, where it was.") % then.folder)
        added = self._add(self._with_needs(draft))
        if added is not None and release is not None and release.sha256 not in {"", then.sha256}:
            text = _(
                "The very file of %(mod)s that was there is no longer available: the mod database has another one "
                "(SHA-256) of that version, which would take its place."
            )
            self._lack(key, text % words)
        hold = self.world.holds.get(row.modid_key) if added is not None and row is not None else None
        if hold is not None and not versions.same(hold.version, then.version):
            self._lack(key, _("%s is held. Let it go first.") % row, kind="held")
        return added

    def _lack(self, key: str, text: str, *, kind: str = "missing") -> None:
        self.resolver.unmet.append(Unmet(kind, key, text))


class _Sources:
    """Where files that were replaced can be had from again; two queries."""

    def __init__(self, files: Iterable[OldFile]) -> None:
        wanted = list(files)
        self._wanted = wanted
        #: By a release's primary key, why its file isn't available.
        self.troubles: dict[int, str] = {}
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

    def releases(self) -> list[Release]:
        """Those that would be used."""
        found = (self.of(one)[0] for one in self._wanted if one.sha256)
        return list({one.pk: one for one in found if one is not None}.values())
