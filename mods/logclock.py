"""Of what zone a log's clock is: its lines have local times without one. Pure.

A server in a container often has another zone than the machine. When the file was last changed tells it: the last line
was written then.
"""

from datetime import UTC, datetime, timedelta, tzinfo

_QUARTER = timedelta(minutes=15)
#: So much later than its last line says a file may have been changed, for its time to tell the zone.
_SOON = timedelta(seconds=3)
#: The same for UTC, which most containers have.
_SOON_IN_UTC = timedelta(seconds=10)
#: The same if by the machine's zone that line would be later than the change: it is of another zone in any case.
_LATE = timedelta(minutes=1)


def offset_told(last: datetime, changed: datetime, zone: tzinfo) -> timedelta | None:
    """How far a log's clock is from UTC; None if that of `zone` will do, or nothing tells.

    `last`: the local time of its last line, `changed`: when the file was last changed (aware UTC).
    """
    apart = last - changed.replace(tzinfo=None, microsecond=0)
    offset = _QUARTER * round(apart / _QUARTER)
    of_zone = {last.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    is_impossible = to_utc(last, zone, None) > changed + _LATE
    if offset in of_zone or not timedelta(hours=-12) <= offset <= timedelta(hours=14):
        return None
    latest = _LATE if is_impossible else _SOON if offset else _SOON_IN_UTC
    return offset if abs(apart - offset) <= latest else None


def to_utc(local: datetime, zone: tzinfo, offset: timedelta | None) -> datetime:
    """A log's local time as aware UTC: by its own clock's offset if that is known. Raises OverflowError."""
    if offset is not None:
        return (local - offset).replace(tzinfo=UTC)
    return local.replace(tzinfo=zone).astimezone(UTC)
