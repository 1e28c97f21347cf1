"""Whether an installed mod is ready for a game version, why, and what to do to get there. Pure.

A mod counts as ready where it can be made so: by a release that names the game version, its own or a newer one.
"""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from django.utils.translation import gettext as _

from mods import versions, wording
from mods.needs import BASE_GAME, State, sentence
from mods.versions import Compatibility


class Verdict(StrEnum):
    """How a mod stands to a game version."""

    READY = "ready"
    NOT_VERIFIED = "not_verified"
    BLOCKING = "blocking"


class Do(StrEnum):
    """What to do with a mod to get there."""

    NOTHING = "nothing"
    UPDATE = "update"
    #: It was retracted, and only an older release will do: that is decided by a person.
    GO_BACK = "go_back"
    #: Not to be updated before the server is: what is recommended now isn't for the new game version.
    HOLD = "hold"
    #: It is held at a version that won't do.
    UNHOLD = "unhold"
    REPLACE = "replace"
    #: What it needs and what isn't there.
    INSTALL = "install"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Offer:
    """A release of the mod, as `versions` wants it. `needs`: None where its file wasn't read."""

    version: str
    game_versions: Sequence[str] = ()
    #: Or gone from the mod database: not to be had any more.
    retracted: bool = False
    needs: Mapping[str, str] | None = None
    #: Its primary key.
    release: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of an installed file. `version`: "" where the file tells none."""

    version: str
    offers: Sequence[Offer] = ()
    #: What the installed file needs: modid → minimum version.
    needs: Mapping[str, str] = field(default_factory=dict)
    retracted: bool = False
    retraction_reason: str = ""
    #: Why the game doesn't load it, whatever else is there; "" if it does.
    wont_load: str = ""
    #: Its release vanished from the mod database, without being retracted.
    is_gone: bool = False
    is_loaded: bool = True
    is_held: bool = False
    #: Whether the mod database has the mod, and whether it was asked at all.
    is_known: bool = True
    is_asked: bool = True
    #: Of several files of one mod, whether this is the one that counts.
    counts: bool = True
    #: What is recommended for the server's present game version.
    recommended: str = ""
    #: Of another mod that claims the same id and has a release for the game version, a sentence; "" for none.
    rival: str = ""
    #: Of what the mod's page has under another id, a sentence; "" for nothing.
    successor: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """`why` and `what` are sentences for people; `update` is the release to take where `do` says so."""

    verdict: Verdict
    do: Do
    why: str
    update: Offer | None = None
    #: The best release for the game version that isn't older than the installed one, whether it is needed or not.
    best: Offer | None = None
    #: The id of a mod that it needs and that isn't installed; "" for none.
    missing: str = ""
    #: The older release to go back to; None unless `do` says so.
    back: Offer | None = None
    #: A prerelease that names the game version; nobody gets one unasked.
    prerelease: str = ""
    #: Of the installed file, with the game version.
    compatibility: Compatibility = Compatibility.NOT_VERIFIED

    @property
    def version(self) -> str:
        """What to update to; "" for nothing."""
        return self.update.version if self.update else ""


def judge(case: Case, game_version: str) -> Judgement:
    """The mod by itself; what becomes of those that need it, `unmet` says."""
    if not case.counts:
        why = _("The same mod is here in another file, which is the one that counts.")
        return Judgement(Verdict.READY, Do.REMOVE, why)
    found = _judge(case, game_version)
    return found if case.is_loaded else _asleep(found)


def _judge(case: Case, game_version: str) -> Judgement:
    own = _own(case)
    fit = versions.compatibility(own.game_versions if own else (), game_version)
    stuck = _stuck(case, own, fit, game_version)
    best = _best(case, game_version)
    known = Judgement(Verdict.READY, Do.NOTHING, "", best=best, compatibility=fit)
    if fit is Compatibility.COMPATIBLE and not stuck and not case.is_gone:
        return _ready(known, case, game_version)
    words = {"version": case.version or _("The installed version"), "game": game_version}
    here = stuck or _doubt(case, own, game_version)
    known = replace(known, prerelease=_prerelease(case, game_version))
    if best is not None and versions.newer(best.version, case.version):
        names_it = versions.compatibility(best.game_versions, game_version) is Compatibility.COMPATIBLE
        there = _there(best, game_version, names_it=names_it)
        if case.is_held:
            why = _("It is held. %(here)s %(there)s") % {"here": here, "there": there}
            return replace(known, verdict=_stays(stuck), do=Do.UNHOLD, why=why)
        verdict = Verdict.READY if names_it else Verdict.NOT_VERIFIED
        return replace(known, verdict=verdict, do=Do.UPDATE, why=f"{there} {here}", update=best)
    back = None
    if case.retracted and case.version:
        back = versions.to_go_back_to(_offered(case, game_version), game_version, installed=case.version)
    if back is not None and not case.is_held:
        names_it = versions.compatibility(back.game_versions, game_version) is Compatibility.COMPATIBLE
        there = _there(back, game_version, names_it=names_it)
        return replace(known, verdict=Verdict.BLOCKING, do=Do.GO_BACK, why=f"{here} {there}", back=back)
    if not stuck:
        return replace(known, verdict=Verdict.NOT_VERIFIED, why=f"{here} {case.successor}".strip())
    nothing = _("No other release is for %(game)s yet.") % words if case.is_known else ""
    return replace(
        known,
        verdict=Verdict.BLOCKING,
        do=Do.REPLACE if case.rival or case.successor or case.is_known else Do.REMOVE,
        why=" ".join(one for one in (here, nothing, case.rival, case.successor) if one),
    )


def _ready(known: Judgement, case: Case, game_version: str) -> Judgement:
    why = _("%(version)s names %(game)s exactly.") % {"version": case.version, "game": game_version}
    now = next((one for one in case.offers if one.version == case.recommended), None)
    if (
        now is not None
        and not case.is_held
        and versions.newer(now.version, case.version)
        and versions.compatibility(now.game_versions, game_version) is not Compatibility.COMPATIBLE
    ):
        why += " " + _("%s, which is recommended now, doesn't: don't update it before the server is.") % now.version
        return replace(known, do=Do.HOLD, why=why)
    return replace(known, why=why)


def _asleep(found: Judgement) -> Judgement:
    """What the game doesn't load stands in nobody's way."""
    why = _("It is disabled: the game doesn't load it. %s") % found.why
    do = Do.UPDATE if found.do is Do.UPDATE else Do.NOTHING
    return replace(found, verdict=Verdict.READY, do=do, back=None, why=why.strip())


def _stays(stuck: str) -> Verdict:
    return Verdict.BLOCKING if stuck else Verdict.NOT_VERIFIED


def _own(case: Case) -> Offer | None:
    """The release that the installed version is; one still offered comes before one withdrawn."""
    same = [one for one in case.offers if case.version and versions.same(one.version, case.version)]
    return min(same, key=lambda one: one.retracted, default=None)


def _best(case: Case, game_version: str) -> Offer | None:
    """As `versions.recommended`; where there is none, the highest that names a later patch of the same series."""
    if not case.version:
        return None
    offered = _offered(case, game_version)
    best = versions.recommended(offered, game_version, installed=case.version, installed_retracted=case.retracted)
    if best is not None:
        return best
    near = [
        one
        for one in offered
        if versions.newer(one.version, case.version)
        and not versions.is_prerelease(one.version)
        and wording.game_versions(one.game_versions)
        and versions.compatibility(one.game_versions, game_version) is Compatibility.NOT_VERIFIED
    ]
    return versions.latest(near)


def _offered(case: Case, game_version: str) -> list[Offer]:
    return [one for one in case.offers if not one.retracted and not _wants_newer_game(one.needs, game_version)]


def _stuck(case: Case, own: Offer | None, fit: Compatibility, game_version: str) -> str:
    """Why the installed file won't do; "" where it may."""
    if case.wont_load:
        return case.wont_load
    if case.retracted:
        return wording.retracted(case.version, case.retraction_reason)
    if least := _wants_newer_game(case.needs, game_version):
        return _("%(version)s needs game version %(least)s.") % {"version": case.version, "least": least}
    if fit is Compatibility.INCOMPATIBLE and own is not None:
        words = {"version": case.version, "listed": wording.game_versions(own.game_versions), "game": game_version}
        return _("%(version)s names %(listed)s only, not the series of %(game)s.") % words
    return ""


def _doubt(case: Case, own: Offer | None, game_version: str) -> str:
    """Why it can't be said whether the installed file will do."""
    if case.is_gone:
        return _("%s is gone from the mod database, so nothing more will be heard of it.") % case.version
    if not case.is_asked:
        return _("The mod database wasn't asked about it yet. Check for updates first.")
    if not case.is_known:
        return _(
            "It isn't in the mod database, so nothing is known. Ask its author, or try it on a copy of the server."
        )
    if not case.version:
        return _("Its file tells no version, so nothing is known. Try it on a copy of the server.")
    if own is None:
        return _("The mod database doesn't know %s of it, so nothing is known.") % case.version
    listed = wording.game_versions(own.game_versions)
    if not listed:
        return _("The author of %s names no game versions.") % case.version
    words = {"version": case.version, "listed": listed, "game": game_version}
    return _("%(version)s names %(listed)s: the same series as %(game)s, so it will often do.") % words


def _there(best: Offer, game_version: str, *, names_it: bool) -> str:
    words = {"version": best.version, "game": game_version, "listed": wording.game_versions(best.game_versions)}
    if names_it:
        return _("%(version)s names %(game)s exactly.") % words
    return _("No release names %(game)s yet; %(version)s names %(listed)s, the same series.") % words


def _prerelease(case: Case, game_version: str) -> str:
    """The highest newer prerelease that names the game version; "" for none."""
    there = [
        one
        for one in case.offers
        if versions.is_prerelease(one.version)
        and versions.newer(one.version, case.version)
        and versions.compatibility(one.game_versions, game_version) is Compatibility.COMPATIBLE
    ]
    found = versions.latest(there)
    return found.version if found else ""


def _wants_newer_game(needs: Mapping[str, str] | None, game_version: str) -> str:
    """The game version that these needs ask for, where it is a later one than this; "" else."""
    for key, minimum in (needs or {}).items():
        if key.lower() in BASE_GAME and not versions.satisfies(game_version, str(minimum)):
            return str(minimum)
    return ""


# --- mods that need others


@dataclass(frozen=True, slots=True)
class Standing:
    """A mod that the game will load, as its judgement leaves it."""

    name: str
    judgement: Judgement
    #: The version that will be there, and what it needs.
    version: str
    needs: Mapping[str, str]
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a mod can't run on. `missing`: the id of the mod that has to be installed for it, "" if that isn't it."""

    why: str
    missing: str = ""


def needed_newer(standing: Mapping[str, Standing]) -> dict[str, str]:
    """Of each mod (by lower-case modid) that isn't updated for its own sake, but has to be because another needs its
    best release: why. An update that is made so may need others newer in turn."""
    found: dict[str, str] = {}
    todo = [key for key, one in standing.items() if one.judgement.verdict is not Verdict.BLOCKING]
    while todo:
        key = todo.pop()
        one = standing[key]
        best = one.judgement.best if key in found else None
        for modid, minimum in (best.needs or {} if best else one.needs).items():
            needed = modid.lower()
            other = standing.get(needed)
            if other is None or other.is_held or needed in found or other.judgement.update or not other.judgement.best:
                continue
            enough = versions.satisfies(other.judgement.best.version, minimum)
            if enough and not versions.satisfies(other.version, minimum):
                found[needed] = _("%(name)s needs %(minimum)s of it.") % {"name": one.name, "minimum": minimum}
                todo.append(needed)
    return found


def unmet(standing: Mapping[str, Standing], asleep: Container[str] = ()) -> dict[str, Lack]:
    """Of each mod (by lower-case modid) that isn't blocking itself: why it can't run on, because of one it needs.

    A mod that needs such a one can't either. `asleep`: the modids of those that are there and that the game doesn't
    load. An update brings what isn't there, so that nothing is said of it.
    """
    dependents: dict[str, list[str]] = defaultdict(list)
    found: dict[str, Lack] = {}
    for key, one in standing.items():
        for modid, minimum in one.needs.items():
            needed = modid.lower()
            if needed in BASE_GAME or needed == key:
                continue
            other = standing.get(needed)
            if other is None:
                if one.judgement.update is None:
                    how = State.DISABLED if needed in asleep else State.MISSING
                    lack = Lack(sentence(modid, minimum, how, ""), modid if how is State.MISSING else "")
                    found.setdefault(key, lack)
                continue
            dependents[needed].append(key)
            if key not in found and not versions.satisfies(other.version, minimum):
                words = {"name": other.name, "minimum": minimum, "version": other.version}
                text = _("It needs %(name)s %(minimum)s; there is %(version)s for it.")
                if other.is_held:
                    text = _("It needs %(name)s %(minimum)s, and %(version)s is held.")
                found[key] = Lack(text % words)
    blocked = {key for key, one in standing.items() if one.judgement.verdict is Verdict.BLOCKING}
    found = {key: why for key, why in found.items() if key not in blocked}
    todo = [*blocked, *found]
    while todo:
        needed = todo.pop()
        for key in dependents[needed]:
            if key not in found and key not in blocked:
                found[key] = Lack(_("It needs %s, which is blocking.") % standing[needed].name)
                todo.append(key)
    return found
