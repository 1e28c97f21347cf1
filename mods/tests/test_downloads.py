"""A release's file comes through the cache, and only where it is what it should be."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cache import conf as cache_conf
from cache.models import CacheEntry, KnownDigest
from cache.store import FetchError
from conftest import zip_of
from demo.moddb import DemoRelease, ModDatabase
from mods import candidates, downloads
from mods.models import Mod, Release

pytestmark = pytest.mark.django_db(transaction=True)

MakeRelease = Callable[..., tuple[Release, DemoRelease]]


@pytest.fixture(autouse=True)
def _data_dir(settings: Any, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModDatabase]:
    made = ModDatabase(separate_file_host=True)
    with made.serve() as url:
        monkeypatch.setenv("VS_MODDB_URL", url)
        monkeypatch.setenv("VS_MODDB_FILE_ORIGINS", made.file_origin)
        yield made


@pytest.fixture
def release(database: ModDatabase) -> MakeRelease:
    """Makes a release, in the mod database and in ours."""

    def make(modid: str | None = "carry", version: str = "1.2.0", **options: Any) -> tuple[Release, DemoRelease]:
        theirs = database.add_release(database.add_mod(name="Carry On"), modid, version, **options)
        mod = Mod.objects.create(mod_id=theirs.mod.mod_id, name="Carry On")
        ours = Release.objects.create(
            mod=mod,
            release_id=theirs.release_id,
            modid=modid or "",
            version=version,
            file_id=theirs.file_id,
            file_name=theirs.file_name,
        )
        return ours, theirs

    return make


def refusal(release: Release) -> FetchError:
    with pytest.raises(FetchError) as caught:
        downloads.fetch_release(release)
    assert not CacheEntry.objects.exists()
    return caught.value


def test_it_is_downloaded_once_and_named_for_people(release: MakeRelease, database: ModDatabase) -> None:
    ours, theirs = release()
    for _again in range(2):
        with downloads.fetch_release(ours) as file:
            assert file.read() == theirs.content
    entry = CacheEntry.objects.get()
    assert entry.key == f"moddb:{ours.file_id}"
    assert entry.file_name == f"carry_1.2.0~moddb-{ours.file_id}.zip"
    assert (entry.title, entry.version, entry.times_used) == ("Carry On", "1.2.0", 2)
    assert entry.source.endswith(f"/download/{ours.file_id}")
    assert len([line for line in database.log if "/download/" in line]) == 1


def test_several_share_a_client(release: MakeRelease) -> None:
    with downloads.client() as client:
        for modid in ("one", "two"):
            downloads.fetch_release(release(modid)[0], client=client).close()
    assert client.requests == 4  # each is redirected to the file host
    assert CacheEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Single.cs", b'[assembly: ModInfo("Single", "carry", Version = "1.2.0")]'),
        ("NoInfo.cs", b"public class Empty {}"),
        ("native.dll", b"MZ" + bytes(200)),
        ("UPPER.ZIP", zip_of({"type": "content", "name": "Carry", "modid": "CARRY", "version": "1.2.0"})),
    ],
)
def test_every_kind_of_mod_file(release: MakeRelease, name: str, content: bytes) -> None:
    with downloads.fetch_release(release(file_name=name, content=content)[0]) as file:
        assert file.read() == content


def damaged_zip() -> bytes:
    whole = zip_of({"type": "content", "name": "Carry", "modid": "carry", "version": "1.2.0"})
    return whole.replace(b"made up", b"made UP", 1)  # the entry no longer has its checksum


def without_modinfo(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no mod")
    return path.read_bytes()


@pytest.mark.parametrize("name", ["a.zip", "a.cs", "a.dll"])
def test_a_web_page_is_refused(release: MakeRelease, name: str) -> None:
    error = refusal(release(file_name=name, content=b"\n<!DOCTYPE html><html>Please log in</html>")[0])
    assert error.kind == "refused"
    assert "web page" in error.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not a zip at all", "zip"),
        (zip_of({"type": "content", "name": "x", "modid": "carry"})[:-30], "zip"),
        (damaged_zip(), "damaged"),
        (zip_of({"type": "content", "name": "Other", "modid": "other"}), "another mod, with the mod id other"),
        (b"not an image", "zip"),
    ],
)
def test_what_is_not_the_mod_is_refused_and_not_remembered(release: MakeRelease, content: bytes, words: str) -> None:
    error = refusal(release(content=content)[0])
    assert error.kind == "refused"
    assert words in error.text
    assert "carry 1.2.0" in error.text
    assert not KnownDigest.objects.exists()


def test_a_zip_without_modinfo_is_refused(release: MakeRelease, tmp_path: Path) -> None:
    assert "modinfo.json" in refusal(release(content=without_modinfo(tmp_path / "x.zip"))[0]).text


def test_a_source_of_another_mod_is_refused(release: MakeRelease) -> None:
    content = b'[assembly: ModInfo("Other", "other", Version = "1.0.0")]'
    assert "another mod" in refusal(release(file_name="a.cs", content=content)[0]).text


def test_other_files_are_no_mods(release: MakeRelease) -> None:
    for name in ("tool.exe", "mod.zip.exe", "noending"):
        assert "no mod that a server can load" in refusal(release(file_name=name)[0]).text


def test_a_release_without_a_file(release: MakeRelease) -> None:
    assert "no file" in refusal(release(missing_file=True)[0]).text


def test_one_known_to_be_retracted_comes_from_the_file_host(release: MakeRelease, database: ModDatabase) -> None:
    ours, theirs = release()
    database.retract(theirs, "It eats worlds")
    ours.retracted, ours.file_url = True, f"{database.file_origin}/{theirs.path}"
    with downloads.fetch_release(ours) as file:
        assert file.read() == theirs.content


def test_retracted_and_gone_releases_are_told_in_plain_words(release: MakeRelease, database: ModDatabase) -> None:
    ours, theirs = release()
    database.retract(theirs, "It eats worlds")
    assert "retracted" in refusal(ours).text
    ours.file_id = 999_999
    assert "no longer has the file" in refusal(ours).text


def test_a_file_host_that_lacks_the_file_is_not_the_mod_database(release: MakeRelease, database: ModDatabase) -> None:
    ours, _theirs = release()
    database.fault("/files", "404")
    told = refusal(ours)
    assert told.status == 404
    assert "The file host 127.0.0.1 doesn't give out the file of carry 1.2.0: it answered 404." in told.text
    assert "mod database" not in told.text
    ours.retracted, ours.file_url = True, f"{database.file_origin}/files/none.zip"
    database.clear_faults()
    assert "The file host" in refusal(ours).text


@pytest.mark.parametrize("fault", ["cut", "truncated", "refuse", "500_html", "200_html", "garbage", "redirect_loop"])
def test_whatever_goes_wrong_is_told_and_the_next_try_succeeds(
    release: MakeRelease, database: ModDatabase, fault: str
) -> None:
    ours, theirs = release(padding=100_000)
    database.fault("/download", fault)
    database.fault("/files", fault)
    assert refusal(ours).text.endswith((".", "author.", "of it."))
    database.clear_faults()
    with downloads.fetch_release(ours) as file:
        assert file.read() == theirs.content


def test_a_file_larger_than_allowed(release: MakeRelease, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VS_MOD_MAX_DOWNLOAD_MB", "1")
    assert cache_conf.max_download_bytes() == 1024 * 1024
    assert "1 MB allowed" in refusal(release(padding=1024 * 1024)[0]).text


def test_a_host_that_nobody_configured_is_never_asked(
    release: MakeRelease, database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VS_MODDB_FILE_ORIGINS")
    assert "redirected elsewhere" in refusal(release()[0]).text
    assert not [line for line in database.log if "/files/" in line]


def test_the_same_file_with_other_bytes_is_an_alarm(release: MakeRelease, database: ModDatabase) -> None:
    ours, _theirs = release()
    downloads.fetch_release(ours).close()
    CacheEntry.objects.all().delete()
    database.fault("/files", "wrong_bytes")
    assert refusal(ours).kind == "alarm"


def test_progress_knows_the_total(release: MakeRelease) -> None:
    told: list[tuple[int, int | None]] = []
    ours, theirs = release(padding=700_000)
    downloads.fetch_release(ours, progress=lambda done, total: told.append((done, total))).close()
    assert told[-1] == (len(theirs.content), len(theirs.content))
    assert len(told) > 1


def saying(version: str | None) -> bytes:
    return zip_of({"type": "content", "name": "Carry", "modid": "carry", "version": version} if version else {
        "type": "content", "name": "Carry", "modid": "carry",
    })  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("1.2.0", "1.2"), ("1.2.0", "v1.2.0"), ("1.0.0", "1"), ("1.2.0", "1.2.0-1.21.6"), ("1.2.0", "vNext"),
     ("1.2.0", None), ("1.2.0-rc.1", "1.2.0-rc1")],
)  # fmt: skip
def test_versions_that_are_written_another_way_are_the_same(release: MakeRelease, wanted: str, said: str) -> None:
    downloads.fetch_release(release(version=wanted, content=saying(said))[0]).close()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("1.2.0", "1.1.0"), ("1.2.0", "1.2.1"), ("1.2.0", "1.2.0-rc.1"), ("1.2.0-rc.1", "1.2.0"), ("1.10.0", "1.1")],
)
def test_a_zip_of_another_version_is_refused(release: MakeRelease, wanted: str, said: str) -> None:
    ours, _theirs = release(version=wanted, content=saying(said))
    error = refusal(ours)
    assert error.kind == "refused"
    assert f"it holds version {said}, not {wanted}." in error.text


def test_one_that_was_cached_before_is_not_read_as_the_release_s(
    release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _theirs = release(version="1.2.0", content=saying("1.1.0"))
    with monkeypatch.context() as patched:
        patched.setattr(downloads, "other_version", lambda *_: "")
        downloads.fetch_release(ours).close()
    assert "it holds version 1.1.0, not 1.2.0." in candidates.read_file(ours)
    ours.refresh_from_db()
    assert (ours.sha256, ours.dependencies) == ("", None)
