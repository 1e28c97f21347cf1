"""Dates and times as .NET writes them (`DateTime.ToString()`) on machines of any culture. Pure.

The order of day, month and year, the marks between them, words around them, twelve hours with words before or after,
digits and the calendar itself all follow the machine's culture, which no log names. Where a text can be read in several
ways, the time of the file's last change decides: an entry was written before it, and the last one shortly before.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

#: A text that is longer is no date.
LONGEST = 120
#: How far a log's clock may be ahead of UTC, in which `written` is given; and a day's half.
_AHEAD = timedelta(hours=15)
_HALF = 12
#: So much earlier than the entry before it an entry may be: summer time ends.
_BACK = timedelta(hours=2)


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


# Words for the two halves of a day, in lower case, letters alone: "a. m." is "am", "ק״מ" loses its mark. Of CLDR 44 and
# of older Windows, one line for each group of scripts. What isn't here is told by the time of the file's change.
_BEFORE_NOON = _words(
    "a am ap de delamañana damanhã dop dopoldne el fh fm gh mañana matin od öö paradite eparadites pd pg prepodne",
    "prijepodne priekšp priekšpusdienā priešpiet rn sa to vm vorm vormittag vormittags yb",
    "πμ дп пробед проб преподне пријеподне претпладне претпл таңкы тң үө ку эртенменен",
    "ص صباحا صباحًا ق قظ قبلازظهر غم صبح بن לפנהצ לפניהצהריים",
    "पूर्वाह्न मपू পূর্বাহ্ণ পূর্বাহ্ন পূৰ্বাহ্ন ਪੂਦੁ ਸਵੇਰੇ પૂર્વમધ્યાહ્ન முற்பகல் ಪೂರ್ವಾಹ್ನ පෙව",
    "ก่อนเที่ยง ກ່ອນທ່ຽງ ព្រឹក နံနက် སྔཆ སྔདྲོ ጥዋት 上午 上晝 上昼 午前 오전 ꎸꄑ",
)
_AFTER_NOON = _words(
    "p pm ip du delatarde datarde odp popoldne pl eh em gd tarde soir pop ös pasdite epasdites md ptg",
    "popodne poslijepodne pēcp pēcpusdienā popiet in ch tk nm nam nachm nachmittag nachmittags yh",
    "μμ пп слобед слоб поподне послијеподне попладне попл түштөнкийин тк үх кх кечинде",
    "م مساء مساءً بظ بعدازظهر غو شام دن אחהצ אחרהצהריים",
    "अपराह्न मउ অপরাহ্ণ অপরাহ্ন অপৰাহ্ন ਬਾਦੁ ਸ਼ਾਮ ઉત્તરમધ્યાહ્ન பிற்பகல் ಅಪರಾಹ್ನ පව",
    "หลังเที่ยง ຫຼັງທ່ຽງ ល្ងាច ညနေ ཕྱིཆ ཕྱིདྲོ ከሰዓት 下午 下晝 下昼 午後 오후 ꁯꋒ",
)
#: Words that say nothing of the half: eras, "year", "day", "o'clock", units.
_EMPTY = _words(
    "г год ч час kl klo um h s min sec sek t z ad ce ه هـ هش ب бэ พศ คศ р сағ óra в о à at 日 일 秒 초",
)
_NUMBERS = re.compile(r"([0-9]+)")
_DATE_MARKS = frozenset(" ./-‐‑–،,'年月日년월일")
_TIME_UNITS = _words(": . ∶ h min m u ч м 時 时 分 시 분 点 h. min.")


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a text. `moment` has no zone, as logs have none. `style`: texts of one machine share theirs."""

    moment: datetime
    style: tuple[str, str]


def resolve(texts: Sequence[str], written: datetime | None) -> list[datetime | None]:
    """When entries of one log were written, each by its text, the earliest first; None for what is no date.

    `written`: when the file was last changed, in UTC without a zone; None if nobody knows.
    """
    told = [readings(text) for text in texts]
    if written is None:
        return [one[0].moment if one else None for one in told]
    shared = _shared_style([one for one in told if one], written)
    return [_fitting(one, shared, written) for one in told]


def moment(text: str, written: datetime | None = None) -> datetime | None:
    """The same for one text."""
    return resolve([text], written)[0]


def _shared_style(told: Sequence[tuple[Reading, ...]], written: datetime) -> tuple[str, str] | None:
    """The way in which all of them can be read that fits best: they follow each other, up to the file's last change."""
    styles = [{one.style for one in each} for each in told]
    common = [one.style for one in told[-1] if all(one.style in other for other in styles)] if told else []

    def unfitness(style: tuple[str, str]) -> tuple[int, int, timedelta]:
        moments = [moment for each in told if (moment := _fitting(each, style, written))]
        later = sum(moment > written + _AHEAD for moment in moments)
        backwards = sum(after < before - _BACK for before, after in pairwise(moments))
        return later, backwards, abs(moments[-1] - written) if later < len(moments) else timedelta()

    return min(common, key=unfitness) if common else None


def _fitting(told: Sequence[Reading], style: tuple[str, str] | None, written: datetime) -> datetime | None:
    """The reading of that style, or of any, that is next to the file's last change and not after it."""
    told = [one for one in told if one.style == style] or told
    early = [one for one in told if one.moment <= written + _AHEAD]
    if early:
        return min(early, key=lambda one: abs(one.moment - written)).moment
    return told[0].moment if told else None


def readings(text: str) -> tuple[Reading, ...]:
    """Every way to read that text, the likeliest first; () if it is no date."""
    if len(text) > LONGEST:
        return ()
    parts = _parts(text)
    if len(parts) == 15 and parts[12] in {".", ","}:  # a fraction of a second
        parts = [*parts[:12], parts[14]]
    if len(parts) != 13:
        return ()
    between, numbers = parts[::2], parts[1::2]
    if not _is_date(between, numbers):
        return ()
    hour, minute, second = (int(number) for number in numbers[3:])
    found = []
    half = _half(between[3], between[6])
    for hours in _hours(hour, half):
        for order, calendar, day in _days(numbers[:3], between[1], has_half=bool(half)):
            try:
                time = timedelta(hours=hours, minutes=minute, seconds=second)
                if hours < 24 and minute < 60 and second < 60:
                    found.append(Reading(datetime(day.year, day.month, day.day) + time, (order, calendar)))  # noqa: DTZ001  # the log has no zone
            except (ValueError, OverflowError):
                continue
    return tuple(found)


def _parts(text: str) -> list[str]:
    """Text and numbers in turns: text, number, …, text. Any script's digits count, marks of direction don't."""
    if text.isascii():
        return _NUMBERS.split(text)
    parts = [""]
    was_digit = False
    for character in unicodedata.normalize("NFKC", text):
        digit = unicodedata.decimal(character, None)
        if digit is None and unicodedata.category(character) == "Cf":
            continue
        if (digit is not None) != was_digit:
            parts.append("")
            was_digit = not was_digit
        parts[-1] += character if digit is None else str(digit)
    return [*parts, ""] if was_digit else parts


def _is_date(between: Sequence[str], numbers: Sequence[str]) -> bool:
    """Whether what stands around and between six numbers is as in a date and a time."""
    a, b, c, *time = numbers
    return (
        max(len(a), len(c)) <= 4
        and len(b) <= 2
        and all(len(number) <= 2 for number in time)
        and all(len(around) <= 24 for around in (between[0], between[3], between[6]))
        and all(mark and len(mark) <= 5 and not set(mark) - _DATE_MARKS for mark in between[1:3])
        and bool(between[3])
        and all(mark.strip().casefold() in _TIME_UNITS for mark in between[4:6])
    )


def _half(before: str, after: str) -> str:
    """Which half of the day the words before and after a time name: "am", "pm", "" for none, "?" for unknown words."""
    words = [_letters(word) for around in (before, after) for word in around.split()]
    words = [word for word in words if word and word not in _EMPTY]
    said = {*words, *(_letters(around) for around in (before, after)), "".join(words)}
    if said & _AFTER_NOON:
        return "pm"
    if said & _BEFORE_NOON:
        return "am"
    return "?" if words else ""


def _letters(text: str) -> str:
    return "".join(one for one in text.casefold() if unicodedata.category(one)[0] in "LM")


def _hours(hour: int, half: str) -> Iterator[int]:
    """The hours of the day that may be meant."""
    if not half or hour > _HALF:
        yield hour
        return
    if half != "pm":
        yield hour % _HALF
    if half != "am":
        yield hour % _HALF + _HALF


def _days(numbers: Sequence[str], mark: str, *, has_half: bool) -> Iterator[tuple[str, str, date]]:
    """The days that three numbers with that mark between them may mean, with order and calendar, the likeliest first.

    What begins with the year goes on with the month, and with dots the day comes first; unless no such day exists.
    Otherwise day or month may be first. AM or PM speaks for the month, and the time of the file has the last word.
    """
    a, b, c = (int(number) for number in numbers)
    ymd, ydm, dmy, mdy = ("ymd", (a, b, c)), ("ydm", (a, c, b)), ("dmy", (c, b, a)), ("mdy", (c, a, b))
    is_certain = len(numbers[0]) > 2 or "." in mark
    if len(numbers[0]) > 2:
        orders = [ymd, ydm]
    else:
        orders = [mdy, dmy] if has_half and not is_certain else [dmy, mdy]
        orders += [ymd] if len(numbers[2]) < 3 else []
    for order, (year, month, day) in orders:
        found = [(order, name, one) for name, one in _in_calendars(year, month, day)]
        yield from found
        if found and is_certain and len(numbers[2]) > 2 - (len(numbers[0]) > 2):
            return


def _in_calendars(year: int, month: int, day: int) -> Iterator[tuple[str, date]]:
    for name, (first, century, convert) in _CALENDARS.items():
        whole = year if year >= 100 else century + year
        if first <= whole < first + 200:
            try:
                yield name, convert(whole, month, day)
            except (ValueError, OverflowError):
                continue


def _persian(year: int, month: int, day: int) -> date:
    """Of the solar calendar (fa-IR): leap years in cycles of 33, right from 1925 to 2088."""
    if not (1 <= month <= 12 and 1 <= day <= (31 if month <= 6 else 30)):
        raise ValueError
    cycles, years = divmod(year - 979, 33)
    days = 365 * (year - 979) + 8 * cycles + (years + 3) // 4 + 31 * (month - 1) - max(0, month - 7) + day - 1
    return date(1600, 3, 20) + timedelta(days=days)


def _hijri(year: int, month: int, day: int) -> date:
    """Of the lunar calendar (ar-SA), by its arithmetic."""
    if not (1 <= month <= 12 and 1 <= day <= 30):
        raise ValueError
    days = 354 * (year - 1) + (11 * year + 3) // 30 + 29 * (month - 1) + month // 2 + day - 1
    return date(622, 7, 19) + timedelta(days=days)


#: Of each: its first year that we care for, the century that a year of two digits is in, and how to get a day from it.
#: The moon as it was seen is a day off its arithmetic at most.
_CALENDARS: dict[str, tuple[int, int, Callable[[int, int, int], date]]] = {
    "gregorian": (2000, 2000, date),
    "buddhist": (2543, 2500, lambda year, month, day: date(year - 543, month, day)),
    "persian": (1379, 1400, _persian),
    "hijri": (1421, 1400, _hijri),
    "hijri a day before": (1421, 1400, lambda *given: _hijri(*given) - timedelta(days=1)),
    "hijri a day after": (1421, 1400, lambda *given: _hijri(*given) + timedelta(days=1)),
    "minguo": (89, 100, lambda year, month, day: date(year + 1911, month, day)),
}
