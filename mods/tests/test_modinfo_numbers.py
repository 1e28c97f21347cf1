"""Numbers and enumerations in modinfo.json, as the game's reader takes them: whole numbers of 32 bits, flags."""

import pytest

from mods import manifest


def read(members: str) -> tuple[manifest.ModInfo, tuple[str, ...]]:
    info, problems = manifest.parse(f'{{"type": "code", "name": "Lamp", "modid": "lamp", {members}}}'.encode())
    assert info is not None
    return info, problems


@pytest.mark.parametrize(
    "size", ["32", "0x20", "0X20", "040", "-1", '"32"', '" 32 "', '"-7"', "2147483647", "-2147483648", "0x7fffffff"]
)
def test_whole_numbers_of_32_bits_also_in_quotes_and_of_other_bases(size: str) -> None:
    assert read(f'"textureSize": {size}')[1] == ()


@pytest.mark.parametrize(
    "size",
    ["1.5", "32.0", "1e3", "NaN", "2147483648", "-2147483649", "0x80000000", "99999999999999999999999", "true", "null",
     '""', '"0x20"', '"1.5"', '"many"', "[32]", '"٣٢"'],
)  # fmt: skip
def test_what_no_int32_takes_keeps_the_game_from_loading_the_mod(size: str) -> None:
    (problem,) = read(f'"textureSize": {size}')[1]
    assert problem.endswith(manifest.REJECTED)
    assert "texturesize" in problem


@pytest.mark.parametrize(
    ("side", "meant"),
    [
        ('"Client"', "client"), ('" server "', "server"), ('"client, server"', "universal"),
        ('"Server,Client"', "universal"), ('"Universal, Client"', "universal"), ('"client,client"', "client"),
        ("3", "universal"), ('"3"', "universal"), ("0x1", "server"), ('"2"', "client"),
    ],
)  # fmt: skip
def test_a_side_may_be_named_by_flags(side: str, meant: str) -> None:
    info, problems = read(f'"side": {side}')
    assert (info.side, problems) == (meant, ())


@pytest.mark.parametrize("side", ['"both"', "null", '"client,"', '"client, both"', '"1, 2"', "4", "1.5", '""', "true"])
def test_what_names_no_side(side: str) -> None:
    info, problems = read(f'"side": {side}')
    assert info.side == "universal"
    assert [problem.endswith(manifest.REJECTED) for problem in problems] == [True]


def test_a_type_too() -> None:
    for kind, meant in (('"Content"', "content"), ("0", "theme"), ('"theme, content"', "content"), ("0x2", "code")):
        info, problems = manifest.parse(f'{{"type": {kind}, "name": "Lamp", "modid": "lamp"}}'.encode())
        assert info is not None
        assert (info.type, problems) == (meant, ())


def test_a_source_names_its_side_by_flags_too() -> None:
    info, problems = manifest.parse_source(b'[assembly: ModInfo("Lamp", "lamp", Side = "Client, Server")]')
    assert info is not None
    assert (info.side, problems) == ("universal", ())
