"""Names on disk: harmless, recognisable, and readable back."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cache import names

KEYS = st.from_regex(r"[a-z0-9]{1,20}:[a-z0-9]{1,64}", fullmatch=True)


@given(key=KEYS, name=st.text())
def test_every_name_is_harmless_and_gives_its_key_back(key: str, name: str) -> None:
    made = names.file_name(key, name)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+~-]*", made)
    assert len(made) < 255
    assert names.key_of(made) == key


@given(name=st.text())
def test_whatever_else_lies_in_the_folder_is_read_without_a_crash(name: str) -> None:
    key = names.key_of(name)
    assert key is None or name.count("~") == 1


def test_a_person_recognises_the_mod() -> None:
    made = names.file_name("moddb:24105", "primitivesurvival_3.7.2.zip")
    assert made == "primitivesurvival_3.7.2~moddb-24105.zip"
    assert names.file_name("moddb:1", "a_1.0.0-rc.1.ZIP") == "a_1.0.0-rc.1~moddb-1.zip"
