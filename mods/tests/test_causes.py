"""What may have caused a crash: what changed since the last good start, the mod that the game names, the stack."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conftest import ServerDir
from mods import causes, crash_words, crashes
from mods.models import Crash, GameServer, InstalledMod, Mod, Release, ServerStart
from mods.tests.change_rows import make_change, make_step, replace
from mods.tests.crashing import NOW, Crashing, ago

pytestmark = pytest.mark.django_db


def test_what_changed_since_the_last_good_start_is_told(crashing: Crashing) -> None:
    crashing.updated()
    change = make_change(crashing.server, plan=None, state="done")
    step = replace("deepmining", "0.9.3", "0.9.4")
    make_step(change, step, done_at=ago(7))
    crashing.crashed(2)
    crashing.scan(1)
    (story,) = causes.latest_open([crashing.server])
    assert story.good == ServerStart.objects.get(good=True)
    assert [(one.key, one.before, one.after) for one in story.changed.changed] == [("deepmining", "0.9.3", "0.9.4")]
    (suspect,) = story.suspects
    assert (suspect.key, suspect.version, suspect.before) == ("deepmining", "0.9.4", "0.9.3")
    assert (suspect.is_named, suspect.is_involved, suspect.can_go_back) == (True, True, True)
    assert suspect.changed_at == ago(7)
    assert not story.is_put_back


def test_where_none_is_named_those_that_changed_and_first_those_in_the_stack(crashing: Crashing) -> None:
    crashing.updated()
    crashing.put("aaa", "1.0.0")
    crashing.scan(3.9)
    crashing.started(3)
    crashing.scan(2.5)
    crashing.crashed(2, culprit="")
    crashing.scan(1)
    (story,) = causes.latest_open([crashing.server])
    assert [(one.key, one.is_involved) for one in story.suspects] == [("deepmining", True), ("aaa", False)]


def test_of_a_mod_that_is_there_twice_either_version_may_be_named(crashing: Crashing) -> None:
    crashing.folder.add_zip("deepmining-old.zip", modid="deepmining", version="0.9.0")
    crashing.updated()
    crashing.crashed(3, deepmining="0.9.0")
    crashing.scan(1)
    assert Crash.objects.get().start == ServerStart.objects.first()


def test_free_text_that_is_a_mods_name_names_it(crashing: Crashing) -> None:
    crashing.updated()
    crashing.crashed(3, culprit=" in the following mod: Deepmining")
    crashing.crashed(2, culprit=" in the following mod: who knows <b>")
    crashing.scan(1)
    assert list(Crash.objects.values_list("blamed_key", "blamed_version")) == [("", ""), ("deepmining", "0.9.4")]
    assert crashes.blamed_in_words(Crash.objects.all()[0]) == "“who knows <b>”"
    assert crashes.blamed_in_words(Crash(blamed="Oh dear " * 30)) == f"“{'Oh dear ' * 9}Oh dear…”"


def test_the_crash_of_a_run_nobody_saw_isnt_laid_to_an_older_start(crashing: Crashing) -> None:
    """Updated, started, crashed, started again: all between two scans. Of files without an id no entry tells."""
    (crashing.folder.mods / "tool.dll").write_bytes(b"MZ")
    crashing.updated(restart=False)
    crashing.crashed(4)
    crashing.started(3)
    crashing.scan(1)
    crash = Crash.objects.get()
    assert ServerStart.objects.count() == 2
    assert crash.start is None
    (story,) = causes.latest_open([crashing.server])
    assert story.good is not None
    assert [one.key for one in story.changed.changed] == ["deepmining"]
    assert [one.key for one in story.suspects] == ["deepmining"]


def test_a_good_start_that_crashed_later_comes_after_one_that_did_not(crashing: Crashing) -> None:
    crashing.updated()
    ServerStart.objects.filter(good=None).update(good=True)
    latest = ServerStart.objects.all()[0]
    crashing.crashed(4.5)
    crashing.scan(4)
    crashing.started(3)
    crashing.scan(2.5)
    crashing.crashed(2)
    crashing.scan(1)
    ServerStart.objects.filter(pk=latest.pk).update(good=True)
    (story,) = causes.latest_open([crashing.server])
    assert story.good is not None
    assert story.good != latest
    assert story.open_ones == 2


def test_a_crash_is_over_once_dismissed_or_a_later_start_was_good(crashing: Crashing) -> None:
    crashing.updated()
    crashing.crashed(4)
    crashing.crashed(3)
    crashing.scan(2)
    latest = Crash.objects.all()[0]
    assert crashes.dismiss(latest, by="ann") == 2
    assert not causes.latest_open([crashing.server])
    latest.refresh_from_db()
    assert latest.dismissed_by_name == "ann"

    Crash.objects.update(dismissed_at=None)
    crashing.started(1)
    crashing.scan(0.5)
    assert causes.latest_open([crashing.server])
    crashing.scan(-15)
    assert not causes.latest_open([crashing.server])


def test_a_set_put_back_is_told(crashing: Crashing) -> None:
    before = (crashing.folder.mods / "deepmining.zip").read_bytes()
    crashing.updated()
    crashing.crashed(3)
    crashing.scan(2)
    (crashing.folder.mods / "deepmining.zip").write_bytes(before)
    crashing.scan(1)
    (story,) = causes.latest_open([crashing.server])
    assert story.is_put_back
    assert not story.suspects[0].can_go_back


def test_a_crash_known_late_makes_its_start_no_good_one(crashing: Crashing) -> None:
    crashing.updated()
    crashing.scan(-20)
    assert ServerStart.objects.all()[0].good is True
    crashing.crashed(2)
    crashing.scan(-21)
    assert ServerStart.objects.all()[0].good is False


def test_stories_of_many_servers_take_as_many_queries_as_of_one(
    server_dir: Callable[..., ServerDir], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = []
    for name in ("a", "b", "c"):
        one = Crashing(server_dir(name), monkeypatch)
        GameServer.objects.filter(pk=one.server.pk).update(name=name)
        one.server.refresh_from_db()
        one.updated()
        one.crashed(2)
        one.scan(1)
        servers.append(one.server)
    counts = []
    for chosen in (servers[:1], servers):
        with CaptureQueriesContext(connection) as queries:
            assert len(causes.latest_open(chosen)) == len(chosen)
        counts.append(len(queries))
    assert counts[0] == counts[1] == 5
    Crash.objects.update(dismissed_at=NOW)
    with CaptureQueriesContext(connection) as queries:
        assert not causes.latest_open(servers)
    assert len(queries) == 1


def test_a_run_that_crashed_late_is_not_its_own_last_good_start(crashing: Crashing) -> None:
    """Both runs were good at first and crashed later: before the second there was the first."""
    crashing.scan(5000)
    for minutes in (4000, 2000):
        crashing.started(minutes)
        crashing.scan(minutes - 5)
        crashing.scan(minutes - 20)
        crashing.crashed(minutes - 1000, culprit="", deepmining="0.9.3")
        crashing.scan(minutes - 1001)
    later, earlier = causes.stories(Crash.objects.all())
    assert later.good is not None
    assert later.good.started_at == ago(4000)
    assert earlier.good is None


# --- the game


def test_a_game_update_is_a_change_like_any_other(crashing: Crashing) -> None:
    before = (crashing.folder.mods / "deepmining.zip").read_bytes()
    crashing.updated(restart=False)
    (crashing.folder.mods / "deepmining.zip").write_bytes(before)
    crashing.game = "1.21.6"
    crashing.started(5)
    crashing.scan(4)
    mod = Mod.objects.create(mod_id=1, name="Some")
    for number, (modid, listed) in enumerate({"deepmining": ["1.21.5"], "other": ["1.21.5", "1.21.6"]}.items()):
        release = Release.objects.create(mod=mod, release_id=number, modid=modid, game_versions=listed)
        InstalledMod.objects.filter(modid=modid).update(release=release)
    crashing.crashed(2, culprit="", deepmining="0.9.3", frame="Vintagestory.Server.ServerMain.Process()")
    crashing.scan(1)
    (story,) = causes.latest_open([crashing.server])
    assert story.game == causes.GameChange("1.21.5", "1.21.6", ("Deepmining",))
    words = crash_words.changed_in_words(story)
    assert "): the game 1.21.5 → 1.21.6. Not listed for 1.21.6: Deepmining." in words
    assert not story.is_put_back, "its mods were never others"
    assert not story.can_be_put_back
    assert "restart it" not in crash_words.detail(story)


def test_the_same_game_is_no_change(crashing: Crashing) -> None:
    crashing.updated()
    crashing.crashed(2, culprit="")
    crashing.scan(1)
    (story,) = causes.latest_open([crashing.server])
    assert story.game is None
    assert "the game" not in crash_words.changed_in_words(story)


# --- a new mod


def test_a_new_mod_that_the_game_names_is_installed_not_updated(crashing: Crashing) -> None:
    before = (crashing.folder.mods / "deepmining.zip").read_bytes()
    crashing.updated(restart=False)
    (crashing.folder.mods / "deepmining.zip").write_bytes(before)
    crashing.put("tallow", "1.0.0")
    crashing.scan(6)
    crashing.started(5)
    crashing.scan(4)
    crashing.crashed(2, culprit=" in the following mod: tallow@1.0.0", deepmining="0.9.3")
    crashing.scan(1)
    (story,) = causes.latest_open([crashing.server])
    (suspect,) = story.suspects
    assert (suspect.key, suspect.is_new, suspect.can_be_disabled, suspect.can_go_back) == ("tallow", True, True, False)
    assert "The game names tallow 1.0.0 (new since the last good start)." in crash_words.headline(story)
    change = make_change(crashing.server, plan=None, state="done")
    make_step(change, replace("tallow", "", "1.0.0"), done_at=ago(6))
    (story,) = causes.latest_open([crashing.server])
    assert "(installed " in crash_words.headline(story)


@pytest.mark.parametrize(("before", "word"), [("0.9.3", "updated"), ("0.9.5", "changed")])
def test_an_older_version_put_in_place_is_no_update(before: str, word: str, crashing: Crashing) -> None:
    crashing.updated()
    change = make_change(crashing.server, plan=None, state="done")
    make_step(change, replace("deepmining", before, "0.9.4"), done_at=ago(7))
    crashing.crashed(2)
    crashing.scan(1)
    (story,) = causes.latest_open([crashing.server])
    assert f"({word} " in crash_words.headline(story)


def test_where_no_good_start_is_known_that_is_said(crashing: Crashing) -> None:
    crashing.started(30)
    crashing.scan(29)
    crashing.crashed(2, "")
    crashing.scan()
    story = causes.story_of(Crash.objects.get())
    words = "No good start from before is known, so nothing can be said of what changed."
    assert words in crash_words.detail(story)
    assert crash_words.changed_in_words(story) == words
