"""When, where and in which language a file was recorded, from the tags that cameras and phones write."""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

_CREATION_TAGS = ("com.apple.quicktime.creationdate", "creation_time", "date_utc")
_LOCATION_TAGS = ("com.apple.quicktime.location.iso6709", "location", "location-eng")
_ISO_6709 = re.compile(r"^([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)")
_RATIONAL = re.compile(r"(\d+):(\d+)")
_EXIF_TIME = "%Y:%m:%d %H:%M:%S%z"
#: QuickTime counts from 1904 and Unix from 1970: a clock that was never set reads one of the two.
_FIRST_YEAR = 1971


def created_at(tags: Mapping[str, str]) -> str | None:
    """The instant of recording as RFC 3339 in UTC; None where the file or its time zone is silent."""
    tags = {key.lower(): value for key, value in tags.items()}
    moments = [_iso(tags[name]) for name in _CREATION_TAGS if name in tags]
    moments.append(_exif_time(tags))
    known = [moment for moment in moments if moment is not None and moment.year >= _FIRST_YEAR]
    return known[0].isoformat(timespec="milliseconds").replace("+00:00", "Z") if known else None


def _iso(text: str) -> datetime | None:
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    return None


def _exif_time(tags: Mapping[str, str]) -> datetime | None:
    taken = tags.get("exififd/datetimeoriginal", "")
    # 0x9011 is OffsetTimeOriginal, which libav names by its number.
    offset = tags.get("exififd/offsettimeoriginal", tags.get("exififd/0x9011", ""))
    with suppress(ValueError, OverflowError):
        return datetime.strptime(taken.strip() + offset.strip(), _EXIF_TIME).astimezone(UTC)
    return None


def language(tags: Mapping[str, str]) -> str | None:
    """A stream's language tag, None where it says nothing ("und")."""
    tag = tags.get("language", "und")[:35]
    return None if tag == "und" else tag


def location(tags: Mapping[str, str]) -> tuple[float, float] | tuple[None, None]:
    """Latitude and longitude in degrees (WGS 84) from ISO 6709 or EXIF tags; both or neither."""
    tags = {key.lower(): value for key, value in tags.items()}
    places = [iso6709(tags[name]) for name in _LOCATION_TAGS if name in tags]
    places.append(_exif_place(tags))
    return next((place for place in places if place is not None), (None, None))


def iso6709(text: str) -> tuple[float, float] | None:
    """The place in "+59.9075+010.7360/", whose degrees may also be DDMM.M or DDMMSS.S."""
    found = _ISO_6709.match(text.strip())
    return _place(_degrees(found[1], 2), _degrees(found[2], 3)) if found else None


def _degrees(text: str, digits: int) -> float:
    """Reads ±D…, ±D…MM and ±D…MMSS, where degrees have `digits` digits; what is longer is no place (NaN)."""
    sign, whole = (-1.0 if text[0] == "-" else 1.0), text[1:].partition(".")[0]
    number = text[1:]
    if len(whole) <= digits:
        return sign * float(number)
    if len(whole) == digits + 2:
        return sign * (float(number[:digits]) + float(number[digits:]) / 60)
    if len(whole) == digits + 4:
        rest = digits + 2
        return sign * (float(number[:digits]) + float(number[digits:rest]) / 60 + float(number[rest:]) / 3600)
    return math.nan


def _exif_place(tags: Mapping[str, str]) -> tuple[float, float] | None:
    latitude = _exif_degrees(tags, "latitude", "S")
    longitude = _exif_degrees(tags, "longitude", "W")
    return _place(latitude, longitude)


def _exif_degrees(tags: Mapping[str, str], axis: str, negative: str) -> float:
    parts = _RATIONAL.findall(tags.get(f"gpsinfo/gps{axis}", ""))
    if len(parts) != 3 or any(int(below) == 0 for _, below in parts):
        return math.nan
    degrees, minutes, seconds = (int(above) / int(below) for above, below in parts)
    sign = -1 if tags.get(f"gpsinfo/gps{axis}ref", "").strip().upper() == negative else 1
    return sign * (degrees + minutes / 60 + seconds / 3600)


def _place(latitude: float, longitude: float) -> tuple[float, float] | None:
    # Not a number fails both comparisons; exactly 0, 0 is a receiver without a fix.
    if not (abs(latitude) <= 90 and abs(longitude) <= 180) or latitude == longitude == 0:
        return None
    return round(latitude, 7), round(longitude, 7)
