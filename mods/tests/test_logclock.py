"""Of what zone a log's clock is, as the time of its last change tells."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mods import logclock

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
LAST = datetime(2026, 11, 5, 9, 12, 41)  # noqa: DTZ001  # logs have no zone


@pytest.mark.parametrize(
    ("zone", "behind", "late", "offset"),
    [
        (UTC, 0, 0, None),  # its own zone says nothing new
        (NEW_YORK, -5, 0, None),
        (NEW_YORK, 1, 3, 1),
        (NEW_YORK, 5.75, -2, 5.75),
        (UTC, -3, 3, -3),
        (UTC, -3, 4, None),  # touched later: it may be of UTC as well
        (BERLIN, 0, 10, 0),  # a container's clock is UTC most often
        (BERLIN, 0, 11, None),
        (NEW_YORK, 0, 5, 0),  # in New York it would be later than the change, which can't be
        (NEW_YORK, 0, 60, 0),
        (NEW_YORK, 0, 61, None),
        (NEW_YORK, 15, 0, None),  # no zone is so far from another
        (UTC, -13, 0, None),
    ],
)
def test_the_offset_is_told_by_the_change(zone: ZoneInfo, behind: float, late: float, offset: float | None) -> None:
    changed = LAST.replace(tzinfo=UTC) - timedelta(hours=behind) + timedelta(seconds=late)
    told = logclock.offset_told(LAST, changed, zone)
    assert told == (None if offset is None else timedelta(hours=offset))


def test_local_times_are_those_of_the_zone_or_of_the_offset_told() -> None:
    assert logclock.to_utc(LAST, NEW_YORK, None) == datetime(2026, 11, 5, 14, 12, 41, tzinfo=UTC)
    assert logclock.to_utc(LAST, NEW_YORK, timedelta(0)) == datetime(2026, 11, 5, 9, 12, 41, tzinfo=UTC)
