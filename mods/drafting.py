"""From a wish to first drafts: which file is to be installed, replaced, removed, renamed. What it takes besides,
`resolving` finds out."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath

from django.db.models import Q
from django.utils.translation import gettext as _

from cache.store import FetchError
from mods import downloads, history, keeping, modinfo, plans, versions, withdrawals
from mods.candidates import Candidates, releases
from mods.judging import Do
from mods.models import (
    ClaimedModId,
    InstalledMod,
    KeptCopy,
    Lookup,
    Mod,
    NewerWhy,
    Operation,
    Release,
    ServerStart,
    Step,
)
from mods.modset import Entry
from mods.plans import OldFile, PlannedStep, Unmet
from mods.preparing import Preparation
from mods.puttingback import PuttingBack
from mods.resolving import Draft, Resolver, World, loaded
from mods.wishes import Target, Wish

_Action = Step.Action


class Drafter:
    """Fills a resolver with what a wish asks for. `left_alone` names what needs nothing or can't be done, and why."""

    def __init__(self, world: World, candidates: Candidates, resolver: Resolver) -> None:
        self.world = world
        self.candidates = candidates
        self.resolver = resolver
        self.left_alone: list[str] = []
        self.warnings: list[str] = []
        self.offers: list[plans.Offer] = []
        self._may_ask = True
        self._rows = {row.pk: row for row in world.rows}

    def draft(self, wish: Wish) -> None:
        self._wish = wish
        by_kind: dict[str, Callable[[Wish], None]] = {
            Operation.Kind.INSTALL: self._install_all,
            Operation.Kind.UPDATE: self._update_all,
            Operation.Kind.ROLL_BACK: self._roll_back_all,
            Operation.Kind.REMOVE: self._remove_all,
            Operation.Kind.ENABLE: self._toggle_all,
            Operation.Kind.DISABLE: self._toggle_all,
            Operation.Kind.RESTORE: self._restore_all,
            Operation.Kind.ALIGN: self._align,
            Operation.Kind.UNDO: self._undo,
            Operation.Kind.PUT_BACK: self._put_back_set,
            Operation.Kind.PREPARE: self._prepare,
        }
        by_kind[wish.kind](wish)

    # Install

    def _install_all(self, wish: Wish) -> None:
        wanted = self._named_mods(wish.targets)
        self.candidates.load(key for _target, key in wanted)
        for target, key in wanted:
            self._install(target, key, _("You asked for it."))

    def _install(self, target: Target, key: str, why: str) -> Draft | None:
        release = self._release_for(target, key)
        row = next(iter(self.world.of(key)), None)
        if release is None:
            if row is not None and not target.version:
                self.left_alone.append(_("%s is installed, and nothing newer fits this server.") % row)
                return None
            self._cannot(target, key)
            return None
        if row is None:
            return self._add(Draft(_Action.INSTALL, key, why, release=release, enabled=target.enabled is not False))
        if versions.same(row.version, release.version):
            return self._have_already(row, target)
        if not target.version and not versions.newer(release.version, row.version):
            if row.back_to_release is not None:
                return self._go_back(row, row.back_to_release)
            self.left_alone.append(_("%s is installed, and nothing newer fits this server.") % row)
            return None
        return self._replace(row, release, why)

    def _have_already(self, row: InstalledMod, target: Target) -> Draft | None:
        wanted = target.enabled is not False
        if row.enabled == wanted:
            self.left_alone.append(_("%s is installed already.") % row)
            return None
        return self._toggle(row, enable=wanted, why=_("You asked for it; it is there already."))

    def _release_for(self, target: Target, key: str) -> Release | None:
        if target.version:
            offered = self.candidates.offered(key)
            exact = next((one for one in offered if target.file_id and one.file_id == target.file_id), None)
            return exact or self.candidates.named(key, target.version)
        row = next(iter(self.world.of(key)), None)
        if row is not None and row.outdated:
            return row.recommended_release
        return self.candidates.recommended(key, self.world.game_version)

    def _cannot(self, target: Target, key: str) -> None:
        if target.version and self.candidates.offered(key):
            there = sorted({one.version for one in self.candidates.offered(key)}, key=versions.sort_key, reverse=True)
            text = _("There is no %(version)s of %(key)s. There are: %(there)s.") % {
                "version": target.version, "key": key, "there": ", ".join(there[:8]),
            }  # fmt: skip
            self.resolver.unmet.append(Unmet("missing", key, text))
            return
        kind, words = self.resolver.explain(key)
        self.resolver.unmet.append(
            Unmet(kind, key, _("%(key)s can't be installed: %(why)s.") % {"key": key, "why": words.rstrip(".")})
        )

    def _named_mods(self, targets: Iterable[Target]) -> list[tuple[Target, str]]:
        """Each target with its modid in lower case; what names no mod is said."""
        named = []
        for target in targets:
            key = self._key_of(target)
            if key:
                named.append((target, key))
        return named

    def _key_of(self, target: Target) -> str:
        if target.modid:
            return target.modid.lower()
        if target.row is not None:
            row = self._row(target)
            return row.modid_key if row else ""
        mod = _mod_of(target)
        keys = list(ClaimedModId.objects.filter(mod=mod).values_list("key", flat=True)) if mod else []
        if mod is None:
            text = _("No mod %s is in the stored list of all mods. Fetch the list anew, or give its mod id.") % target
        elif not keys:
            text = _("%s has no mod id in the mod database: it is no mod that a server can load.") % mod
        elif len(keys) > 1:
            text = _("%(mod)s releases several mods: give the mod id of one (%(ids)s).") % {
                "mod": mod, "ids": ", ".join(sorted(keys)),
            }  # fmt: skip
        else:
            return keys[0]
        self.resolver.unmet.append(Unmet("missing", str(target), text))
        return ""

    # Update

    def _update_all(self, wish: Wish) -> None:
        if not wish.targets:
            keys = list(dict.fromkeys(row.modid_key for row in self.world.rows if row.modid_key and _may_change(row)))
            if not self.world.game_version:
                self.warnings.append(
                    _("The server's game version isn't known, so nothing is recommended. Set it on the server's page.")
                )
            for key in keys:
                self._update(key, Target(modid=key), asked_by_name=False)
            return
        named = self._named_mods(wish.targets)
        self.candidates.load(key for target, key in named if target.version)
        for target, key in {key: (target, key) for target, key in named}.values():
            self._update(key, target, asked_by_name=True)

    def _update(self, key: str, target: Target, *, asked_by_name: bool) -> None:
        rows = self.world.of(key)
        if not rows:
            self.left_alone.append(_("%s isn't installed.") % (target.modid or key))
            return
        row = rows[0]
        hold = self.world.holds.get(key)
        if hold is not None:
            who = hold.set_by_name or _("somebody")
            reason = f": {hold.reason.rstrip('.')}" if hold.reason else ""
            text = _("%(mod)s is held (by %(who)s%(reason)s).")
            self.left_alone.append(text % {"mod": row, "who": who, "reason": reason})
            return
        release = self.candidates.named(key, target.version) if target.version else row.recommended_release
        if target.version and release is None:
            self._cannot(target, key)
        elif not target.version and row.back_to_release is not None:
            self._go_back(row, row.back_to_release)
        elif (
            release is None or (not target.version and not row.outdated) or versions.same(release.version, row.version)
        ):
            if not self._remove_older(rows) and asked_by_name:
                self.left_alone.append(_("%s is up to date.") % row)
        else:
            self._replace(row, release, self._why_update(row, release))

    def _remove_older(self, rows: list[InstalledMod]) -> bool:
        """Take away older files of the first one's mod, which would be listed as outdated for ever."""
        newest, *others = rows
        older = [one for one in others if one.outdated and one.enabled and versions.newer(newest.version, one.version)]
        if not loaded(newest):
            return False
        for one in older:
            why = _("%s is there besides, and is newer.") % _described(newest)
            self._add(Draft(_Action.REMOVE, one.modid_key, why, row=one))
        return bool(older)

    def _go_back(self, row: InstalledMod, release: Release) -> Draft | None:
        """To the older release, if somebody said yes to it; else it is offered."""
        why = _retracted(row.version, row.retraction_reason)
        if not self._may_touch(row, renames=False):
            return None
        if not self._is_agreed(plans.OLDER, row.modid_key, release.version):
            self.offers.append(plans.Offer(plans.OLDER, row.modid_key, row.name, row.version, release.version, why))
            return None
        return self._replace(row, release, why)

    def _is_agreed(self, kind: str, key: str, version: str) -> bool:
        said = self._wish.allow_downgrades if kind == plans.OLDER else self._wish.allow_retracted
        return said or plans.offer_key(key, version) in self._wish.agreed

    def _why_update(self, row: InstalledMod, release: Release) -> str:
        if row.retracted:
            return _retracted(row.version, row.retraction_reason)
        return _("%(version)s is recommended for %(game)s.") % {
            "version": release.version,
            "game": self.world.game_version or _("this server"),
        }

    # Roll back, restore

    def _roll_back_all(self, wish: Wish) -> None:
        named = self._named_mods(wish.targets)
        self.candidates.load(key for _target, key in named)
        for target, key in named:
            self._roll_back(target, key)

    def _roll_back(self, target: Target, key: str) -> None:
        row = next(iter(self.world.of(key)), None)
        before = None if target.version else history.version_before(self.world.server, key, row.version if row else "")
        version = target.version or (before.version if before else "")
        if not version:
            self.left_alone.append(
                _("No version of %s from before is known here. Name one, as %s.") % (row or key, f"{key}@1.0.0")
            )
            return
        if row is not None and versions.same(row.version, version):
            self.left_alone.append(_("%s is what is installed.") % row)
            return
        kept = KeptCopy.objects.filter(modid_key=key, version=version).order_by("-kept_at").first()
        release = None if kept else self.candidates.named(key, version)
        self._put_back(row, key, release, kept, _("You asked for %s again.") % version, version)

    def _put_back(
        self,
        row: InstalledMod | None,
        key: str,
        release: Release | None,
        kept: KeptCopy | None,
        why: str,
        version: str,
        file_name: str = "",
    ) -> Draft | None:
        if release is None and kept is None:
            text = _("%(key)s %(version)s can't be had any more: neither the mod database nor a kept copy has it.")
            self.resolver.unmet.append(Unmet("missing", key, text % {"key": key, "version": version}))
            return None
        if row is not None:
            return self._replace(row, release, why, kept=kept, file_name=file_name)
        draft = Draft(_Action.INSTALL, key, why, release=release, kept=kept, file_name=file_name)
        return self._add(self._with_needs(draft))

    def _restore_all(self, wish: Wish) -> None:
        copies = KeptCopy.objects.in_bulk([target.kept for target in wish.targets if target.kept is not None])
        for target in wish.targets:
            kept = copies.get(target.kept or 0)
            if kept is None:
                self.left_alone.append(_("That kept copy is gone."))
                continue
            row = next(iter(self.world.of(kept.modid_key)), None) if kept.modid_key else None
            if row is not None and row.sha256 == kept.sha256:
                self.left_alone.append(_("%s is what is installed.") % row)
                continue
            self._put_back(row, kept.modid_key, None, kept, _("You asked for the kept copy."), kept.version)

    def _with_needs(self, draft: Draft) -> Draft:
        """Read what a kept copy says it needs."""
        if draft.kept is not None:
            try:
                kind = downloads.KINDS.get(PurePosixPath(draft.kept.stored_name).suffix.lower(), "zip")
                with closing(keeping.open(draft.kept)) as file:
                    info = modinfo.read_open(file, kind).info
            except (OSError, FetchError) as error:
                text = _("The kept copy of %(mod)s can't be read: %(why)s")
                why = getattr(error, "text", None) or str(error)
                self.resolver.unmet.append(Unmet("missing", draft.key, text % {"mod": draft.kept, "why": why}))
                return draft
            draft.kept_needs = dict(info.dependencies) if info else {}
        return draft

    # Remove, enable, disable

    def _remove_all(self, wish: Wish) -> None:
        for row in self._rows_of(wish.targets):
            self._remove(row, _("You asked for it."))

    def _remove(self, row: InstalledMod, why: str) -> Draft | None:
        hold = self.world.holds.get(row.modid_key)
        if hold is not None:
            self.resolver.unmet.append(Unmet("held", row.modid_key, _("%s is held. Let it go first.") % row))
        return self._add(Draft(_Action.REMOVE, row.modid_key, why, row=row))

    def _toggle_all(self, wish: Wish) -> None:
        enable = wish.kind == Operation.Kind.ENABLE
        for row in self._rows_of(wish.targets):
            if row.enabled == enable:
                if enable and row.disabled_by_config:
                    text = _("%s is disabled in serverconfig.json: take it out of DisabledMods there.")
                else:
                    text = _("%s is enabled already.") if enable else _("%s is disabled already.")
                self.left_alone.append(text % row)
            else:
                self._toggle(row, enable=enable, why=_("You asked for it."))

    def _toggle(self, row: InstalledMod, *, enable: bool, why: str) -> Draft | None:
        draft = Draft(_Action.ENABLE if enable else _Action.DISABLE, row.modid_key, why, row=row, enabled=enable)
        if enable and row.disabled_by_config:
            draft.notes.append(_("It stays disabled by serverconfig.json until it is taken out of DisabledMods there."))
        other = self.world.active(row.modid_key) if enable and row.modid_key else None
        if other is not None and other.pk != row.pk:
            draft.notes.append(_("%s is enabled besides; the game loads only the highest version.") % _described(other))
        return self._add(draft)

    def _rows_of(self, targets: Iterable[Target]) -> Iterator[InstalledMod]:
        seen: set[int] = set()
        for target in targets:
            if target.row is not None:
                row = self._row(target)
                found = [row] if row else []
            else:
                wanted = target.modid.lower()
                found = self.world.of(wanted) or [row for row in self.world.rows if row.file_name.lower() == wanted]
                if not found:
                    self.left_alone.append(_("%s isn't installed.") % target)
            for one in found:
                if one.pk not in seen:
                    seen.add(one.pk)
                    yield one

    def _row(self, target: Target) -> InstalledMod | None:
        row = self._rows.get(target.row or 0)
        if row is None:
            self.left_alone.append(_("One of the chosen files is gone by now."))
        return row

    # Ready for a game version

    def _prepare(self, wish: Wish) -> None:
        """The updates that fit the game version; of what stands in its way, what somebody chose for each."""
        coming = Preparation(self.world, wish)
        self.warnings += coming.warnings()
        self.candidates.load(coming.named())
        # What replaces a file takes further files of its mod away, which then need no step of their own.
        for row, finding, chosen in sorted(coming.rows(), key=lambda one: one[2] is not None and not one[2].version):
            if any(draft.row is row for draft in self.resolver.drafts):
                continue
            if chosen is not None:
                self._prepare_by_choice(row, chosen, finding.judgement.why)
            elif finding.do is Do.UPDATE and row.recommended_release is not None:
                self._replace(row, row.recommended_release, finding.judgement.why)
            elif finding.do is Do.GO_BACK and row.back_to_release is not None:
                self._go_back(row, row.back_to_release)
        self.left_alone += coming.left_alone()

    def _prepare_by_choice(self, row: InstalledMod, chosen: Target, why: str) -> None:
        if chosen.remove:
            self._remove(row, why)
        elif chosen.enabled is False and row.enabled:
            self._toggle(row, enable=False, why=why)
        elif chosen.version:
            release = self.candidates.named(row.modid_key, chosen.version)
            if release is None:
                self._cannot(chosen, row.modid_key)
            else:
                self._replace(row, release, _("You chose this version. %s") % why)

    # In line with a list

    def _align(self, wish: Wish) -> None:
        removals = [target for target in wish.targets if target.remove]
        for row in self._rows_of(removals):
            self._remove(row, _("The list doesn't have it."))
        named = self._named_mods(target for target in wish.targets if not target.remove)
        listed = {key for _target, key in named}
        differing = [(target, key) for target, key in named if not self._in_line(target, key)]
        self.candidates.load(key for _target, key in differing)
        digests = {target.sha256 for target, _key in differing if target.sha256}
        copies = {kept.sha256: kept for kept in KeptCopy.objects.filter(sha256__in=digests)}
        for target, key in differing:
            hold = self.world.holds.get(key)
            if hold is not None:
                self.left_alone.append(_("%s is held here. Let it go first.") % key)
                continue
            kept = copies.get(target.sha256)
            if kept is not None and self._release_for(target, key) is None:
                here = next(iter(self.world.of(key)), None)
                self._put_back(here, key, None, kept, _("The list has it."), target.version)
                continue
            draft = self._install(target, key, _("The list has it."))
            release = draft.release if draft else None
            if release and target.sha256 and release.sha256 and release.sha256 != target.sha256 and draft:
                draft.notes.append(_("The list names another file (SHA-256) of the same version."))
        held = sorted(str(target.modid) for target in wish.targets if target.held)
        if held:
            self.warnings.append(_("The list holds these; hold them here if you want that: %s.") % ", ".join(held))
        others = [row for row in self.world.rows if row.modid_key and row.modid_key not in listed]
        if wish.remove_others:
            for row in others:
                self._remove(row, _("The list doesn't have it."))
        elif others and not removals:
            names = ", ".join(str(row) for row in others[:10]) + (", …" if len(others) > 10 else "")
            self.left_alone.append(_("Not in the list, and staying: %s.") % names)

    def _in_line(self, target: Target, key: str) -> bool:
        row = next(iter(self.world.of(key)), None)
        if row is None or not versions.same(row.version, target.version or row.version):
            return False
        if target.enabled is not None and row.enabled != target.enabled:
            return False
        return not target.sha256 or row.sha256 == target.sha256 or row.release_id is None

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

    # All of them

    def _replace(
        self,
        row: InstalledMod,
        release: Release | None,
        why: str,
        *,
        kept: KeptCopy | None = None,
        file_name: str = "",
    ) -> Draft | None:
        """Put another file in the place of `row`; further files of the same mod go with it."""
        hold = self.world.holds.get(row.modid_key)
        if hold is not None:
            self.resolver.unmet.append(Unmet("held", row.modid_key, _("%s is held. Let it go first.") % row))
        draft = self._add(
            self._with_needs(
                Draft(
                    _Action.REPLACE,
                    row.modid_key,
                    why,
                    row=row,
                    release=release,
                    kept=kept,
                    file_name=file_name,
                    enabled=loaded(row),
                )
            )
        )
        if draft is None:
            return None
        for other in self.world.of(row.modid_key):
            if other.pk != row.pk and other.enabled:
                twin = self._add(
                    Draft(_Action.REMOVE, row.modid_key, _("The same mod is here more than once."), row=other)
                )
                if twin is not None:
                    draft.partners.append(twin)
        return draft

    def _add(self, draft: Draft) -> Draft | None:
        """Take it in, unless its file is one that nobody but a person should touch, or was retracted."""
        renames = draft.action in (_Action.ENABLE, _Action.DISABLE)
        if draft.row is not None and not self._may_touch(draft.row, renames=renames):
            return None
        if draft.action in (_Action.INSTALL, _Action.REPLACE) and not self._may_bring(draft):
            return None
        return self.resolver.add(draft)

    def _may_touch(self, row: InstalledMod, *, renames: bool) -> bool:
        path = Path(row.folder, row.file_name)
        if not os.path.lexists(path):
            text = _("%s can't be found by its name. Scan the server, or rename the file.")
        elif path.is_symlink():
            text = _("%s is a link to a file elsewhere: change it by hand.")
        elif row.kind == InstalledMod.Kind.FOLDER and not renames:
            text = _("%s is a folder, which vsadmin neither replaces nor removes: do it by hand.")
        elif not row.sha256 and row.kind != InstalledMod.Kind.FOLDER:
            text = _("%s can't be read, so it can't be kept safe: make it readable first.")
        else:
            return True
        self.left_alone.append(text % _described(row))
        return False

    def _retraction_of(self, source: Release | KeptCopy) -> str | None:
        """Why it was retracted ("" for no reason); None if it wasn't, as far as is known."""
        if isinstance(source, KeptCopy):
            told = Lookup.objects.filter(key=source.modid_key).values_list("retractions", flat=True).first() or {}
            if source.version in told:
                return str(told[source.version][0])
            same = list(releases().filter(modid_key=source.modid_key, version=source.version))
        else:
            same = [source]
        self._learn(same)
        return next((one.retraction_reason for one in same if one.retracted), None)

    def _learn(self, wanted: Iterable[Release]) -> None:
        """Of those that are gone from the mod database's list, ask it whether they were retracted."""
        gone = [one for one in wanted if one.gone_since and not one.retracted]
        if gone and self._may_ask:
            self._may_ask = withdrawals.note(gone)
            for one in gone:
                one.refresh_from_db(fields=["retracted", "retraction_reason"])

    def _may_bring(self, draft: Draft) -> bool:
        """Whether the draft's file wasn't retracted, or somebody said yes to it; else it is offered."""
        source = draft.release or draft.kept
        if source is None or (draft.row is not None and versions.same(draft.row.version, source.version)):
            return True
        reason = self._retraction_of(source)
        if reason is None or self._is_agreed(plans.RETRACTED, draft.key, source.version):
            return True
        row = draft.row
        name = row.name if row else source.mod.name if isinstance(source, Release) else source.name
        self.offers.append(
            plans.Offer(
                plans.RETRACTED, draft.key, name, row.version if row else "", source.version,
                _retracted(source.version, reason),
            )
        )  # fmt: skip
        return False


def _may_change(row: InstalledMod) -> bool:
    """Whether an update of all has something to do with it, or to say of it."""
    return row.outdated or row.back_to_release is not None or row.newer_why == NewerWhy.HELD


def _retracted(version: str, reason: str) -> str:
    return _("%(version)s was retracted%(reason)s.") % {
        "version": version, "reason": f": {reason.rstrip('.')}" if reason else "",
    }  # fmt: skip


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


def _mod_of(target: Target) -> Mod | None:
    """By the number in the address of its page, else by its own; or by the page's name."""
    if target.number is not None:
        return Mod.objects.filter(asset_id=target.number).first() or Mod.objects.filter(mod_id=target.number).first()
    return Mod.objects.filter(alias__iexact=target.alias).first() if target.alias else None


def _described(row: InstalledMod) -> str:
    return f"{row} ({row.file_name})"
