"""The Cache page and each file's page: what they say, find and sort, and that their cost doesn't follow the length."""

from datetime import timedelta

import pytest
from django.contrib.admin.templatetags.admin_list import result_headers
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cache import charts, counters, statistics, wording
from cache.models import CacheDay, CacheEntry, KnownDigest
from cache.statistics import Day, Figures, Statistics
from cache.tests.conftest import SetLimit
from cache.tests.helpers import MIB, fetch, fill, put

pytestmark = pytest.mark.django_db

LIST = "/admin/cache/cacheentry/"
EVIL = "<script>alert(1)</script>"


def titles(client: Client, query: str = "") -> list[str]:
    response = client.get(LIST + query)
    assert response.status_code == 200
    return [entry.title for entry in response.context["cl"].result_list]


def page_of(entry: CacheEntry) -> str:
    return f"{LIST}{entry.pk}/change/"


def raise_alarm(entry: CacheEntry, times: int = 1) -> None:
    KnownDigest.objects.filter(key=entry.key).update(
        refused_sha256="ab" * 32, refused_at=timezone.now() - timedelta(hours=3), refusals=times
    )


def test_the_heading_and_the_figures(admin_client: Client, set_limit: SetLimit) -> None:
    set_limit(4)
    put(1, 3 * MIB)
    fetch(1).close()
    response = admin_client.get(LIST)
    text = response.text
    assert "<h1>3 of 4 MiB used.</h1>" in text
    assert f'<progress value="{3 * MIB}" max="{4 * MIB}"' in text
    rows = {row.label: row.values for row in response.context["rows"]}
    assert rows["Hits"] == ("1", "1", "1")
    assert rows["Misses"] == ("1", "1", "1")
    assert rows["Hit rate"] == ("50 %", "50 %", "50 %")
    assert rows["Saved"][2] == "3 MiB"
    assert rows["Evicted"][0] == "0 files"
    assert "free on the disk" in text


def test_evictions_are_counted_in_files_and_bytes(admin_client: Client, set_limit: SetLimit) -> None:
    set_limit(1)
    put(1, MIB)
    put(2, MIB)
    response = admin_client.get(LIST)
    rows = {row.label: row.values for row in response.context["rows"]}
    assert rows["Evicted"] == ("1 file", "1 file", "1 file")
    assert rows["Freed"] == ("1 MiB", "1 MiB", "1 MiB")


def test_without_a_limit(admin_client: Client, set_limit: SetLimit) -> None:
    set_limit(0)
    put(1, MIB)
    text = admin_client.get(LIST).text
    assert "<h1>1 MiB used, no limit is set.</h1>" in text
    assert "Nothing is ever evicted." in text


def test_an_empty_cache_teaches(admin_client: Client) -> None:
    text = admin_client.get(LIST).text
    assert "<h1>The cache is empty.</h1>" in text
    assert "The cache fills by itself" in text
    assert "When it holds more than 500 MiB" in text
    assert "Clear cache" not in text


def test_each_column(admin_client: Client) -> None:
    entry = put(7, 2 * MIB, age=3600 * 3)
    text = admin_client.get(LIST).text
    for shown in ("Mod 7", "1.0.0", entry.file_name, "2 MiB", "3 h ago", "1×", "mods.<wbr>example", page_of(entry)):
        assert shown in text.replace("</span>", "").replace("<wbr>.", ".<wbr>"), shown


@pytest.mark.parametrize("column", [1, *range(3, 9)])
def test_every_column_but_the_version_sorts(admin_client: Client, column: int) -> None:
    first, second = put(1, 1000, age=50), put(2, 2000)
    CacheEntry.objects.filter(pk=second.pk).update(
        version="2.0.0", times_used=9, source="https://z.example.com/", stored_at=timezone.now() + timedelta(hours=1)
    )
    assert first.title == "Mod 1"
    assert titles(admin_client, f"?o={column}") == ["Mod 1", "Mod 2"]
    assert titles(admin_client, f"?o=-{column}") == ["Mod 2", "Mod 1"]


def test_versions_are_not_sorted_as_text(admin_client: Client) -> None:
    """1.10 comes after 1.9; a column that would say otherwise isn't sorted."""
    put(1)
    sorts = {header["text"]: header["sortable"] for header in result_headers(admin_client.get(LIST).context["cl"])}
    assert (sorts["version"], sorts["size"]) == (False, True)


def test_the_latest_used_stands_first(admin_client: Client) -> None:
    put(1, age=10)
    put(2, age=99)
    put(3, age=1)
    assert titles(admin_client) == ["Mod 3", "Mod 1", "Mod 2"]


@pytest.mark.parametrize("query", ["Mod 2", "mod2_1", "2.5.0", "files.example"])
def test_search(admin_client: Client, query: str) -> None:
    put(1)
    CacheEntry.objects.filter(pk=put(2).pk).update(version="2.5.0", source="https://files.example.com/a")
    assert titles(admin_client, f"?q={query}") == ["Mod 2"]
    assert "Nothing fits" in admin_client.get(f"{LIST}?q=nothing-like-it").text


def test_filters(admin_client: Client) -> None:
    day = 86400
    put(1, age=2 * day)
    put(2, age=40 * day)
    put(3, age=100 * day)
    raise_alarm(CacheEntry.objects.get(key="moddb:1"))
    CacheEntry.objects.filter(key="moddb:2").update(checked=False, times_used=5)
    assert titles(admin_client, "?used=week") == ["Mod 1"]
    assert titles(admin_client, "?used=not30") == ["Mod 2", "Mod 3"]
    assert titles(admin_client, "?used=not90") == ["Mod 3"]
    assert titles(admin_client, "?used=once") == ["Mod 1", "Mod 3"]
    assert titles(admin_client, "?state=alarm") == ["Mod 1"]
    assert titles(admin_client, "?state=unchecked") == ["Mod 2"]
    assert len(titles(admin_client, "?state=nonsense&used=x")) == 3


def test_an_alarm_is_a_banner_and_stands_at_its_file(admin_client: Client) -> None:
    entry = put(1)
    raise_alarm(entry, times=2)
    text = admin_client.get(LIST).text
    assert "Other content was offered for Mod 1 1.0.0." in text
    assert "It was refused 2 times" in text
    assert "Ask the mod&#x27;s author" in text or "Ask the mod's author" in text
    assert '<span class="tag bad">alarm</span>' in text
    text = admin_client.get(page_of(entry)).text
    assert "ab" * 32 in text
    assert "Other content was offered for this file." in text


def test_an_alarm_outlives_its_file(admin_client: Client) -> None:
    entry = put(1)
    raise_alarm(entry)
    admin_client.post(f"{LIST}clear/")
    text = admin_client.get(LIST).text
    assert "Other content was offered for Mod 1 1.0.0." in text
    assert "ab" * 32 in text, "both contents are told, there being no page of the file"


def test_many_alarms_are_not_told_one_by_one(admin_client: Client) -> None:
    for number in range(8):
        raise_alarm(put(number))
    text = admin_client.get(LIST).text
    assert text.count("Other content was offered for") == 5
    assert "3 more files were offered with other content." in text


def test_a_file_and_all_that_is_known_of_it(admin_client: Client) -> None:
    entry = put(1, age=3600 * 5)
    text = admin_client.get(page_of(entry)).text
    for shown in (entry.sha256, entry.key, entry.file_name, entry.source, "5 h ago", "No other content was ever"):
        assert shown in text, shown
    CacheEntry.objects.update(checked=False, source="", version="")
    text = admin_client.get(page_of(entry)).text
    assert "It was found on the disk without a record" in text


@pytest.mark.parametrize("number", ["999", "9" * 40, "x", "-1"])
def test_a_file_that_is_gone(admin_client: Client, number: str) -> None:
    assert admin_client.get(f"{LIST}{number}/change/").status_code == 302


def test_what_strangers_wrote_stays_text(admin_client: Client) -> None:
    entry = put(1)
    raise_alarm(entry)
    CacheEntry.objects.update(title=EVIL, version=EVIL, source="javascript:alert(1)//" + EVIL, file_name=EVIL + "~x")
    KnownDigest.objects.update(title=EVIL)
    confirm = {"action": "evict_selected", "index": "0", "_selected_action": entry.pk}
    pages = [
        admin_client.get(LIST),
        admin_client.get(page_of(entry)),
        admin_client.get(f"{LIST}what-would-go/?limit_mb=0"),
        admin_client.post(LIST, confirm),
        admin_client.get(f"{LIST}?q={EVIL}"),
        admin_client.post(LIST, {**confirm, "confirmed": "yes"}, follow=True),
    ]
    for number, response in enumerate(pages):
        assert response.status_code == 200
        assert EVIL not in response.text, number
        assert 'href="javascript:' not in response.text, number
        assert " style=" not in response.text, number


def test_the_number_of_queries_does_not_depend_on_the_number_of_entries(admin_client: Client) -> None:
    found = {}
    admin_client.get(LIST)  # content types are looked up once
    for count in (50, 500):
        CacheEntry.objects.all().delete()
        counters.add(files=-counters.totals().files, bytes=-counters.totals().bytes)
        fill(count)
        for query in ("", "?q=Mod&used=week&o=1"):
            with CaptureQueriesContext(connection) as queries:
                admin_client.get(LIST + query)
            texts = [one["sql"].upper() for one in queries]
            found[count, query] = len(texts)
            entries = [text for text in texts if 'FROM "CACHE_CACHEENTRY"' in text]
            assert sum("COUNT(" in text for text in entries) == 1, "counted once"
            assert not any("SUM(" in text for text in entries)
    assert found[50, ""] == found[500, ""] <= 18
    assert found[50, "?q=Mod&used=week&o=1"] == found[500, "?q=Mod&used=week&o=1"]


def test_without_the_folder_there_is_a_reason(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Statistics:
        raise PermissionError(13, "Permission denied", "cache")

    monkeypatch.setattr(statistics, "read", fail)
    text = admin_client.get(LIST).text
    assert "The cache can&#x27;t be read." in text
    assert "Access was refused to cache." in text


# Charts and words.


def days(*values: tuple[int, float | None]) -> list[Day]:
    today = timezone.now().date()
    return [
        Day(
            today - timedelta(days=len(values) - number - 1),
            size,
            Figures() if rate is None else Figures(hits=round(rate * 100), misses=100 - round(rate * 100)),
        )
        for number, (size, rate) in enumerate(values)
    ]


def test_bars_follow_the_values() -> None:
    chart = charts.sizes(days((0, None), (50 * MIB, None), (100 * MIB, None)), 100 * MIB)
    assert [bar.height for bar in chart.bars] == [1, 59, 118]
    assert chart.top == "100 MiB"
    assert chart.limit_y == 2
    assert chart.summary == "Size by day: 0 bytes at first, 100 MiB now, 100 MiB at most."
    small = charts.sizes(days((MIB, None), (2 * MIB, None)), 500 * MIB)
    assert (small.limit_y, small.top) == (None, "2 MiB"), "a nearly empty cache still shows something"
    empty = charts.sizes(days((0, None)), 0)
    assert empty.bars[0].height <= 1
    assert empty.top == "", "an axis up to 1 byte says nothing"
    assert charts.sizes(days((0, None)), 500 * MIB).top == ""
    assert charts.sizes(days((1, None)), 0).top == "1 byte"


def test_a_day_without_requests_has_no_bar() -> None:
    chart = charts.hit_rates(days((0, 0.0), (0, None), (0, 1.0)))
    assert [bar.height for bar in chart.bars] == [1, 0, 118]
    assert chart.summary == "Hit rate by day: from 0 % to 100 %."
    assert charts.hit_rates(days((0, None))).summary == "Hit rate by day: nothing was asked for."


def test_the_charts_have_a_table_beside_them(admin_client: Client) -> None:
    put(1)
    CacheDay.objects.update(hits=3, misses=1)
    response = admin_client.get(LIST)
    assert len(response.context["days"]) == 30
    assert response.text.count('<svg role="img" aria-label=') == 2
    assert response.text.count("<td>75 %</td>") >= 1


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (MIB - 1, "1 MiB"), (MIB, "1 MiB"),
        (int(12.34 * MIB), "12.3 MiB"), (500 * MIB, "500 MiB"), (1024 * MIB, "1 GiB"), (3 * 1024**5, "3072 TiB"),
    ],
)  # fmt: skip
def test_sizes_in_words(count: int, words: str) -> None:
    assert wording.size(count) == words


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("https://files.example.com/a/b.zip", "files.example.com"),
        ("/srv/Mods/a.zip", "/srv/Mods/a.zip"),
        ("http://[bad", "http://[bad"),
        ("Mods of Public", "Mods of Public"),
    ],
)
def test_sources_in_short(text: str, short: str) -> None:
    assert wording.source(text) == short
