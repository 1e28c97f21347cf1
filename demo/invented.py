"""Several hundred more mods for the made-up mod database, put together from words, the same each time."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

_WHOSE = (
    "Alder", "Amber", "Ashen", "Bellringer's", "Birchbark", "Bittern", "Bogwood", "Bramble", "Brazen", "Brindle",
    "Carter's", "Chalkhill", "Cooper's", "Copperleaf", "Crooked", "Dovecote", "Drover's", "Dusky", "Eastmarsh",
    "Elmwood", "Fallow", "Ferryman's", "Flinty", "Foxglove", "Gleaner's", "Greystone", "Harrow", "Hazel", "Heathland",
    "Hedgerow", "Highmoor", "Hollow", "Homespun", "Honest", "Humble", "Ivybound", "Juniper", "Kestrel", "Lantern",
    "Larkspur", "Lichen", "Linden", "Longshore", "Marshlight", "Meadow", "Millrace", "Mistle", "Moonlit", "Nettle",
    "Oldfield", "Patient", "Pebble", "Pinewood", "Plain", "Quarryman's", "Reedbed", "Roving", "Rowan", "Rushlight",
    "Russet", "Saltpan", "Shepherd's", "Silverfir", "Slate", "Sootfall", "Sturdy", "Tanner's", "Thorn", "Tinker's",
    "Turnstone", "Upland", "Wayfarer's", "Weathered", "Whetstone", "Willow", "Winterfold", "Woad", "Yarrow", "Yewbow",
)  # fmt: skip

_AUTHORS = (
    "Fennimore", "Tansy Merrow", "mudlark77", "Sorrel", "pinchbeck", "Wrenfield", "Ashgrove", "hollowreed", "Ravelin",
    "gritstone", "Osierman", "Thistledown", "Marrowby", "JuniperVale", "deepwell", "Elverdale", "peatcutter",
    "tallowick", "ottersmith_", "Pell", "Harrowgate Jim", "moss_and_iron", "Lapwing3", "Quire", "brackenfold",
    "Teasel", "old_kettle", "Vesperine", "Corncrake", "ninepins", "Halyard", "Bertha Rook", "saltwort", "wickerman2",
    "Dunlin", "Pewterpot", "Maren O.", "spindlewood", "Fathom12", "Gorse", "Ilse vom Berg", "tarnhelm_", "Oxlip",
)  # fmt: skip


@dataclass(frozen=True)
class _Theme:
    """What mods of one kind are called and say of themselves; {0} is filled with one of `things`."""

    tags: tuple[str, ...]
    nouns: tuple[str, ...]
    things: tuple[str, ...]
    summaries: tuple[str, ...]
    features: tuple[str, ...]
    changes: tuple[str, ...]
    side: str = "both"
    weight: int = 3


_THEMES = (
    _Theme(
        ("Food", "Crafting"),
        ("Kitchen", "Pantry", "Cookery", "Stewpot", "Bakehouse", "Cheeses", "Preserves", "Granary"),
        ("barley", "mushrooms", "freshwater fish", "wild berries", "goat's milk", "roots and tubers", "rye"),
        ("Forty dishes made of {0}.", "New ways to keep {0} through the winter.", "Makes more of {0} than soup.",
         "Recipes around {0}, from a time when there was little else."),
        ("Recipes are found in old books", "Nothing of the game's own cooking is changed", "Works with any pot",
         "Some of it tastes bad, on purpose"),
        ("Three new recipes with {0}.", "Fixed bowls that couldn't be stacked.", "{0} keep a day longer.",
         "Cooking takes as long as it says."),
    ),
    _Theme(
        ("Furniture", "Cosmetics"),
        ("Chairs", "Cupboards", "Parlour", "Joinery", "Benches", "Bedsteads", "Shelves", "Tables"),
        ("oak", "walnut", "birch", "painted pine", "wickerwork", "iron and leather"),
        ("Furniture of {0} for plain houses and proud ones.", "Rooms that look lived in, with things of {0}.",
         "Thirty pieces of {0}, each of which does something."),
        ("Can be turned in eight directions", "Fits the game's own style", "Every piece can be sat on, if you must"),
        ("A cradle.", "New pieces of {0}.", "Drawers open towards you.", "Textures are a third smaller."),
    ),
    _Theme(
        ("Creatures",),
        ("Badgers", "Otters", "Owls", "Moths", "Goats", "Trout", "Crows", "Beetles", "Toads", "Ponies"),
        ("rivers", "old forests", "the high moors", "salt marshes", "ruins", "orchards"),
        ("Animals for {0}, with young ones, tracks and habits.", "Brings life to {0}. Some of it bites.",
         "They live in {0}, sleep through winter, and can be befriended with patience."),
        ("Tracks in snow and mud", "They avoid light and noise", "Spawn rates can be set"),
        ("They no longer climb ladders.", "Calls at dusk.", "Fewer of them in {0}.", "Young ones grow up in a summer."),
    ),
    _Theme(
        ("Worldgen",),
        ("Glades", "Ravines", "Ruins", "Shores", "Caverns", "Springs", "Standing Stones", "Barrows"),
        ("limestone", "granite", "birch forest", "dry grassland", "the far north", "river valleys"),
        ("New places to find in {0}.", "Changes how {0} looks, in chunks that are new.",
         "Small wonders in {0}, rare enough to be told of."),
        ("Only new chunks are touched", "How often they appear can be set", "Some hold something"),
        ("Rarer in {0}.", "Generates in half the time.", "Two new places.", "No more of them under water."),
    ),
    _Theme(
        ("Storage", "QoL"),
        ("Satchels", "Barrels", "Sacks", "Cellar", "Racks", "Chests", "Cabinets", "Cart"),
        ("tools", "ores", "seeds", "clay and brick", "cloth", "arrows"),
        ("A proper place for {0}.", "Keeps {0} in order, and shows from outside how much is left.",
         "For people with too many {0}."),
        ("Shows its contents when you look at it", "Can be labelled", "Takes no more room than a chest"),
        ("Holds a quarter more.", "Fixed {0} that were counted twice.", "Can be broken without spilling everything."),
    ),
    _Theme(
        ("Clothing", "Cosmetics"),
        ("Cloaks", "Hoods", "Mittens", "Aprons", "Boots", "Shawls", "Caps"),
        ("linen", "wool", "oiled leather", "felt", "rabbit fur"),
        ("Clothes of {0} for every season.", "What people of the hills wear: {0}, mostly.",
         "Warm things made of {0}, with patterns."),
        ("Can be dyed in the game's colours", "Mended rather than thrown away"),
        ("Two new cuts.", "{0} dries by the fire.", "Seams fit on both body shapes."),
    ),
    _Theme(
        ("Tweak", "Simplification"),
        ("Tweaks", "Rules", "Balance", "Settings", "Adjustments", "Ways"),
        ("tool wear", "hunger", "the length of days", "ladders", "how torches burn", "falling trees", "rain"),
        ("Small changes to {0}, each with a switch.", "Makes {0} a little kinder.", "Makes {0} harder, on request."),
        ("Every change can be switched off", "A handful of lines, and nothing else"),
        ("A switch for {0}.", "Values are checked when the server starts.", "Defaults are those of the game."),
        weight=5,
    ),
    _Theme(
        ("Technology", "Mechanics"),
        ("Workshop", "Machines", "Bellows", "Sawmill", "Winch", "Waterworks", "Press", "Clockwork"),
        ("water", "wind", "a patient animal", "weights and ropes", "steam, a little of it"),
        ("Machines driven by {0}.", "Lets {0} do the heavy work.", "Slow but steady machinery, powered by {0}."),
        ("Every machine is explained in the handbook", "Parts wear and can be mended", "Made for servers: no lag"),
        ("A brake.", "Quieter.", "Runs on less of {0}.", "Fixed machines that stood still after a restart."),
    ),
    _Theme(
        ("Utility", "QoL"),
        ("Compass", "Almanac", "Notes", "Ledger", "Signals", "Overview", "Helper"),
        ("where you were", "what grows when", "who owes whom", "how far it is", "what is in which chest"),
        ("Tells {0}.", "Writes down {0}, so that you needn't.", "A small help that remembers {0}."),
        ("One key opens it", "Remembers its place on the screen"),
        ("Can be searched.", "Opens twice as fast.", "Remembers {0} for each world."),
        weight=4,
    ),
    _Theme(
        ("Utility",),
        ("Steward", "Watch", "Moderation", "Backups", "Greeter", "Town Hall", "Votes"),
        ("joining", "leaving", "building near others", "going to sleep", "chatting"),
        ("For servers: rules for {0}, by command.", "Takes care of {0} while nobody of the crew is online.",
         "Helps a small crew with {0}."),
        ("Commands for the crew only", "Everything is written into the server's log"),
        ("Messages can be translated.", "Roles may be named.", "Fixed {0} during a restart."),
        side="server",
    ),
    _Theme(
        ("Graphics",),
        ("Light", "Shadows", "Weather", "Leaves", "Water", "Textures", "Horizon"),
        ("sunrise", "rain on water", "snow", "candle light", "autumn"),
        ("A warmer look for {0}.", "New textures for {0}, drawn by hand.", "{0}, as it should look."),
        ("For your own machine; servers don't need it", "Costs next to nothing"),
        ("Softer edges.", "Brighter nights, if you want.", "{0} in three strengths."),
        side="client",
        weight=2,
    ),
    _Theme(
        ("Weapons",),
        ("Bows", "Axes", "Shields", "Javelins", "Clubs", "Quivers"),
        ("bronze", "bone", "flint", "ironwood", "steel"),
        ("Arms of {0}, plain and heavy.", "What can be made of {0}, when it has to be.",),
        ("Balanced against the game's own", "Each has its own sound"),
        ("Wear is shown.", "{0} needs less charcoal.", "Shields can be painted."),
        weight=2,
    ),
)  # fmt: skip

_UPDATED = "Updated for game version {0}."

#: Game versions and how many days ago each came.
_GAME_VERSIONS = (
    ("1.19.6", 900), ("1.19.7", 860), ("1.19.8", 820),
    *((f"1.20.{patch}", 560 - 26 * patch) for patch in range(13)),
    ("1.21.0", 205), ("1.21.1", 180), ("1.21.2", 152), ("1.21.3", 124), ("1.21.4", 96), ("1.21.5", 62), ("1.21.6", 25),
)  # fmt: skip


@dataclass(frozen=True)
class InventedRelease:
    version: str
    days_ago: float
    game_versions: tuple[str, ...]
    changes: tuple[str, ...]


@dataclass(frozen=True)
class InventedMod:
    modid: str
    name: str
    author: str
    summary: str
    features: tuple[str, ...]
    tags: tuple[str, ...]
    side: str
    size_kib: int
    downloads: int
    trending: int
    releases: tuple[InventedRelease, ...]


def mods(taken: set[str]) -> Iterator[InventedMod]:
    """Mods without end, no two alike; `taken`: ids that are others'."""
    dice = random.Random(1821)
    ids = set(taken)
    while True:
        theme = dice.choices(_THEMES, weights=[one.weight for one in _THEMES])[0]
        name = f"{dice.choice(_WHOSE)} {dice.choice(theme.nouns)}"
        modid = re.sub(r"[^a-z]", "", name.lower())
        if modid not in ids:
            ids.add(modid)
            yield _mod(modid, name, theme, dice)


def _mod(modid: str, name: str, theme: _Theme, dice: random.Random) -> InventedMod:
    thing = dice.choice(theme.things)
    releases = _releases(theme, thing, dice)
    liked = dice.lognormvariate(0, 1.4)
    return InventedMod(
        modid=modid,
        name=name,
        author=dice.choice(_AUTHORS),
        summary=_filled(dice.choice(theme.summaries), thing),
        features=tuple(dice.sample(theme.features, k=min(len(theme.features), dice.randint(1, 3)))),
        tags=theme.tags[: dice.randint(1, len(theme.tags))],
        side=theme.side,
        size_kib=int(dice.lognormvariate(5.2, 1.0)),
        downloads=int(400 * liked * (1 + releases[0].days_ago / 90)),
        trending=int(8 * liked * (2 if releases[-1].days_ago < 20 else 0.6)),
        releases=releases,
    )


def _releases(theme: _Theme, thing: str, dice: random.Random) -> tuple[InventedRelease, ...]:
    """One to six, the oldest first."""
    age = dice.uniform(8, 620)
    days = sorted((age * dice.random() ** 0.7 for _number in range(dice.randint(0, 5))), reverse=True)
    major, minor, patch = dice.choice([(0, 1, 0), (0, 3, 0), (1, 0, 0), (1, 0, 0)])
    found = [InventedRelease(f"{major}.{minor}.{patch}", age, _listed(age, dice), ("First release.",))]
    for day in days:
        if dice.random() < 0.45:
            minor, patch = minor + 1, 0
        else:
            patch += 1
        listed = _listed(day, dice)
        changes = [_filled(one, thing) for one in dice.sample(theme.changes, k=dice.randint(1, 2))]
        if listed[-1] not in found[-1].game_versions:
            changes.append(_UPDATED.format(listed[-1]))
        found.append(InventedRelease(f"{major}.{minor}.{patch}", day, listed, tuple(changes)))
    return tuple(found)


def _listed(days_ago: float, dice: random.Random) -> tuple[str, ...]:
    """The game versions that a release of that day lists: some patches up to the one of the day."""
    there = [name for name, since in _GAME_VERSIONS if since >= days_ago]
    series = there[-1].rpartition(".")[0]
    same = [name for name in there if name.startswith(f"{series}.")]
    return tuple(same[-dice.randint(1, 6) :])


def _filled(template: str, thing: str) -> str:
    text = template.format(thing)
    return text[0].upper() + text[1:]
