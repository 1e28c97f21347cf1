"""The attributes of a C# source are read without compiling it."""

import pytest

from mods import csharp, manifest
from mods.csharp import Attribute
from mods.tests.shared_data import SHARED, needs_shared


def attributes(source: str) -> list[Attribute]:
    return list(csharp.assembly_attributes(source))


def read(source: str) -> tuple[manifest.ModInfo | None, tuple[str, ...]]:
    return manifest.parse_source(source.encode())


def test_attribute_as_people_write_it() -> None:
    info, problems = read(
        """using Vintagestory.API.Common;

        [assembly: ModInfo("Lantern Post", "lanternpost", Version = "1.2.0", Side = "Server",
            Description = "Posts", Website = "https://example.com", Authors = new[] { "Ada", "Bo" },
            RequiredOnClient = false)]
        [assembly: ModDependency("game", "1.19.0"), ModDependency("survival")]

        namespace Posts { class Mod : ModSystem { } }
        """
    )
    assert info == manifest.ModInfo(
        modid="lanternpost",
        name="Lantern Post",
        version="1.2.0",
        type="code",
        side="server",
        authors=("Ada", "Bo"),
        description="Posts",
        website="https://example.com",
        dependencies={"game": "1.19.0", "survival": ""},
        required_on_client=False,
    )
    assert problems == ()


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ('"plain"', "plain"),
        (r'"a \"quoted\" \\ part"', 'a "quoted" \\ part'),
        (r'"\u00e9\x41\U0001F600\ud83d\ude00"', "éA\U0001f600\U0001f600"),
        ('@"C:\\dir ""x"""', 'C:\\dir "x"'),
        ('"""raw "text" here"""', 'raw "text" here'),
        ('"""\n    two\n      lines\n    """', "two\n  lines"),
        ('"one" + " " + @"two"', "one two"),
        ('("in" + " brackets")', "in brackets"),
        ('$"no holes"', "no holes"),
        ('"// no comment"', "// no comment"),
        ('"a" /* b */ + // c\n "d"', "ad"),
    ],
)
def test_texts(literal: str, text: str) -> None:
    (attribute,) = attributes(f"[assembly: A({literal})]")
    assert attribute.positional == (text,)


@pytest.mark.parametrize("expression", ["GameVersion.Short", 'Prefix + "x"', '$"{Name}"', "1 + 2", "nameof(X)", "null"])
def test_what_would_have_to_be_compiled_is_none(expression: str) -> None:
    (attribute,) = attributes(f'[assembly: A("x", Version = {expression}, Last = true)]')
    assert attribute.named == {"Version": None, "Last": True}


@pytest.mark.parametrize(
    "expression",
    ['new[] { "a", "b" }', 'new string[] { "a", "b", }', 'new []{"a","b"}', '["a", "b"]', '[ "a", X.Y, "b" ]'],
)
def test_lists(expression: str) -> None:
    (attribute,) = attributes(f"[assembly: A(Authors = {expression}, B = false)]")
    assert attribute.named == {"Authors": ("a", "b"), "B": False}


def test_spacing_namespaces_and_names() -> None:
    source = """[
        assembly : global::Vintagestory.API.Common.ModInfoAttribute ( modID: "x" ,
            name : "X" )
    ] [assembly: Marker] [assembly: Other()]"""
    assert attributes(source) == [
        Attribute("ModInfo", (), {"modID": "x", "name": "X"}),
        Attribute("Marker"),
        Attribute("Other"),
    ]
    info, problems = read(source)
    assert info is not None
    assert (info.modid, info.name, problems) == ("x", "X", ())


@pytest.mark.parametrize(
    "source",
    [
        '// [assembly: ModInfo("X", "x")]',
        '/* [assembly: ModInfo("X", "x")] */',
        'var a = "[assembly: ModInfo(\\"X\\", \\"x\\")]";',
        'var a = @"\n[assembly: ModInfo(""X"", ""x"")]";',
        'var a = """\n[assembly: ModInfo("X", "x")]\n""";',
        '#if DEBUG\n[assembly: ModInfo("X", "x")]\n#endif',
        '#if !DEBUG && (RELEASE || TEST)\n[assembly: ModInfo("X", "x")]\n#endif',
        '[module: ModInfo("X", "x")]',
        'class A {\n[assembly: ModInfo("X", "x")]\n}',
        "",
    ],
)
def test_no_attribute(source: str) -> None:
    info, problems = read(source)
    assert info is None
    assert "There is no [assembly: ModInfo(…)]" in problems[0]


@pytest.mark.parametrize(
    ("directives", "version"),
    [
        ("#if DEBUG\n{a}\n#else\n{b}\n#endif", "b"),
        ("#if !DEBUG\n{a}\n#else\n{b}\n#endif", "a"),
        ("#if DEBUG\n{a}\n#elif true\n{b}\n#else\n{a}\n#endif", "b"),
        ("#if(DEBUG)\n{a}\n#elif !(DEBUG||X)\n{b}\n#endif", "b"),
        ("#if X\n#if true\n{a}\n#else\n{a}\n#endif\n#else // other\n{b}\n#endif", "b"),
        ("#if true\n{b}\n#elif true\n{a}\n#else\n{a}\n#endif", "b"),
        ("  #  if X == Y\n{b}\n#\telse\n{a}\n # endif", "b"),
        ("#region x\n#pragma warning disable\n{b}\n#endregion", "b"),
        ("#if X\n# anything \" goes ' here /* \n{a}\n#endif\n{b}", "b"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_conditions(directives: str, version: str, line_end: str) -> None:
    inner = directives.replace("{a}", 'Version = "a",').replace("{b}", 'Version = "b",')
    source = f'#define KNOWN\n[assembly: ModInfo("X", "x",\n{inner}\nSide = "Client")]'.replace("\n", line_end)
    info, problems = read(source)
    assert info is not None
    assert (info.version, info.side, problems) == (version, "client", ())


def test_symbols_that_the_file_defines() -> None:
    source = "#define A\n#define B\n#undef B\n#if A && !B\n[assembly: X]\n#endif\n#if B\n[assembly: Y]\n#endif"
    assert [attribute.name for attribute in attributes(source)] == ["X"]


def test_id_from_the_name_and_improper_ids() -> None:
    derived, problems = read('[assembly: ModInfo("My Mod 2")]')
    assert derived is not None
    assert (derived.modid, problems) == ("mymod2", ())
    improper, problems = read('[assembly: ModInfo("My Mod", "My-Mod")]')
    assert improper is not None
    assert improper.modid == "My-Mod"
    assert "“My-Mod”" in problems[0]


def test_computed_version_is_unknown_and_said_so() -> None:
    info, problems = read('[assembly: ModInfo("X", "x", Version = Build.Version)]')
    assert info is not None
    assert (info.modid, info.version) == ("x", "")
    assert "“version” is computed" in problems[0]


def test_computed_id_is_not_guessed() -> None:
    info, problems = read('[assembly: ModInfo("My Mod", Ids.Main)]')
    assert info is not None
    assert (info.modid, info.name, len(problems)) == ("", "My Mod", 1)


def test_unknown_side_counts_as_universal() -> None:
    info, problems = read('[assembly: ModInfo("X", "x", Side = "both")]')
    assert info is not None
    assert info.side == "universal"
    assert problems == ("“side” is “both”; the game takes that for universal.",)


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "[assembly:",
        "[assembly: A(",
        "(",
        '"',
        "'\\",
        '""',
        '"""',
        "/*",
        "$",
        "@",
        "#if A\n",
        "#if A\n#elif B\n",
        "\\",
    ],
)
@pytest.mark.timeout(60)  # twice the text may not cost four times the steps: that would take hours
def test_hostile_source_ends_and_takes_nothing_of_what_stands_before_it(piece: str) -> None:
    many = piece * (2_000_000 // len(piece))
    for source in (many, f"[assembly: A({many}"):
        lamp, *others = attributes(f'[assembly: ModInfo("Lamp", "lamp", Version = "1.0.0")]\n{source}')
        assert (lamp.name, lamp.positional, lamp.named) == ("ModInfo", ("Lamp", "lamp"), {"Version": "1.0.0"})
        assert {other.name for other in others} <= {"A"}


@needs_shared
@pytest.mark.parametrize(
    ("file", "modid", "version", "side", "authors", "dependencies"),
    [
        ("BASIC-BIT__Vintage-Story-Mods__1", "litchimneys", "1.0.0", "universal", ("Unkown",), {"game": ""}),
        ("Kramins__VintageStory-GraniteServer__3", "graniteservermod", "0.0.1", "universal", ("Kramins",), {}),
        ("Novocain1__MiscMods__7", "vshud", "2.0.28", "client", ("Novocain",), {}),
        ("Novocain1__MiscMods__8", "infiniteoreveins", "1.0.5", "server", ("Novocain",), {}),
        ("sirStroam__VintageStoryMods__12", "bbb", "", "universal", ("Stroam",), {}),
        (
            "x1_accessibilitytweaks_if_debug",
            "accessibilitytweaks",
            "5.0.0",
            "client",
            ("ApacheTech Solutions",),
            {"game": ""},
        ),
        (
            "x3_deathwaypoints_no_modid_dep_comment",
            "deathwaypoints",
            "1.0.3",
            "client",
            ("DArkHekRoMaNT",),
            {"game": ""},
        ),
        ("x4_birds_angle_bracket_author", "birds", "", "universal", ("Tim Newsome <tim@casualhacker.net>",), {}),
        (
            "x6_electricalprogressive_collection_expr",
            "electricalprogressivebasics",
            "2.6.1",
            "universal",
            ("Tehtelev", "Kotl"),
            {"game": "1.21.0", "electricalprogressivecore": "2.6.0"},
        ),
    ],
)
def test_real_source(
    file: str, modid: str, version: str, side: str, authors: tuple[str, ...], dependencies: dict[str, str]
) -> None:
    info, problems = manifest.parse_source((SHARED / "cs-mods" / f"{file}.cs").read_bytes())
    assert info is not None
    assert (info.modid, info.version, info.side, info.authors) == (modid, version, side, authors)
    assert (info.dependencies, problems) == (dependencies, ())


@needs_shared
def test_every_real_source_but_the_commented_out_one_is_read() -> None:
    unread = [
        path.stem for path in (SHARED / "cs-mods").glob("*.cs") if manifest.parse_source(path.read_bytes())[0] is None
    ]
    assert unread == ["x2_matterbridge_commented_out"]
