"""An alarm is decided by a person with the right: dismissed, or the new content accepted; always the one they saw."""

import hashlib

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from cache import alarms, eviction
from cache.models import CacheEntry, KnownDigest
from cache.store import FetchError
from cache.tests.helpers import BytesSource, disagreements, fetch, path_of, put
from cache.tests.test_admin_actions import person, told
from conftest import Events

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/cache/cacheentry/"
OTHER = b"other bytes"
DIGEST = hashlib.sha256(OTHER).hexdigest()


def offer(content: bytes = OTHER) -> bytes:
    """Fetch file 1 anew from a source that has this content."""
    eviction.clear()
    with fetch(1, source=BytesSource(content)) as file:
        return file.read()


@pytest.fixture
def alarm() -> KnownDigest:
    """Other bytes were offered for file 1, which is in the cache."""
    put(1)
    with pytest.raises(FetchError):
        offer()
    put(1)
    return KnownDigest.objects.alarmed().get()


def address(alarm: KnownDigest) -> str:
    return f"{LIST}alarms/{alarm.pk}/"


def answer(decision: str, refused: str = DIGEST) -> dict[str, str]:
    return {"decision": decision, "refused": refused}


def test_what_is_dismissed_goes_on_being_refused(alarm: KnownDigest, admin_client: Client, events: Events) -> None:
    response = admin_client.post(address(alarm), answer("dismiss"), follow=True)
    assert "The alarm about Mod 1 1.0.0 is dismissed." in told(response)
    assert not KnownDigest.objects.alarmed().exists()
    assert KnownDigest.objects.get().sha256 == alarm.sha256
    assert CacheEntry.objects.get().sha256 == alarm.sha256, "what is kept stays"
    assert LogEntry.objects.get().get_change_message() == "Dismissed the alarm about Mod 1 1.0.0"
    assert LogEntry.objects.get().user.username == "admin"
    assert len(events.named("cache_alarm_dismissed")) == 1
    with pytest.raises(FetchError):
        offer()
    assert KnownDigest.objects.alarmed().get().refusals == 1, "and is a new alarm"


def test_what_is_accepted_comes_with_the_next_download(
    alarm: KnownDigest, admin_client: Client, events: Events
) -> None:
    events.all.clear()
    response = admin_client.post(address(alarm), answer("accept"), follow=True)
    assert "The new content of Mod 1 1.0.0 is accepted" in told(response)
    assert not CacheEntry.objects.exists(), "the old content is handed out no more"
    assert not disagreements()
    assert [event["reason"] for event in events.named("cache_evicted")] == ["manual_clear"]
    (logged,) = events.named("cache_digest_accepted")
    assert (logged["known_sha256"], logged["accepted_sha256"]) == (alarm.sha256, DIGEST)
    assert LogEntry.objects.get().get_change_message() == (
        f"Accepted the new content of Mod 1 1.0.0: SHA-256 {DIGEST[:12]}… instead of {alarm.sha256[:12]}…"
    )
    assert offer() == OTHER
    with pytest.raises(FetchError):
        offer(b"a third content")


@pytest.mark.parametrize("decision", ["dismiss", "accept"])
def test_others_refused_meanwhile_are_not_decided_about(
    alarm: KnownDigest, admin_client: Client, decision: str
) -> None:
    with pytest.raises(FetchError):
        offer(b"a third content")
    put(1)
    before = KnownDigest.objects.get()
    response = admin_client.post(address(alarm), answer(decision), follow=True)
    assert "isn't the one you were shown" in told(response)
    after = KnownDigest.objects.get()
    assert (after.sha256, after.refused_sha256) == (before.sha256, before.refused_sha256)
    assert CacheEntry.objects.count() == 1
    assert not LogEntry.objects.exists()


def test_nothing_is_accepted_where_the_kept_file_cannot_be_removed(alarm: KnownDigest, admin_client: Client) -> None:
    stubborn = path_of(CacheEntry.objects.get())
    stubborn.unlink()
    stubborn.mkdir()
    response = admin_client.post(address(alarm), answer("accept"), follow=True)
    assert "Nothing was accepted." in told(response)
    assert KnownDigest.objects.alarmed().get().sha256 == alarm.sha256


def test_a_file_named_by_its_content_takes_no_other(alarm: KnownDigest, admin_client: Client) -> None:
    KnownDigest.objects.update(key=f"sha256:{alarm.sha256}")
    alarm.refresh_from_db()
    assert "Accept the new content" not in admin_client.get(address(alarm)).text
    assert admin_client.post(address(alarm), answer("accept")).status_code == 400
    with pytest.raises(ValueError):
        alarms.accept(alarm, DIGEST)


def test_the_page_tells_both_contents_and_what_each_decision_means(alarm: KnownDigest, admin_client: Client) -> None:
    text = admin_client.get(address(alarm)).text
    for part in (alarm.sha256, DIGEST, "Dismiss the alarm", "Accept the new content", "The file kept here is removed."):
        assert part in text
    assert KnownDigest.objects.alarmed().exists(), "looking decides nothing"
    entry = CacheEntry.objects.get()
    for page in (LIST, f"{LIST}{entry.pk}/change/"):
        assert f'href="{address(alarm)}"' in admin_client.get(page).text
    admin_client.post(address(alarm), answer("dismiss"))
    assert "There is no alarm about Mod 1 1.0.0 any more." in told(admin_client.get(address(alarm), follow=True))


@pytest.mark.parametrize("forged", ["", "both"])
def test_a_forged_decision_is_refused(alarm: KnownDigest, admin_client: Client, forged: str) -> None:
    assert admin_client.post(address(alarm), answer(forged)).status_code == 400
    assert admin_client.get(f"{LIST}alarms/{alarm.pk + 1}/").status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="admin"))
    assert strict.post(address(alarm), answer("accept")).status_code == 403
    assert KnownDigest.objects.alarmed().exists()


@pytest.mark.parametrize(
    "rights", [("view_cacheentry", "evict_cacheentry", "clear_cacheentry"), ("view_cacheentry", "decide_knowndigest")]
)
def test_deciding_is_a_right_of_its_own(alarm: KnownDigest, rights: tuple[str, ...]) -> None:
    may = "decide_knowndigest" in rights
    client = person(*rights)
    assert (f'href="{address(alarm)}"' in client.get(LIST).text) is may
    assert (client.get(address(alarm)).status_code == 200) is may
    assert (client.post(address(alarm), answer("accept")).status_code == 302) is may
    assert KnownDigest.objects.alarmed().exists() is not may
