"""What an answer doesn't say stays as it was known: a missing or wrong-typed field is a fault of the answer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.forms.models import model_to_dict
from django.utils import timezone

from events.models import Event
from mods import answers, status
from mods.moddb_answers import (
    InstallInfo,
    ModDetails,
    ModSummary,
    parse_details,
    parse_install_information,
)
from mods.models import CatalogueEntry, GameVersionFit, InstalledMod, Lookup, Mod, Release
from mods.tests.rows import install, make_server

pytestmark = pytest.mark.django_db

ALL = range(1, 9)
#: What a mod and a release are known by here, and what the mod database calls it.
OF_MOD = {
    "name": "name", "author": "author", "description": "text", "side": "side", "type": "type", "alias": "urlalias",
    "logo_url": "logofile", "homepage_url": "homepageurl", "source_url": "sourcecodeurl",
    "video_url": "trailervideourl", "issues_url": "issuetrackerurl", "wiki_url": "wikiurl", "tags": "tags",
    "downloads": "downloads",
    "follows": "follows", "comments": "comments", "trending": "trendingpoints", "created": "created",
    "last_released": "lastreleased", "asset_id": "assetid",
}  # fmt: skip
OF_RELEASE = {
    "modid": "modidstr", "version": "modversion", "file_id": "fileid", "file_name": "filename", "file_url": "mainfile",
    "game_versions": "tags", "created": "created", "changelog": "changelog", "downloads": "downloads",
}  # fmt: skip


def release(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "releaseid": number,
        "mainfile": f"https://files.example.com/{number}.zip",
        "filename": f"alpha_1.{number}.0.zip",
        "fileid": 100 + number,
        "downloads": 9,
        "tags": ["1.21.5"],
        "modidstr": "Alpha",
        "modversion": f"1.{number}.0",
        "created": "2025-01-02 03:04:05",
        "changelog": "<p>New</p>",
    } | changes


def answer(releases: object = None, **changes: Any) -> dict[str, Any]:
    return {
        "modid": 7,
        "assetid": 8,
        "name": "Alpha Mod",
        "text": "<p>All</p>",
        "author": "Ann",
        "urlalias": "alpha",
        "logofile": "https://files.example.com/logo.png",
        "homepageurl": "https://example.com",
        "sourcecodeurl": "https://example.com/source",
        "trailervideourl": "https://example.com/video",
        "issuetrackerurl": "https://example.com/issues",
        "wikiurl": "https://example.com/wiki",
        "downloads": 1,
        "follows": 2,
        "comments": 3,
        "trendingpoints": 4,
        "side": "both",
        "type": "mod",
        "created": "2025-01-02 03:04:05",
        "lastreleased": "2025-01-02 03:04:05",
        "tags": ["QoL"],
        "releases": [release(number) for number in ALL] if releases is None else releases,
    } | changes


def read(data: dict[str, Any]) -> ModDetails:
    found = parse_details(data)
    assert found is not None
    return found


def store(data: dict[str, Any], *, asked_at: datetime | None = None, retracted: tuple[str, ...] = ()) -> answers.Stored:
    lookup = Lookup.objects.get_or_create(key="alpha", defaults={"modid": "alpha"})[0]
    stored = answers.store_details(lookup, [read(data)], asked_at=asked_at, retracted=retracted)
    status.update(InstalledMod.objects.all())
    return stored


def known() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [model_to_dict(one) for one in (*Mod.objects.all(), *Release.objects.order_by("pk"))]
    for row in rows:
        row.pop("fetched_at", None), row.pop("details_tried_at", None)
        row.pop("details_error", None), row.pop("doubted_at", None)
    return [*rows, {"fits": list(GameVersionFit.objects.order_by("version").values_list("version", flat=True))}]


@pytest.fixture
def alpha() -> InstalledMod:
    """A mod of eight releases, the last of them installed."""
    row = install(make_server(), "alpha", "1.8.0", lookup=Lookup.objects.create(key="alpha", modid="alpha"))
    assert store(answer()) == answers.Stored(changed=True)
    Event.objects.all().delete()
    return row


@pytest.mark.parametrize("name", OF_MOD)
@pytest.mark.parametrize("wrong", ["missing", {"a": 1}])
def test_a_field_of_a_mod_that_is_not_said_stays(name: str, wrong: object, alpha: InstalledMod) -> None:
    before = known()
    data = answer(**{OF_MOD[name]: wrong})
    if wrong == "missing":
        del data[OF_MOD[name]]
    assert store(data) == answers.Stored(changed=False)
    assert known() == before


@pytest.mark.parametrize("name", OF_RELEASE)
@pytest.mark.parametrize("wrong", ["missing", {"a": 1}])
def test_a_field_of_a_release_that_is_not_said_stays(name: str, wrong: object, alpha: InstalledMod) -> None:
    before = known()
    releases = [release(number, **{OF_RELEASE[name]: wrong}) for number in ALL]
    if wrong == "missing":
        releases = [{key: value for key, value in one.items() if key != OF_RELEASE[name]} for one in releases]
    assert store(answer(releases)) == answers.Stored(changed=False)
    assert known() == before


@pytest.mark.parametrize("listed", [[], [""], ["x"], ["", None]])
def test_a_release_listed_for_nothing_that_is_a_game_version_keeps_its_own(listed: object, alpha: InstalledMod) -> None:
    before = known()
    assert store(answer([release(number, tags=listed) for number in ALL])) == answers.Stored(changed=False)
    assert known() == before
    assert store(answer([release(number, tags=["0.0.0"]) for number in ALL])).changed
    assert set(map(tuple, Release.objects.values_list("game_versions", flat=True))) == {()}


def test_what_is_said_is_taken_empty_or_not(alpha: InstalledMod) -> None:
    first = release(1, changelog=None, tags=["0.0.0"], fileid=None, filename="", mainfile="")
    said = answer([first, *(release(number) for number in ALL[1:])], side=None, urlalias=None, logofile=None, tags=[])
    assert store(said | {"text": "", "homepageurl": "", "lastreleased": None}).changed
    mod, changed = Mod.objects.get(), Release.objects.get(release_id=1)
    assert (mod.side, mod.alias, mod.logo_url, mod.tags, mod.description, mod.homepage_url) == ("", "", "", [], "", "")
    assert mod.last_released is None
    assert (changed.changelog, changed.game_versions, changed.file_id, changed.file_name) == ("", [], None, "")


def test_of_a_new_mod_all_that_can_be_read_is_taken() -> None:
    store(answer([release(1, tags=["1.21.5", 3])], tags=["QoL", 5], name=None))
    assert (Mod.objects.get().tags, Mod.objects.get().name) == (["QoL"], "")
    assert Release.objects.get().game_versions == ["1.21.5"]


@pytest.mark.parametrize("releases", ["missing", "none", {}, 5])
def test_an_answer_without_a_list_of_releases_loses_none(releases: object, alpha: InstalledMod) -> None:
    before, fetched = known(), Lookup.objects.get().fetched_at
    data = answer(releases)
    if releases == "missing":
        del data["releases"]
    for _time in range(2):
        stored = store(data, asked_at=timezone.now())
        assert "has no releases in it" in stored.doubt
    assert known() == before
    lookup = Lookup.objects.get()
    assert (lookup.error, lookup.fetched_at, lookup.newest_version) == (stored.doubt, fetched, "1.8.0")
    assert not Event.objects.exists()


def test_an_entry_without_its_number_may_be_any_of_those_that_are_missing(alpha: InstalledMod) -> None:
    data = answer([*(release(number) for number in ALL[:7]), release(8, releaseid="x")])
    assert store(data) == answers.Stored(changed=False)
    assert not Release.objects.exclude(gone_since=None).exists()


def test_the_address_of_an_exchanged_file_goes_with_it(alpha: InstalledMod) -> None:
    changed = {key: value for key, value in release(1, fileid=999).items() if key not in ("mainfile", "filename")}
    store(answer([changed, *(release(number) for number in ALL[1:])]))
    found = Release.objects.get(release_id=1)
    assert (found.file_id, found.file_url, found.file_name) == (999, "", "alpha_1.1.0.zip")


# --- more than half of a mod's releases vanish at once


@pytest.mark.parametrize(("left", "is_believed"), [(8, True), (4, True), (3, False), (0, False)])
def test_an_answer_that_lacks_more_than_half_is_doubted(left: int, is_believed: bool, alpha: InstalledMod) -> None:
    stored = store(answer([release(8 - number) for number in range(left)]))
    assert bool(stored.doubt) is not is_believed
    gone = Release.objects.exclude(gone_since=None).count()
    assert gone == (8 - left if is_believed else 0)
    assert (Mod.objects.get().doubted_at is None) is is_believed
    assert Lookup.objects.get().error == stored.doubt
    assert not Event.objects.exists(), "what is installed is among those that are left, or not believed to be gone"


def test_a_later_answer_that_says_the_same_is_believed(alpha: InstalledMod) -> None:
    fetched = Lookup.objects.get().fetched_at
    before = timezone.now()
    assert store(answer([]), asked_at=before).doubt
    assert store(answer([]), asked_at=before).doubt, "asked in the same round, as for another id of the same mod"
    assert Lookup.objects.get().fetched_at == fetched
    assert store(answer([]), asked_at=timezone.now()) == answers.Stored(changed=True)
    assert Release.objects.filter(gone_since=None).count() == 0
    assert Mod.objects.get().doubted_at is None
    row = InstalledMod.objects.get()
    assert (row.gone, row.retracted) == (True, False)
    assert [event.title for event in Event.objects.all()] == ["Alpha 1.8.0 is no longer offered by the mod database"]


@pytest.mark.parametrize(
    ("others", "hours", "is_believed"), [(1, 2, True), (2, 2, False), (2, 23, False), (2, 24, True)]
)
def test_several_mods_at_once_are_doubted_for_a_day(
    others: int, hours: int, is_believed: bool, alpha: InstalledMod
) -> None:
    now = timezone.now()
    for number in range(others):
        Mod.objects.create(mod_id=100 + number, asset_id=100 + number, doubted_at=now + timedelta(hours=1))
    assert store(answer([]), asked_at=now).doubt
    since = Mod.objects.get(mod_id=7).doubted_at
    assert since is not None
    stored = store(answer([]), asked_at=since + timedelta(hours=hours))
    assert bool(stored.doubt) is not is_believed
    assert Release.objects.exclude(gone_since=None).exists() is is_believed
    assert Event.objects.exists() is is_believed


def test_doubts_of_long_ago_dont_count(alpha: InstalledMod) -> None:
    now = timezone.now()
    for number in range(2):
        Mod.objects.create(mod_id=100 + number, asset_id=100 + number, doubted_at=now - timedelta(days=2))
    assert store(answer([]), asked_at=now).doubt
    assert not store(answer([]), asked_at=timezone.now()).doubt


def test_a_doubt_ends_with_an_answer_that_has_them_again(alpha: InstalledMod) -> None:
    assert store(answer([])).doubt
    assert store(answer()) == answers.Stored(changed=False)
    assert Mod.objects.get().doubted_at is None
    assert store(answer([]), asked_at=timezone.now()).doubt, "this one is the first again"
    assert not Event.objects.exists()


def test_one_whose_clock_was_ahead_is_confirmed_all_the_same(alpha: InstalledMod) -> None:
    Mod.objects.update(doubted_at=timezone.now() + timedelta(days=365))
    assert store(answer([]), asked_at=timezone.now()).doubt
    assert not store(answer([]), asked_at=timezone.now()).doubt


def test_what_was_called_retracted_is_no_wonder(alpha: InstalledMod) -> None:
    for _time in range(2):
        store(answer([release(8)]), asked_at=timezone.now())
    assert store(answer([]), retracted=("1.8.0",)) == answers.Stored(changed=True)


def test_new_releases_in_a_doubted_answer_are_stored(alpha: InstalledMod) -> None:
    assert store(answer([release(9)])).doubt
    assert Release.objects.filter(gone_since=None).count() == 9


def test_those_that_are_gone_change_nothing_any_more(alpha: InstalledMod) -> None:
    few = answer([release(number) for number in ALL[1:]])
    assert store(few) == answers.Stored(changed=True)
    since = Release.objects.get(release_id=1).gone_since
    assert store(few) == answers.Stored(changed=False)
    assert Release.objects.get(release_id=1).gone_since == since


# --- install-information


def told(**item: Any) -> InstallInfo:
    return parse_install_information({"alpha": item}, ["alpha"])["alpha"]


RETRACTED = {"errorCode": 4101, "retractionReason": "It eats <b>worlds</b>."}


@pytest.mark.parametrize(
    "item", [{}, {"errorCode": 4041}, {"errorCode": "x", "fileUrl": "/download/1/x"}, {"fileUrl": 5}]
)
def test_a_retraction_stays_until_the_release_is_offered_again(item: dict[str, Any], alpha: InstalledMod) -> None:
    lookup = Lookup.objects.get()
    assert answers.take_retraction(lookup, "1.8.0", told(**RETRACTED))
    assert not answers.take_retraction(lookup, "1.8.0", told(**item))
    assert lookup.retractions == {"1.8.0": ["It eats worlds.", False]}
    assert Release.objects.get(version="1.8.0").retraction_reason == "It eats worlds."
    assert answers.take_retraction(lookup, "1.8.0", told(fileUrl="/download/108/x"))
    assert lookup.retractions == {}
    assert not Release.objects.get(version="1.8.0").retracted


def test_a_reason_that_is_not_said_stays_with_a_moderators_word(alpha: InstalledMod) -> None:
    lookup = Lookup.objects.get()
    answers.take_retraction(lookup, "1.8.0", told(**RETRACTED))
    assert answers.take_retraction(lookup, "1.8.0", told(errorCode=4102))
    assert lookup.retractions == {"1.8.0": ["It eats worlds.", True]}
    found = Release.objects.get(version="1.8.0")
    assert (found.retracted_by_moderator, found.retraction_reason) == (True, "It eats worlds.")


# --- the list of all mods


def test_what_the_list_does_not_say_stays() -> None:
    whole = ModSummary(
        7, 8, "Alpha", "Summary", "Ann", "alpha", "both", "mod", "https://files.example.com/l.png", ("QoL",),
        ("alpha",), 1, 2, 3, 4, datetime(2025, 1, 2, tzinfo=UTC),
    )  # fmt: skip
    answers.store_list([whole])
    before, entry = model_to_dict(Mod.objects.get()), model_to_dict(CatalogueEntry.objects.get())
    names = set(before) & set(ModSummary.__slots__) - {"mod_id"}
    empty: dict[str, Any] = {name: type(getattr(whole, name))() for name in names - {"last_released"}}
    other = ModSummary(**{**_as_dict(whole), "mod_id": 9, "name": "Beta"})
    answers.store_list([replace(whole, **empty, last_released=None, unsaid=frozenset(names)), other])
    after = model_to_dict(Mod.objects.get(mod_id=7))
    assert {name: after[name] for name in names} == {name: before[name] for name in names}
    assert model_to_dict(CatalogueEntry.objects.get(number=7)) == entry
    answers.store_list([replace(whole, **empty, last_released=None), other])
    assert Mod.objects.get(mod_id=7).summary == "", "what it says is taken"


def _as_dict(summary: ModSummary) -> dict[str, Any]:
    return {name: getattr(summary, name) for name in ModSummary.__slots__}
