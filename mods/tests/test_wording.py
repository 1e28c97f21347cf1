"""Game versions are drawn together without saying more than the list does."""

import pytest

from mods import wording


@pytest.mark.parametrize(
    ("listed", "shown"),
    [
        ([], ""),
        (["0.0.0"], ""),
        (["1.21.5"], "1.21.5"),
        (["1.21.1", "1.21.0", "1.21.2"], "1.21.0–1.21.2"),
        (["1.20.4", "1.21.0", "1.21.2", "1.21.3"], "1.20.4, 1.21.0, 1.21.2–1.21.3"),
        (["1.20.9", "1.21.0"], "1.20.9, 1.21.0"),
        (["1.22.0-rc.1", "1.22.0-rc.2", "1.22.0"], "1.22.0-rc.1–1.22.0-rc.2, 1.22.0"),
        (["1.22.0-pre.1", "1.22.0-rc.2"], "1.22.0-pre.1, 1.22.0-rc.2"),
        (["1.21.5", "1.21.5", None, "vNext", 7], "1.21.5, 7"),
    ],
)
def test_game_versions(listed: list[object], shown: str) -> None:
    assert wording.game_versions(listed) == shown
