"""Mod files of each kind are read, and what is wrong with one is said in a sentence."""

import errno
import hashlib
import os
import shutil
import socket
import zipfile
from pathlib import Path

import pytest

from mods import modinfo, plainzip
from mods.modinfo import ModFile, read_file

MODINFO = b'{"type": "code", "modid": "lanternpost", "name": "Lantern Post", "version": "1.2.0"}'


def make_zip(path: Path, entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            info = zipfile.ZipInfo("-")
            info.filename = name  # as it is: the constructor would cut it at a NUL
            info.compress_type = method
            archive.writestr(info, data)
    return path


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    return make_zip(tmp_path / "mod.zip", [("assets/a.json", b"{}" * 5000), ("modinfo.json", MODINFO)])


def the_problem(read: ModFile) -> str:
    assert read.info is None
    (problem,) = read.problems
    return problem


def the_modid(read: ModFile) -> str:
    assert read.info is not None
    return read.info.modid


# --- Zips


def test_zip(mod: Path) -> None:
    read = read_file(mod, "zip")
    assert read.info is not None
    assert (read.info.modid, read.info.version, read.problems) == ("lanternpost", "1.2.0", ())
    assert read.sha256 == hashlib.sha256(mod.read_bytes()).hexdigest()
    assert read.size == mod.stat().st_size


def test_a_file_too_large_for_memory_is_read_alike(mod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = mod.with_name("Mod.cs")
    source.write_text('[assembly: ModInfo("Mod", "mod", Version = "0.1.0")]')
    in_memory = read_file(mod, "zip"), read_file(source, "cs")
    monkeypatch.setattr(modinfo, "_MAX_IN_MEMORY", 10)
    assert (read_file(mod, "zip"), read_file(source, "cs")) == in_memory
    monkeypatch.setattr(modinfo, "_MAX_DIRECTORY", 10)
    assert the_problem(read_file(mod, "zip")).startswith("The zip's directory is larger than")


def test_nothing_is_unpacked_or_left_open(mod: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    read_file(mod, "zip")
    read_file(mod.with_name("none.zip"), "zip")
    assert list(mod.parent.iterdir()) == [mod]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("name", ["ModInfo.JSON", "/modinfo.json", "\\modinfo.json"])
def test_names_that_the_game_takes_for_modinfo_json(tmp_path: Path, name: str) -> None:
    read = read_file(make_zip(tmp_path / "a.zip", [(name, MODINFO)]), "zip")
    assert (the_modid(read), read.problems) == ("lanternpost", ())


def test_stored_zip_and_one_with_something_in_front(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", [("modinfo.json", MODINFO)], zipfile.ZIP_STORED)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert the_modid(read_file(path, "zip")) == "lanternpost"


def test_of_two_the_first_counts(tmp_path: Path) -> None:
    other = MODINFO.replace(b"lanternpost", b"impostor")
    with pytest.warns(UserWarning, match="Duplicate"):
        path = make_zip(tmp_path / "a.zip", [("modinfo.json", MODINFO), ("modinfo.json", other)])
    read = read_file(path, "zip")
    assert the_modid(read) == "lanternpost"
    assert "more than once" in read.problems[0]


def test_without_modinfo(tmp_path: Path) -> None:
    problem = the_problem(read_file(make_zip(tmp_path / "a.zip", [("readme.txt", b"hello")]), "zip"))
    assert problem.startswith("There is no modinfo.json at the top of the zip.")


def test_one_level_too_deep(tmp_path: Path) -> None:
    entries = [("post-main/modinfo.json", MODINFO), ("post-main/bin/modinfo.json", MODINFO)]
    problem = the_problem(read_file(make_zip(tmp_path / "a.zip", entries), "zip"))
    assert problem.startswith("modinfo.json is inside the folder “post-main”: the zip was packed one level too deep.")


def test_several_mods_in_one_zip(tmp_path: Path) -> None:
    folders = make_zip(tmp_path / "a.zip", [(f"{name}/modinfo.json", MODINFO) for name in "abcd"])
    assert "several mods (“a”, “b”, “c”, …)" in the_problem(read_file(folders, "zip"))
    zips = make_zip(tmp_path / "b.zip", [("a.zip", b""), ("b.zip", b"")])
    assert "holds other zips" in the_problem(read_file(zips, "zip"))


def test_hostile_folder_name_is_shown_harmlessly(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", [("a\u202e\nb" + "c" * 1000 + "/modinfo.json", MODINFO)])
    problem = the_problem(read_file(path, "zip"))
    assert "\n" not in problem
    assert "\u202e" not in problem
    assert len(problem) < 300


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "The file is empty."),
        (b"this is no zip" * 100, "Not a zip file, although its name ends in .zip."),
        (b"\n<!DOCTYPE html><html>404</html>", "Not a zip file: it is a web page"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(500), "Not a zip file, although"),
        (b"PK\x03\x04" + bytes(500), "The zip file is damaged or was cut short."),
    ],
)
def test_no_zip(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    read = read_file(path, "zip")
    assert the_problem(read).startswith(problem)
    assert read.size == len(content)
    assert read.sha256 == (hashlib.sha256(content).hexdigest() if content else "")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_cut_short(mod: Path, kept: float) -> None:
    data = mod.read_bytes()
    mod.write_bytes(data[: int(len(data) * kept)])
    assert the_problem(read_file(mod, "zip")).startswith("The zip file is damaged or was cut short.")


def test_damaged_within(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", [("modinfo.json", MODINFO * 50)])
    data = bytearray(path.read_bytes())
    data[60:80] = bytes(20)
    path.write_bytes(data)
    assert the_problem(read_file(path, "zip")).startswith("The zip file is damaged or was cut short.")


def directory_at(data: bytes | bytearray) -> int:
    """Where the first entry of a zip's directory begins."""
    return data.index(b"PK\x01\x02")


def test_encrypted(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", [("modinfo.json", MODINFO)])
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[directory_at(data) + 8] |= 1
    path.write_bytes(data)
    assert the_problem(read_file(path, "zip")).startswith("The zip is encrypted.")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_a_bound_are_not_unpacked(tmp_path: Path, method: int) -> None:
    path = make_zip(tmp_path / "a.zip", [("modinfo.json", MODINFO)], method)
    assert the_problem(read_file(path, "zip")).startswith("The zip is compressed in an unusual way.")


def test_other_entries_may_be_encrypted_or_odd(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", [("big.bin", bytes(1000)), ("modinfo.json", MODINFO)])
    data = bytearray(path.read_bytes())
    data[directory_at(data) + 8] |= 1
    data[directory_at(data) + 10] = 99
    path.write_bytes(data)
    assert the_modid(read_file(path, "zip")) == "lanternpost"


def test_modinfo_too_large(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", [("modinfo.json", MODINFO + b" " * modinfo.MAX_MODINFO)])
    assert the_problem(read_file(path, "zip")).startswith("modinfo.json is larger than 1 MiB")


def test_bomb_with_a_lying_header(tmp_path: Path) -> None:
    """It says 100 bytes and unpacks to 64 MiB: no more than those 100 bytes are taken."""
    path = make_zip(tmp_path / "a.zip", [("modinfo.json", bytes(64 * 1024**2))])
    data = bytearray(path.read_bytes())
    for at in (22, directory_at(data) + 24):
        data[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    assert the_problem(read_file(path, "zip")).startswith("The zip file is damaged")


def test_unpacked_size_is_bounded(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", [("big.bin", b""), ("modinfo.json", MODINFO)])
    data = bytearray(path.read_bytes())
    data[directory_at(data) + 24 : directory_at(data) + 28] = (modinfo.MAX_UNPACKED + 1).to_bytes(4, "little")
    path.write_bytes(data)
    read = read_file(path, "zip")
    assert the_modid(read) == "lanternpost"
    assert "more than 1 GiB" in read.problems[0]


def with_many_entries(path: Path, count: int) -> Path:
    """A zip of `count` entries that share one local header; its end record counts but one."""
    make_zip(path, [("modinfo.json", MODINFO)])
    data = path.read_bytes()
    start, end = directory_at(data), data.index(b"PK\x05\x06")
    directory = data[start:end] * count
    tail = bytearray(data[end:])
    tail[12:16] = len(directory).to_bytes(4, "little")
    path.write_bytes(data[:start] + directory + tail)
    return path


def test_number_of_entries_is_bounded_whatever_the_header_says(tmp_path: Path) -> None:
    few = read_file(with_many_entries(tmp_path / "few.zip", modinfo.MAX_ENTRIES), "zip")
    assert the_modid(few) == "lanternpost"
    many = read_file(with_many_entries(tmp_path / "many.zip", modinfo.MAX_ENTRIES + 1), "zip")
    assert the_problem(many).startswith("The zip has more than 20,000 entries")


def test_directory_is_bounded_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modinfo, "_MAX_DIRECTORY", 100_000)
    path = with_many_entries(tmp_path / "a.zip", 2000)
    assert the_problem(read_file(path, "zip")).startswith("The zip's directory is larger than")


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.touch()
    os.truncate(path, modinfo.MAX_FILE + 1)
    read = read_file(path, "zip")
    assert the_problem(read).startswith("The file is larger than 2 GiB")
    assert (read.sha256, read.size) == ("", modinfo.MAX_FILE + 1)


# --- Sources and libraries


def test_source(tmp_path: Path) -> None:
    path = tmp_path / "a.cs"
    path.write_bytes(b'\xef\xbb\xbf[assembly: ModInfo("Lantern Post", "lanternpost", Version = "1.0.0")]')
    read = read_file(path, "cs")
    assert (the_modid(read), read.problems) == ("lanternpost", ())
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_source_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.cs"
    path.write_bytes(b" " * (modinfo.MAX_SOURCE + 1))
    assert the_problem(read_file(path, "cs")).startswith("The source is larger than 2 MiB")


def test_library_has_nothing_to_read_and_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.dll"
    path.write_bytes(b"MZ" + bytes(100))
    read = read_file(path, "dll")
    assert (read.info, read.problems, read.size) == (None, (), 102)
    assert read.sha256


def test_library_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.dll"
    path.write_bytes(b"text")
    assert the_problem(read_file(path, "dll")).startswith("It isn't a library")


# --- Folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "mod"
    path.mkdir()
    (path / "modinfo.json").write_bytes(MODINFO)
    return path


def test_folder(folder: Path) -> None:
    read = read_file(folder, "folder")
    assert (the_modid(read), read.problems, read.sha256, read.size) == ("lanternpost", (), "", 0)


def test_folder_with_modinfo_in_another_letter_case(folder: Path) -> None:
    (folder / "modinfo.json").rename(folder / "ModInfo.json")
    read = read_file(folder, "folder")
    assert the_modid(read) == "lanternpost"
    assert "Rename “ModInfo.json”" in read.problems[0]


def test_folder_without_modinfo(folder: Path) -> None:
    (folder / "modinfo.json").unlink()
    assert the_problem(read_file(folder, "folder")).startswith("There is no modinfo.json at the top of the folder.")
    (folder / "inner").mkdir()
    (folder / "inner" / "modinfo.json").write_bytes(MODINFO)
    assert "inside the folder “inner”" in the_problem(read_file(folder, "folder"))


def test_folder_with_a_large_modinfo(folder: Path) -> None:
    (folder / "modinfo.json").write_bytes(b" " * (modinfo.MAX_MODINFO + 1))
    assert the_problem(read_file(folder, "folder")).startswith("modinfo.json is larger than 1 MiB")


def test_folder_that_is_gone_or_a_file(folder: Path) -> None:
    assert the_problem(read_file(folder / "modinfo.json", "folder")) == "Reading it failed: Not a directory."
    shutil.rmtree(folder)
    assert the_problem(read_file(folder, "folder")).startswith("It is gone")


# --- What else may stand in a Mods folder


def test_links_are_followed(mod: Path, folder: Path) -> None:
    for target, kind in ((mod, "zip"), (folder, "folder")):
        link = mod.parent / f"link-{kind}"
        link.symlink_to(target)
        read = read_file(link, kind)
        assert (the_modid(read), read.problems) == ("lanternpost", ())


def test_links_to_nothing_and_in_circles(tmp_path: Path) -> None:
    link = tmp_path / "a.zip"
    link.symlink_to(tmp_path / "gone.zip")
    assert the_problem(read_file(link, "zip")).startswith("It is gone, or a link to something that is gone.")
    link.unlink()
    link.symlink_to(link)
    assert the_problem(read_file(link, "zip")).startswith("Reading it failed")


@pytest.mark.parametrize("kind", ["zip", "cs", "dll"])
def test_pipe_folder_and_device_are_no_mods(tmp_path: Path, kind: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    for path in (pipe, link, tmp_path):
        assert the_problem(read_file(path, kind)) == "It isn't a regular file."


def test_socket_is_no_mod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.zip")
        assert the_problem(read_file(Path("s.zip"), "zip")) == "It isn't a regular file."


def test_pipe_that_took_a_files_place_is_not_waited_for(mod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    regular = mod.stat()
    mod.unlink()
    os.mkfifo(mod)
    monkeypatch.setattr(Path, "stat", lambda _self: regular)
    assert the_problem(read_file(mod, "zip")) == "It isn't a regular file."


def test_pipe_in_a_folder(folder: Path) -> None:
    (folder / "modinfo.json").unlink()
    os.mkfifo(folder / "modinfo.json")
    assert the_problem(read_file(folder, "folder")) == "It isn't a regular file."


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.EACCES, "Not allowed to read it. Give the user that runs vsadmin the right to."),
        (errno.ENOENT, "It is gone, or a link to something that is gone."),
        (errno.EIO, "Reading it failed: Input/output error."),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_failing_open(
    mod: Path, folder: Path, kind: str, number: int, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fail)
    assert the_problem(read_file({"zip": mod, "folder": folder}[kind], kind)) == problem


def test_failing_disk_is_no_damaged_zip(mod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(plainzip, "read", lambda *_args, **_named: None)  # that one touches no disk
    monkeypatch.setattr(zipfile.ZipFile, "open", fail)
    read = read_file(mod, "zip")
    assert the_problem(read) == "Reading it failed: Input/output error."
    assert read.sha256


@pytest.mark.parametrize(
    "error", [NotImplementedError, RuntimeError, EOFError, OverflowError, MemoryError, RecursionError, UnicodeError]
)
def test_whatever_the_zip_library_raises(mod: Path, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise error

    monkeypatch.setattr(plainzip, "read", lambda *_args, **_named: None)
    monkeypatch.setattr(zipfile.ZipFile, "infolist", fail)
    assert the_problem(read_file(mod, "zip")).startswith("The zip file is damaged")
    monkeypatch.setattr(modinfo, "parse_source", fail)
    assert the_problem(read_file(mod, "cs")).startswith(f"It can't be read ({error.__name__}).")


def test_unknown_kind_is_a_programming_error(mod: Path) -> None:
    with pytest.raises(KeyError):
        read_file(mod, "exe")
