"""What people do to the cache in the panel: asked first, only with the right, recorded, and answered in words."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from cache import eviction, places
from cache.models import CacheEntry
from cache.tests.conftest import SetLimit
from cache.tests.helpers import MIB, disagreements, fill, numbers, path_of, put
from conftest import Events
from vsadmin.lib import locks
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import JobRun

pytestmark = pytest.mark.django_db

LIST = "/admin/cache/cacheentry/"
CLEAR, TRIM, VERIFY, PREVIEW = (LIST + name for name in ("clear/", "trim/", "verify/", "what-would-go/"))


def chosen(*entries: CacheEntry, **more: str) -> dict[str, object]:
    """What the list's form sends for these entries."""
    return {"action": "evict_selected", "index": "0", "_selected_action": [entry.pk for entry in entries], **more}


def person(*rights: str) -> Client:
    user = User.objects.create_user(f"person{User.objects.count()}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights, content_type__app_label="cache"))
    client = Client()
    client.force_login(user)
    return client


def told(response: object) -> str:
    """The messages of the page that a redirect led to."""
    return " ".join(str(message) for message in response.context["messages"])  # type: ignore[attr-defined]  # a test client's


def test_clear_asks_first_then_removes_everything(admin_client: Client, events: Events) -> None:
    fill(3, 1000)
    asked = admin_client.get(CLEAR)
    assert "3 files, 2.9 KiB, will be removed." in asked.text
    assert "They will be downloaded again when needed." in asked.text
    assert CacheEntry.objects.count() == 3, "asking removes nothing"
    answer = admin_client.post(CLEAR, follow=True)
    assert "3 files removed, 2.9 KiB freed, 0 bytes left." in told(answer)
    assert 'href="/admin/cache/cacheentry/#doings"' in told(answer)
    assert answer.redirect_chain == [(LIST, 302)]
    assert numbers() == set()
    assert {event["reason"] for event in events.named("cache_evicted")} == {"manual_clear"}
    entry = LogEntry.objects.get()
    assert (entry.user.username, str(entry.content_type)) == ("admin", "Download cache | cached file")
    assert entry.get_change_message().startswith("Cleared the cache: 3 files removed")
    assert "Cleared the cache: 3 files removed" in answer.text, "and the page tells who did what"


def test_one_file_is_told_in_the_singular(admin_client: Client) -> None:
    put(1)
    text = admin_client.get(CLEAR).text
    assert "1 file, 1000 bytes, will be removed." in text
    assert "It will be downloaded again when needed." in text


def test_selected_files_alone_go(admin_client: Client) -> None:
    first, second, _third = put(1), put(2), put(3)
    asked = admin_client.post(LIST, chosen(first, second))
    assert asked.status_code == 200
    assert "Remove 2 files from the cache?" in asked.text
    assert "Mod 1 1.0.0" in asked.text
    assert numbers() == {1, 2, 3}
    answer = admin_client.post(LIST, chosen(first, second, confirmed="yes"), follow=True)
    assert "2 files removed" in told(answer)
    assert numbers() == {3}
    assert (
        LogEntry.objects.get()
        .get_change_message()
        .startswith("Removed from the cache: Mod 1 1.0.0, Mod 2 1.0.0: 2 files removed")
    )


def test_all_that_a_search_finds_can_be_chosen_beyond_the_page(admin_client: Client) -> None:
    fill(120)
    first = CacheEntry.objects.get(key="moddb:1")
    query = LIST + "?q=mod1"  # 1, 10 to 19, 100 to 119
    asked = admin_client.post(query, chosen(first, select_across="1"))
    assert "Remove 31 files from the cache?" in asked.text
    assert "and 21 more" in asked.text
    admin_client.post(query, chosen(first, select_across="1", confirmed="yes"))
    assert CacheEntry.objects.count() == 89
    assert not disagreements()


def test_a_forged_choice_is_refused(admin_client: Client) -> None:
    put(1)
    for forged in ("x", "9" * 30, "-1"):
        answer = admin_client.post(LIST, {"action": "evict_selected", "index": "0", "_selected_action": forged})
        assert answer.status_code == 400
    nothing = admin_client.post(LIST, {"action": "evict_selected", "index": "0"}, follow=True)
    assert "Items must be selected" in told(nothing)


def test_trim_to_another_limit_evicts_the_oldest(admin_client: Client) -> None:
    for number in range(4):
        put(number, MIB, age=100 - number)
    asked = admin_client.get(TRIM + "?limit_mb=2")
    assert "2 files, 2 MiB, will be removed." in asked.text
    assert '<input type="hidden" name="limit_mb" value="2">' in asked.text
    answer = admin_client.post(TRIM, {"limit_mb": "2"}, follow=True)
    assert "2 files removed, 2 MiB freed, 2 MiB left." in told(answer)
    assert numbers() == {2, 3}
    assert "Trimmed the cache to 2 MiB: 2 files removed" in LogEntry.objects.get().get_change_message()


def test_trim_without_a_limit_means_the_setting(admin_client: Client, set_limit: SetLimit) -> None:
    for number in range(3):
        put(number, MIB, age=100 - number)
    set_limit(2)
    assert "Trim to the limit" in admin_client.get(LIST).text, "the page offers it when over the limit"
    assert "1 file, 1 MiB, will be removed." in admin_client.get(TRIM).text
    admin_client.post(TRIM)
    assert numbers() == {1, 2}
    assert "Nothing would go: the cache is within 2 MiB." in admin_client.get(TRIM).text
    assert "Nothing had to go" in told(admin_client.post(TRIM, follow=True))
    assert "Trim to the limit" not in admin_client.get(LIST).text


@pytest.mark.parametrize("bad", ["", "x", "-3", "9" * 5000, "1.5", "12; DROP"])
def test_a_limit_that_is_none_is_refused_in_words(admin_client: Client, bad: str) -> None:
    put(1)
    for answer in (admin_client.post(TRIM, {"limit_mb": bad}), admin_client.get(PREVIEW, {"limit_mb": bad})):
        assert answer.status_code == 200
        assert "Write a limit in MiB, such as 300." in answer.text
    assert numbers() == {1}


def test_what_would_go_changes_nothing(admin_client: Client) -> None:
    for number in range(250):
        put(number, 10_000, age=1000 - number)
    text = admin_client.get(PREVIEW, {"limit_mb": "1"}).text
    assert "146 files would go, 1.4 MiB." in text
    assert "1016 KiB would be left, within 1 MiB." in text
    assert text.index("Mod 0 1.0.0") < text.index("Mod 1 1.0.0"), "in the order in which they go"
    assert f'href="{TRIM}?limit_mb=1"' in text
    assert CacheEntry.objects.count() == 250
    assert "Nothing would go" in admin_client.get(PREVIEW, {"limit_mb": "500"}).text
    assert "A limit of 0 means that everything is kept" in admin_client.get(PREVIEW, {"limit_mb": "0"}).text
    assert "Nothing would go" in admin_client.get(PREVIEW).text, "it begins with the limit that is set"


def test_the_first_200_are_listed(admin_client: Client) -> None:
    fill(250, 100_000)
    text = admin_client.get(PREVIEW, {"limit_mb": "1"}).text
    assert text.count('<th scope="row"') == 200
    assert "and 40 more" in text


def test_verify_runs_in_the_background(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    put(1)
    monkeypatch.setattr(runner, "async_task", lambda *_path, **_arguments: None)
    assert "1 file, 1000 bytes, will be read" in admin_client.get(VERIFY).text
    assert not JobRun.objects.exists()
    answer = admin_client.post(VERIFY, follow=True)
    run = JobRun.objects.get()
    assert (run.job, run.asked_by.username) == ("cache_verify", "admin")  # type: ignore[union-attr]  # it is set
    assert answer.redirect_chain == [(f"{LIST}?run={run.pk}", 302)]
    assert 'id="run-box"' in answer.text
    assert LogEntry.objects.get().get_change_message() == "Started to verify the cache"
    again = admin_client.post(VERIFY, follow=True)
    assert "under way already" in told(again)
    assert LogEntry.objects.count() == 1


def test_who_may_evict_sees_how_far_the_verification_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "async_task", lambda *_path, **_arguments: None)
    answer = person("view_cacheentry", "evict_cacheentry").post(VERIFY, follow=True)
    assert 'id="run-box"' in answer.text
    seen = person("view_cacheentry").get(f"{LIST}?run={JobRun.objects.get().pk}")
    assert 'id="run-box"' not in seen.text


RIGHTS = [
    (),
    ("view_cacheentry",),
    ("evict_cacheentry",),
    ("clear_cacheentry",),
    ("view_cacheentry", "evict_cacheentry"),
    ("view_cacheentry", "clear_cacheentry"),
    ("view_cacheentry", "evict_cacheentry", "clear_cacheentry"),
]


@pytest.mark.parametrize("rights", RIGHTS, ids=" ".join)
def test_each_right_opens_its_own_pages_only(rights: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "async_task", lambda *_path, **_arguments: None)
    entry = put(1)
    client = person(*rights)
    may_view, may_evict, may_clear = (
        f"{verb}_cacheentry" in rights for verb in ("view", "evict", "clear")
    )  # fmt: skip

    def open_to(status: int, *, allowed: bool) -> bool:
        return (status != 403) is allowed

    assert open_to(client.get(LIST).status_code, allowed=may_view)
    assert open_to(client.get(f"{LIST}{entry.pk}/change/").status_code, allowed=may_view)
    assert open_to(client.get(PREVIEW).status_code, allowed=may_view)
    assert open_to(client.post(LIST, chosen(entry)).status_code, allowed=may_view and may_evict)
    for address, allowed in ((TRIM, may_evict), (VERIFY, may_evict), (CLEAR, may_clear)):
        assert open_to(client.get(address).status_code, allowed=allowed), address
        answer = client.post(address)
        assert open_to(answer.status_code, allowed=allowed), address
        if allowed:
            assert answer.url.startswith(LIST if may_view else "/admin/")  # type: ignore[attr-defined]  # a redirect
    assert client.get(f"{LIST}{entry.pk}/delete/").status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403


@pytest.mark.parametrize("rights", [one for one in RIGHTS if "view_cacheentry" in one], ids=" ".join)
def test_without_the_right_there_is_no_button(rights: tuple[str, ...]) -> None:
    entry = put(1)
    client = person(*rights)
    text = client.get(LIST).text
    assert (f'href="{CLEAR}"' in text) is ("clear_cacheentry" in rights)
    for sign in (f'href="{VERIFY}"', "Remove the selected files", 'class="action-select"'):
        assert (sign in text) is ("evict_cacheentry" in rights), sign
    text = client.get(f"{LIST}{entry.pk}/change/").text
    assert ("Remove from the cache" in text) is ("evict_cacheentry" in rights)


def test_a_link_can_never_remove_anything(admin_client: Client) -> None:
    put(1)
    for address in (CLEAR, TRIM + "?limit_mb=0&confirmed=yes", CLEAR + "?confirmed=yes"):
        admin_client.get(address)
    assert numbers() == {1}
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="admin"))
    assert strict.post(CLEAR).status_code == 403
    assert numbers() == {1}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (locks.Busy("cache"), "Others kept changing the cache for two minutes."),
        (PermissionError(13, "Permission denied", "x.zip"), "Access was refused to x.zip."),
        (DatabaseError("disk I/O error"), "The database can't be written just now."),
    ],
)
def test_trouble_is_told_in_words(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    put(1)

    def fail() -> None:
        raise error

    monkeypatch.setattr(eviction, "clear", fail)
    answer = admin_client.post(CLEAR, follow=True)
    assert answer.status_code == 200
    assert words in told(answer)
    assert words in LogEntry.objects.get().get_change_message(), "that it was tried is recorded"


def test_a_file_that_cannot_be_removed_is_told(admin_client: Client) -> None:
    entry = put(1)
    put(2)
    path_of(entry).unlink()
    path_of(entry).mkdir()
    answer = admin_client.post(CLEAR, follow=True)
    assert "1 file removed" in told(answer)
    assert "1 file couldn&#x27;t be removed; the log names it." in answer.text
    assert numbers() == {1}


def test_a_missing_folder_is_an_empty_cache(admin_client: Client, settings: Settings) -> None:
    assert not places.folder().exists()
    assert "There is nothing to remove" in admin_client.get(CLEAR).text
    assert "Nothing had to go" in told(admin_client.post(CLEAR, follow=True))


def test_choosing_all_costs_the_same_however_many(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fill(300)
    first = CacheEntry.objects.get(key="moddb:1")
    with django_assert_max_num_queries(20):
        admin_client.post(LIST, chosen(first, select_across="1"))
    assert eviction.preview_clear().files == 300
