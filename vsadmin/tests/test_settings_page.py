"""The page of the settings: what it shows, what it changes, what it refuses, and who may."""

from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import conditional_escape
from django_q.models import Schedule
from pytest_django import Settings

from cache import conf as cache_conf
from cache import eviction
from cache.tests import helpers
from conftest import Events
from events.models import Target
from mods import conf as mods_conf
from vsadmin import panelsettings, roles, schedules
from vsadmin.lib import conf
from vsadmin.lib.stored.models import StoredSetting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored_settings")]

PAGE = "/admin/system/settings/"
REFRESH = "VS_MOD_LIST_REFRESH_INTERVAL"
LIMIT = "VS_MOD_CACHE_MAX_SIZE_MB"


def typed(client: Client, **changed: str) -> dict[str, str]:
    """What a browser sends: what the page showed, with some of it changed."""
    form = client.get(PAGE).context["form"]
    sent = {}
    for one, field in form.rows():
        if not one.is_locked:
            sent[field.html_name] = sent[field.html_initial_name] = str(field.initial)
    return {**sent, **changed}


def setting(text: str, name: str) -> str:
    return text.partition(f'id="setting-{name}"')[2].partition('<div class="form-row')[0]


def viewer(client: Client, *rights: str) -> Client:
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_storedsetting", *rights]))
    client.force_login(user)
    return client


def test_every_changeable_setting_is_on_the_page_with_its_own_checks(admin_client: Client) -> None:
    assert {face.name for face in panelsettings.FACES} == {one.name for one in conf.changeable()}
    text = admin_client.get(PAGE).text
    for face in panelsettings.FACES:
        shown = setting(text, face.name)
        for expected in (
            conditional_escape(str(face.label)),
            f'value="{face.setting.default}"',
            "This is the default.",
        ):
            assert expected in shown, (face.name, expected)
    assert "Now: every hour." in setting(text, REFRESH)
    assert "0: no limit." in setting(text, LIMIT)


def test_a_change_takes_effect_is_logged_and_says_who(admin_client: Client, events: Events) -> None:
    schedules.sync()
    response = admin_client.post(PAGE, typed(admin_client, **{REFRESH: " 7200 "}), follow=True)
    assert f"{REFRESH}: 3600 → 7200" in response.text
    assert "takes effect within a minute" in response.text
    assert mods_conf.REFRESH_INTERVAL.get() == 7200
    assert Schedule.objects.get(name="mod_cache_refresh").minutes == 120
    (told,) = events.named("setting_changed")
    assert (told["setting"], told["old"], told["new"], told["by"]) == (REFRESH, 3600, 7200, "admin")
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.change_message) == ("admin", f"Check for updates, {REFRESH}: 3600 → 7200")
    shown = setting(response.text, REFRESH)
    for expected in ('value="7200"', "every 2 hours", "Changed here by admin", "Default: every hour."):
        assert expected in shown, expected
    assert StoredSetting.objects.count() == 1, "only what was changed is stored"
    assert "every 2 hours" in admin_client.get("/admin/system/").text


def test_zero_takes_the_job_off_the_schedule(admin_client: Client) -> None:
    schedules.sync()
    admin_client.post(PAGE, typed(admin_client, **{REFRESH: "0"}))
    assert not Schedule.objects.filter(name="mod_cache_refresh").exists()
    assert "only by hand" in setting(admin_client.get(PAGE).text, REFRESH)
    admin_client.post(PAGE, {"default": REFRESH})
    assert Schedule.objects.get(name="mod_cache_refresh").minutes == 60


@pytest.mark.parametrize("how", ["button", "emptied"])
def test_back_to_the_default(admin_client: Client, events: Events, how: str) -> None:
    admin_client.post(PAGE, typed(admin_client, **{REFRESH: "7200"}))
    given = {"default": REFRESH} if how == "button" else typed(admin_client, **{REFRESH: ""})
    response = admin_client.post(PAGE, given, follow=True)
    assert f"{REFRESH}: 7200 → 3600, the default" in response.text
    assert mods_conf.REFRESH_INTERVAL.get() == 3600
    assert "Put back by admin" in setting(response.text, REFRESH)
    assert events.named("setting_changed")[-1]["default"] is True
    assert LogEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (REFRESH, "an hour", "That is not a whole number. Write a whole number of seconds, such as 3600"),
        (REFRESH, "-5", "It can&#x27;t be negative."),
        (LIMIT, "1e3", "Write a whole number of MiB, such as 500"),
        ("VS_MOD_SOAK_DAYS", "99999999999", "That is too large."),
    ],
)
def test_what_cannot_be_read_is_refused_beside_its_field(
    admin_client: Client, events: Events, name: str, text: str, why: str
) -> None:
    response = admin_client.post(PAGE, typed(admin_client, **{"VS_MOD_SCAN_INTERVAL": "600", name: text}))
    shown = setting(response.text, name)
    assert why in shown
    assert f'value="{text}"' in shown, "what was typed is kept"
    assert 'value="600"' in setting(response.text, "VS_MOD_SCAN_INTERVAL")
    assert not StoredSetting.objects.exists()
    assert not events.named("setting_changed")


def test_what_the_environment_says_is_locked(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REFRESH, "1800")
    shown = setting(admin_client.get(PAGE).text, REFRESH)
    assert "<input" not in shown
    assert f"Set by the environment or .env: {REFRESH}" in shown
    assert "every 30 minutes" in shown
    sent = {**typed(admin_client), REFRESH: "60", f"initial-{REFRESH}": "1800"}
    assert "Nothing was changed." in admin_client.post(PAGE, sent, follow=True).text
    assert "Nothing was changed." in admin_client.post(PAGE, {"default": REFRESH}, follow=True).text
    assert not StoredSetting.objects.exists()
    assert mods_conf.REFRESH_INTERVAL.get() == 1800


def test_what_was_chosen_waits_behind_the_environment(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    admin_client.post(PAGE, typed(admin_client, **{REFRESH: "7200"}))
    monkeypatch.setenv(REFRESH, "1800")
    assert "What was chosen here, 7200, waits until then." in setting(admin_client.get(PAGE).text, REFRESH)
    admin_client.post(PAGE, {"default": REFRESH})
    panelsettings.change({REFRESH: "60"}, User.objects.get())
    assert StoredSetting.objects.get().text == "7200"


def test_what_somebody_else_changed_meanwhile_stays(admin_client: Client) -> None:
    sent = typed(admin_client, VS_MOD_SCAN_INTERVAL="600")
    admin_client.post(PAGE, typed(admin_client, **{REFRESH: "7200"}))
    admin_client.post(PAGE, sent)
    assert (mods_conf.REFRESH_INTERVAL.get(), mods_conf.SCAN_INTERVAL.get()) == (7200, 600)


def test_a_stored_text_of_a_newer_version_is_told_and_can_be_replaced(admin_client: Client) -> None:
    StoredSetting.objects.create(name=REFRESH, text="hourly", changed_by_name="ann", changed_at=timezone.now())
    shown = setting(admin_client.get(PAGE).text, REFRESH)
    assert "“hourly” means nothing to this version" in shown
    admin_client.post(PAGE, typed(admin_client, VS_MOD_SCAN_INTERVAL="600"))
    assert StoredSetting.objects.get(name=REFRESH).text == "hourly", "another's change doesn't stumble over it"
    admin_client.post(PAGE, typed(admin_client, **{REFRESH: "1800"}))
    assert mods_conf.REFRESH_INTERVAL.get() == 1800


# The cache's limit.


@pytest.fixture
def filled(settings: Settings, tmp_path: Path) -> None:
    """Three files of a MiB each in the cache."""
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    for number in range(3):
        helpers.put(number, cache_conf.MIB)


def test_a_lower_limit_says_first_what_goes(admin_client: Client, filled: None) -> None:
    sent = typed(admin_client, **{LIMIT: "1", REFRESH: "7200"})
    asked = admin_client.post(PAGE, sent)
    assert "2 files, 2 MiB, will be evicted at the next check" in asked.text.replace("\xa0", " ")
    assert "what-would-go/?limit_mb=1" in asked.text
    assert not StoredSetting.objects.exists()
    for name, text in sent.items():
        assert f'name="{name}" value="{text}"' in asked.text
    back = admin_client.post(PAGE, {**sent, "again": "yes"})
    assert 'value="1"' in setting(back.text, LIMIT)
    assert not StoredSetting.objects.exists()
    admin_client.post(PAGE, {**sent, "confirmed": "yes"})
    assert (cache_conf.limit_bytes(), mods_conf.REFRESH_INTERVAL.get()) == (cache_conf.MIB, 7200)
    assert helpers.numbers() == {0, 1, 2}, "saving alone removes nothing"
    assert eviction.enforce_limit().files == 2, "the limit counts in a process that runs"


@pytest.mark.parametrize("limit", ["3", "0", "9000"])
def test_a_limit_that_evicts_nothing_is_not_asked_about(admin_client: Client, filled: None, limit: str) -> None:
    admin_client.post(PAGE, typed(admin_client, **{LIMIT: limit}))
    assert cache_conf.MAX_SIZE_MB.get() == int(limit)


def test_the_default_limit_asks_the_same_question(
    admin_client: Client, filled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = cache_conf.MAX_SIZE_MB.default
    monkeypatch.setattr(cache_conf, "MIB", 1024 * 1024 // default)  # so that the default is a real MiB
    admin_client.post(PAGE, typed(admin_client, **{LIMIT: "9000"}))
    asked = admin_client.post(PAGE, {"default": LIMIT})
    assert "3 files, 3 MiB, will be evicted at the next check" in asked.text.replace("\xa0", " ")
    assert f'name="default" value="{LIMIT}"' in asked.text
    assert cache_conf.MAX_SIZE_MB.get() == 9000
    assert admin_client.post(PAGE, {"default": LIMIT, "again": "yes"}).status_code == 302
    assert cache_conf.MAX_SIZE_MB.get() == 9000
    admin_client.post(PAGE, {"default": LIMIT, "confirmed": "yes"})
    assert cache_conf.MAX_SIZE_MB.get() == default
    admin_client.post(PAGE, typed(admin_client, **{LIMIT: "9000"}))
    monkeypatch.setattr(cache_conf, "MIB", 4 * 1024 * 1024 // default)
    admin_client.post(PAGE, {"default": LIMIT})
    assert cache_conf.MAX_SIZE_MB.get() == default, "where no file goes, nothing is asked"


# Who may.


def test_who_sees_the_system_sees_the_settings_and_changes_nothing(client: Client) -> None:
    viewer(client)
    text = client.get(PAGE).text
    assert "<input" not in setting(text, REFRESH)
    assert ">Save<" not in text
    assert "changed here" not in text
    assert "change it here" not in text
    assert "Administrators change it." in text
    assert client.post(PAGE, {REFRESH: "60", f"initial-{REFRESH}": "3600"}).status_code == 403
    assert client.post(PAGE, {"default": REFRESH}).status_code == 403


def test_others_see_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert client.get(PAGE).status_code == 403
    assert PAGE not in client.get("/admin/").text


def test_the_groups_rights_are_named() -> None:
    assert "stored.view_storedsetting" in roles.TABLE[roles.VIEWER]
    assert "stored.change_storedsetting" in roles.TABLE[roles.ADMINISTRATOR] - roles.TABLE[roles.OPERATOR]


@pytest.mark.parametrize("name", ["DEBUG", "VS_MOD_MAX_DOWNLOAD_MB", "", "\N{SNOWMAN}"])
def test_nothing_else_can_be_changed(admin_client: Client, name: str) -> None:
    assert admin_client.post(PAGE, {"default": name}).status_code == 400
    admin_client.post(PAGE, typed(admin_client, **{name or "x": "1", f"initial-{name}": "2"}))
    assert not StoredSetting.objects.exists()


# Notifications.


def test_which_kinds_go_where_without_the_addresses(admin_client: Client) -> None:
    assert "Nobody is told of anything" in admin_client.get(PAGE).text
    Target.objects.create(
        name="Our <Discord>", form="discord", address="https://example.com/s3cret", kinds=["mod_gone"]
    )
    Target.objects.create(name="Mail", form="email", address="a@example.com", kinds=["mod_gone"], active=False)
    text = admin_client.get(PAGE).text
    row = text.partition("An installed mod is gone from the mod database")[2].partition("</div>")[0]
    assert "Our &lt;Discord&gt;" in row
    assert "Mail" not in row
    assert "Off: Mail." in text
    assert "s3cret" not in text


def test_queries_are_few_whatever_there_is(admin_client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(PAGE)
        return len(captured)

    admin_client.post(PAGE, typed(admin_client, **{REFRESH: "7200"}))
    queries()
    few = queries()
    for number in range(20):
        Target.objects.create(name=f"Target {number}", form="email", address="a@example.com", kinds=["mod_gone"])
        panelsettings.change({REFRESH: str(60 * number + 60)}, User.objects.get())
    assert queries() == few <= 12
