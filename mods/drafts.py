"""What all requests do to a resolver: replace, remove, toggle a file, bring a copy; and what isn't done unasked."""

import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path, PurePosixPath

from django.utils.translation import gettext as _

from cache.store import FetchError
from mods import downloads, keeping, modinfo, plans, problems, versions, withdrawals, wording
from mods.candidates import Candidates, releases
from mods.models import InstalledMod, KeptCopy, Lookup, Mod, Release, Step
from mods.plans import Unmet
from mods.resolving import Draft, Resolver, World, loaded
from mods.wishes import Wish

_Action = Step.Action


class Drafts:
    """Fills a resolver. `left_alone` names what needs nothing or can't be done, and why."""

    def __init__(self, world: World, candidates: Candidates, resolver: Resolver, wish: Wish) -> None:
        self.world = world
        self.candidates = candidates
        self.resolver = resolver
        self.wish = wish
        self.left_alone: list[str] = []
        self.warnings: list[str] = []
        #: Why a plan without steps doesn't mean that all is well; beside steps, a warning.
        self.unknown: list[str] = []
        self.offers: list[plans.Offer] = []
        self._may_ask = True

    def look_through(self) -> None:
        """Say what the files turned out to be, once all of them were read."""
        for draft in self.resolver.drafts:
            release, row = draft.release, draft.row
            if release is None:
                continue
            if draft.sha256 not in {"", release.sha256}:
                self._doubt(draft, _("The mod database's file has other bytes (SHA-256) than the list says."))
            if row is not None and row.release_id is None and not _may_be_of(row, release.mod):
                text = _("The installed file is %(here)s; %(there)s has the same mod id, and may be another mod.")
                here = _by(f"“{row.name}” {row.version}".strip(), row.authors)
                self._doubt(draft, text % {"here": here, "there": _by(f"“{release.mod.name}”", release.mod.author)})

    def _doubt(self, draft: Draft, text: str) -> None:
        draft.notes.append(text)
        self.warnings.append(f"{draft.row or draft}: {text}")

    def _put_back(
        self,
        row: InstalledMod | None,
        key: str,
        release: Release | None,
        kept: KeptCopy | None,
        why: str,
        version: str,
    ) -> Draft | None:
        if release is None and kept is None:
            text = _("%(key)s %(version)s is no longer available: neither the mod database nor a kept copy has it.")
            self.resolver.unmet.append(Unmet("missing", key, text % {"key": key, "version": version}))
            return None
        if row is not None:
            return self._replace(row, release, why, kept=kept)
        draft = Draft(_Action.INSTALL, key, why, release=release, kept=kept)
        return self._add(self._with_needs(draft))

    def _replace(
        self,
        row: InstalledMod,
        release: Release | None,
        why: str,
        *,
        kept: KeptCopy | None = None,
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
        if draft.row is not None and not self._may_touch(draft.row, draft.action):
            return None
        if draft.action in (_Action.INSTALL, _Action.REPLACE) and not self._may_bring(draft):
            return None
        return self.resolver.add(draft)

    def _may_touch(self, row: InstalledMod, action: str) -> bool:
        path = Path(row.folder, row.file_name)
        if not os.path.lexists(path):
            text = _("%s can't be found by its name. Scan the server, or rename the file.")
        elif path.is_symlink():
            text = _("%s is a link to a file elsewhere: change it by hand.")
        elif row.kind == InstalledMod.Kind.FOLDER and action == _Action.DISABLE:
            text = _("%s is a folder, which the game loads whatever its name.") + " " + problems.how_to_disable(row)
        elif row.kind == InstalledMod.Kind.FOLDER and action != _Action.ENABLE:
            text = _("%s is a folder, which vsadmin neither replaces nor removes: do it by hand.")
        elif not row.sha256 and row.kind != InstalledMod.Kind.FOLDER:
            text = _("%s can't be read, so it can't be kept safe: make it readable first.")
        else:
            return True
        self.left_alone.append(text % described(row))
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
                wording.retracted(source.version, reason),
            )
        )  # fmt: skip
        return False

    def _remove(self, row: InstalledMod, why: str) -> Draft | None:
        hold = self.world.holds.get(row.modid_key)
        if hold is not None:
            self.resolver.unmet.append(Unmet("held", row.modid_key, _("%s is held. Let it go first.") % row))
        return self._add(Draft(_Action.REMOVE, row.modid_key, why, row=row))

    def _toggle(self, row: InstalledMod, *, enable: bool, why: str) -> Draft | None:
        draft = Draft(_Action.ENABLE if enable else _Action.DISABLE, row.modid_key, why, row=row, enabled=enable)
        if enable and row.disabled_by_config:
            draft.notes.append(_("It stays disabled by serverconfig.json until it is taken out of DisabledMods there."))
        other = self.world.active(row.modid_key) if enable and row.modid_key else None
        if other is not None and other.pk != row.pk:
            draft.notes.append(_("%s is enabled as well; the game loads only the highest version.") % described(other))
        return self._add(draft)

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

    def _is_agreed(self, kind: str, key: str, version: str) -> bool:
        said = self.wish.allow_downgrades if kind == plans.OLDER else self.wish.allow_retracted
        return said or plans.offer_key(key, version) in self.wish.agreed


def described(row: InstalledMod) -> str:
    return f"{row} ({row.file_name})"


def _may_be_of(row: InstalledMod, mod: Mod) -> bool:
    """Whether the file's name or authors are those of the page: a page can have taken the id of somebody's own mod."""
    here, there = _letters(row.name), _letters(mod.name)
    if here and there and (here in there or there in here):
        return True
    author = _letters(mod.author)
    return any(one and author and (one in author or author in one) for one in map(_letters, row.authors.split(",")))


def _letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def _by(name: str, author: str) -> str:
    return _("%(mod)s by %(author)s") % {"mod": name, "author": author} if author else name
