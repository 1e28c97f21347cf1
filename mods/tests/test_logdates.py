"""Dates as machines of many cultures write them, each told by when the file was changed."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mods import logdates

MORNING = datetime(2026, 11, 5, 9, 12, 41)  # noqa: DTZ001  # logs have no zone
EVENING = datetime(2026, 11, 5, 21, 2, 3)  # noqa: DTZ001
MIDNIGHT = datetime(2026, 11, 5, 0, 5, 9)  # noqa: DTZ001
NOON = datetime(2026, 11, 5, 12, 5, 9)  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        "5.11.2026 09:12:41",
        "05/11/2026 09:12:41",
        "05/11/2026 à 09:12:41",
        "05-11-2026 09:12:41",
        "05-11-2026 09:12:41 AM",
        "5/11/2026 9:12:41 am",
        "11/5/2026 9:12:41 AM",
        "11/05/2026 09:12:41",
        "11/5/2026 9:12:41\u202fAM",
        "05/11/2026 09:12:41 a.\u00a0m.",
        "05/11/2026 09:12:41 a. m.",
        "2026-11-05 09:12:41",
        "2026-11-05T09:12:41Z",
        "2026-11-05 09 h 12 min 41 s",
        "2026/11/5 9:12:41",
        "2026/11/5 上午9:12:41",
        "2026/11/5 上午 09:12:41",
        "2026年11月5日 9:12:41",
        "2026. 11. 5. 오전 9:12:41",
        "2026-11-05 오전 9:12:41",
        "2026/11/05 午前 9:12:41",
        "5.11.2026 г. 9:12:41",
        "5.11.2026 г. 9:12:41 ч.",
        "5. 11. 2026 9:12:41",
        "05. 11. 2026. 09:12:41",
        "05.11.2026. 9:12:41",
        "2026. 11. 05. 9:12:41",
        "2026. 11. 05. de. 9:12:41",
        "5.11.2026 9.12.41",
        "05/11/2026 09.12.41",
        "5.11.2026 klo 9.12.41",
        "05.11.2026 kl. 09:12:41",
        "5/11/2026 9:12:41 π.μ.",
        "5/11/2026 9:12:41 πμ",
        "05/11/2026 9:12:41 SA",
        "5.11.2026 9:12:41 e paradites",
        "5.11.2026 9:12:41.PD",
        "2026/11/05 09:12:41 vm.",
        "2026-11-05 9:12:41 fm",
        "5.11.2026 9:12:41 לפנה״צ",
        "5\u200f/11\u200f/2026 9:12:41 ص",
        "٥/١١/٢٠٢٦ ٩:١٢:٤١ ص",
        "۱۴۰۵/۸/۱۴ ۹:۱۲:۴۱ ق.ظ.",
        "1405/08/14 09:12:41 ق.ظ",
        "24/05/48 09:12:41 ص",
        "25/5/1448 هـ 9:12:41 ص",
        "5/11/2569 9:12:41",
        "๕/๑๑/๒๕๖๙ ๙:๑๒:๔๑",
        "115/11/5 上午 09:12:41",
        "26-11-05 9:12:41",
        "5-11-26 9:12:41 पूर्वाह्न",
        "5.11.2026, 09:12:41",
        "5.11.2026 09:12:41.1234567",
        "５/１１/２０２６ ９:１２:４１",
        "5/11/2026 9:12:41 words that nobody knows",
    ],
)
def test_one_morning_as_it_is_written_in_many_places(text: str) -> None:
    assert logdates.moment(text, MORNING + timedelta(seconds=3)) == MORNING


@pytest.mark.parametrize(
    "half", ["PM", "pm", "p. m.", "P.M.", "μ.μ.", "CH", "下午", "午後", "오후", "nm.", "du.", "em", "ip.", "e pasdites",
             "م", "ب.ظ.", "अपराह्न", "หลังเที่ยง", "odp.", "слоб.", "ös", "אחה״צ", "something"]
)  # fmt: skip
@pytest.mark.parametrize("is_before", [True, False])
def test_the_second_half_of_the_day(half: str, is_before: bool) -> None:
    for moment, time in ((EVENING, "9:02:03"), (NOON, "12:05:09")):
        text = f"5.11.2026 {half} {time}" if is_before else f"5.11.2026 {time} {half}"
        assert logdates.moment(text, moment + timedelta(seconds=3)) == moment


def test_twelve_in_the_first_half_is_midnight() -> None:
    for half in ("AM", "上午", "a. m.", "something"):
        assert logdates.moment(f"5.11.2026 12:05:09 {half}", MIDNIGHT + timedelta(seconds=3)) == MIDNIGHT
    assert logdates.moment("5.11.2026 21:02:03 PM", EVENING) == EVENING


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "5.11.2026", "09:12:41", "5.11.2026 09:12", "31.2.2026 09:12:41", "5.11.2026 24:00:00",
        "5.11.2026 09:60:41", "5.11.2026 09:12:61", "5.11.1999 09:12:41", "5.11.9999 09:12:41", "1 2 3 4 5 6 7",
        "5.11.2026 09-12-41", "5x11x2026 09:12:41", "5.111.2026 09:12:41", "5.11.20260 09:12:41",
        "somebody wrote in the evening: 5.11.2026 09:12:41", "5.11.2026 09:12:41" + " " * 120,
    ],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    assert logdates.moment(text, MORNING) is None


def test_where_nothing_tells_the_day_comes_first_and_with_am_or_pm_the_month() -> None:
    for text, month in (("5/11/2026 9:12:41", 11), ("5/11/2026 9:12:41 AM", 5), ("5.11.2026 9:12:41 AM", 11)):
        read = logdates.moment(text)
        assert read is not None
        assert read.month == month


def test_what_begins_with_the_year_goes_on_with_the_month_and_dots_put_the_day_first() -> None:
    for text in ("2026-05-11 09:12:41", "11.5.2026 09:12:41"):
        assert logdates.moment(text, MORNING) == MORNING.replace(month=5, day=11)


def test_dates_of_one_log_are_read_alike() -> None:
    """The last one is that of the file's change, with the month first; so the earlier ones have it first, too."""
    texts = ["5/6/2026 9:12:41", "9/2/2026 9:12:41", "11/5/2026 9:12:41"]
    read = logdates.resolve(texts, MORNING)
    assert [moment and (moment.month, moment.day) for moment in read] == [(5, 6), (9, 2), (11, 5)]
    # One that leaves no doubt speaks for the others, though it isn't near to the file's change.
    read = logdates.resolve(["5/6/2026 9:12:41", "20/6/2026 9:12:41"], MORNING)
    assert [moment and (moment.month, moment.day) for moment in read] == [(6, 5), (6, 20)]
    # They are in the order in which they were written.
    read = logdates.resolve(["9/8/2026 9:12:41", "10/8/2026 9:12:41", "3/9/2026 9:12:41"], MORNING)
    assert [moment and (moment.month, moment.day) for moment in read] == [(8, 9), (8, 10), (9, 3)]


def test_a_machine_whose_culture_was_changed() -> None:
    texts = ["2026-11-04 09:12:41", "nonsense", "5.11.2026 09:12:41"]
    assert logdates.resolve(texts, MORNING) == [MORNING - timedelta(days=1), None, MORNING]


def test_a_clock_that_is_ahead_of_utc_is_not_the_future() -> None:
    for hours, read in ((14, MORNING), (16, MORNING.replace(month=5, day=11))):
        assert logdates.moment("5/11/2026 9:12:41", MORNING - timedelta(hours=hours)) == read


_PIECES = ["5", "11", "2026", "9", ".", "/", ":", " ", "٥", "AM", "\u200f"]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=150) | st.lists(st.sampled_from(_PIECES), max_size=30).map("".join))
def test_any_text_is_a_date_of_our_time_or_none(text: str) -> None:
    for one in logdates.readings(text):
        assert 2000 <= one.moment.year < 2200
    assert logdates.moment(text, MORNING) in {None, *(one.moment for one in logdates.readings(text))}
