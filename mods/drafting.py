"""From a wish to first drafts: which file is to be installed, replaced, removed, renamed. What it takes besides,
`resolving` finds out."""

from collections.abc import Callable, Iterable, Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import history, plans, versions, wording
from mods.candidates import Candidates
from mods.drafts import described
from mods.judging import Do
from mods.models import ClaimedModId, InstalledMod, KeptCopy, Lookup, Mod, NewerWhy, Operation, Release, Step
from mods.plans import Unmet
from mods.preparing import Preparation
from mods.resolving import Draft, Resolver, World, loaded
from mods.restoring import Restoring
from mods.wishes import Target, Wish

_Action = Step.Action
#: Mods that a sentence names.
_NAMED = 5


class Drafter(Restoring):
    """Fills a resolver with what a wish asks for."""

    def __init__(self, world: World, candidates: Candidates, resolver: Resolver, wish: Wish) -> None:
        super().__init__(world, candidates, resolver, wish)
        self._rows = {row.pk: row for row in world.rows}

    def draft(self) -> None:
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
        by_kind[self.wish.kind](self.wish)

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
        return self._as_wanted(self._replace(row, release, why), row, target)

    def _as_wanted(self, draft: Draft | None, row: InstalledMod, target: Target) -> Draft | None:
        """What is asked for is enabled, unless a list says otherwise: an update of a disabled one would leave it so."""
        if draft is not None and not row.disabled_by_config:
            draft.enabled = target.enabled is not False
        return draft

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
        self._say_what_is_unknown(wish)
        if not wish.targets:
            keys = list(dict.fromkeys(row.modid_key for row in self.world.rows if row.modid_key and _may_change(row)))
            for key in keys:
                self._update(key, Target(modid=key), asked_by_name=False)
            return
        named = self._named_mods(wish.targets)
        self.candidates.load(key for target, key in named if target.version)
        for target, key in {key: (target, key) for target, key in named}.values():
            self._update(key, target, asked_by_name=True)

    def _say_what_is_unknown(self, wish: Wish) -> None:
        """Of what is to be updated to whatever is recommended: what keeps us from knowing that."""
        named = {self._key_of(target) for target in wish.targets if not target.version}
        rows = [row for row in self.world.rows if row.modid_key and (row.modid_key in named or not wish.targets)]
        if rows and not self.world.game_version:
            self.unknown.append(
                _("The server's game version isn't known, so nothing is recommended. Set it on the server's page.")
            )
        unasked = [row for row in rows if row.lookup is None or row.lookup.state == Lookup.State.UNKNOWN]
        if unasked:
            words = ngettext(
                "The mod database wasn't asked about %(count)d mod yet (%(names)s). Check for updates first.",
                "The mod database wasn't asked about %(count)d mods yet (%(names)s). Check for updates first.",
                len(unasked),
            )
            names = ", ".join(str(row) for row in unasked[:_NAMED]) + (", …" if len(unasked) > _NAMED else "")
            said = words % {"count": len(unasked), "names": names}
            (self.unknown if len(unasked) == len(rows) else self.warnings).append(said)

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
            is_said = asked_by_name or row.retracted or row.gone
            if not self._remove_older(rows) and is_said and self.world.game_version:
                said = wording.nothing_recommended(row)
                said = f"{row}: {said}" if said else _("%s is up to date.") % row
                more = (wording.newer_reason(row), wording.standing(row))
                self.left_alone.append(" ".join([said, *filter(None, more)]))
        else:
            self._replace(row, release, self._why_update(row, release))

    def _remove_older(self, rows: list[InstalledMod]) -> bool:
        """Take away older files of the first one's mod, which would be listed as outdated for ever."""
        newest, *others = rows
        older = [one for one in others if one.outdated and one.enabled and versions.newer(newest.version, one.version)]
        if not loaded(newest):
            return False
        for one in older:
            why = _("%s is there as well, and is newer.") % described(newest)
            self._add(Draft(_Action.REMOVE, one.modid_key, why, row=one))
        return bool(older)

    def _go_back(self, row: InstalledMod, release: Release) -> Draft | None:
        """To the older release, if somebody said yes to it; else it is offered."""
        why = wording.retracted(row.version, row.retraction_reason)
        if not self._may_touch(row, _Action.REPLACE):
            return None
        if not self._is_agreed(plans.OLDER, row.modid_key, release.version):
            self.offers.append(plans.Offer(plans.OLDER, row.modid_key, row.name, row.version, release.version, why))
            return None
        return self._replace(row, release, why)

    def _why_update(self, row: InstalledMod, release: Release) -> str:
        if row.retracted:
            return wording.retracted(row.version, row.retraction_reason)
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

    # Remove, enable, disable

    def _remove_all(self, wish: Wish) -> None:
        for row in self._rows_of(wish.targets):
            self._remove(row, _("You asked for it."))

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
        if self.resolver.drafts or self.offers:  # else there is nothing to carry out, now or later
            self.warnings += coming.warnings()

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
            self._bring_in_line(target, key, copies.get(target.sha256))
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

    def _bring_in_line(self, target: Target, key: str, kept: KeptCopy | None) -> None:
        """`kept`: a kept copy of the very bytes that the list names."""
        why = _("The list has it.")
        row = next(iter(self.world.of(key)), None)
        release = self._release_for(target, key)
        if kept is not None and (release is None or release.sha256 != target.sha256):
            self._put_back(row, key, None, kept, why, target.version)
            return
        draft = None
        same = row is not None and versions.same(row.version, target.version or row.version)
        if row is not None and same and target.sha256 not in {"", row.sha256}:
            if release is not None and not self.candidates.read([release]) and release.sha256 == target.sha256:
                draft = self._as_wanted(self._replace(row, release, why), row, target)
            else:
                text = _("%s has other bytes (SHA-256) than the list says, and those aren't available.")
                self.warnings.append(text % row)
        if draft is None:
            draft = self._install(target, key, why)
        if draft is not None:
            draft.sha256 = target.sha256

    def _in_line(self, target: Target, key: str) -> bool:
        row = next(iter(self.world.of(key)), None)
        if row is None or not versions.same(row.version, target.version or row.version):
            return False
        if target.enabled is not None and row.enabled != target.enabled:
            return False
        return target.sha256 in {"", row.sha256}


def _may_change(row: InstalledMod) -> bool:
    """Whether an update of all has something to do with it, or to say of it."""
    return row.outdated or row.retracted or row.gone or row.newer_why == NewerWhy.HELD


def _mod_of(target: Target) -> Mod | None:
    """By the number in the address of its page, else by its own; or by the page's name."""
    if target.number is not None:
        return Mod.objects.filter(asset_id=target.number).first() or Mod.objects.filter(mod_id=target.number).first()
    return Mod.objects.filter(alias__iexact=target.alias).first() if target.alias else None
