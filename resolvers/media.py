"""Media: which rows lists mean, in which order, and links to their bytes."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from db import ids, tags
from db.connection import Viewer
from db.errors import InvalidInput, NotFound
from db.links import HOUR
from resolvers import checks
from resolvers.access import login
from resolvers.compile.reads import Row
from resolvers.compile.source import All, Argument, ById, Choice, Condition, Filter, Of, One, Order, Pages
from resolvers.context import Context
from schema.enums import MediaKind, VideoOrder, Visibility
from schema.inputs.media import NearInput, TimeRangeInput, VideoFilter

EARTH_KM = 6371.0088
FARTHEST_KM = 20_040
MOST_TAGS = 20

# Great-circle distance in kilometres; rounding may push the sine past 1, and `least` passes over nulls.
DISTANCE = f"""
    t.latitude is not null and 2 * {EARTH_KM} * asin(least(1, sqrt(
      sin(radians(t.latitude - {{0}}::float8) / 2) ^ 2 + cos(radians({{0}}::float8))
      * cos(radians(t.latitude)) * sin(radians(t.longitude - {{1}}::float8) / 2) ^ 2))) <= {{2}}::float8
"""
WORDS = "lower(concat_ws(' ', t.title, t.description, t.ai_description, t.filename))"
DURATION = "coalesce((select m.duration_seconds from media_metadata m where m.media_id = t.id), -1)"

NEWEST = Order((("t.created_at", "timestamptz"), ("t.id", "uuid")), descending=True)
ORDER = Choice(
    Argument("order", VideoOrder, "In which order.", VideoOrder.NEWEST),
    {
        VideoOrder.NEWEST: NEWEST,
        VideoOrder.OLDEST: Order(NEWEST.keys),
        VideoOrder.RECORDED: Order(
            (("coalesce(t.recorded_at, '-infinity')", "timestamptz"), ("t.id", "uuid")), descending=True
        ),
        VideoOrder.LONGEST: Order(((DURATION, "float8"), ("t.id", "uuid")), descending=True),
    },
)


def listed(viewer: Viewer | None, arguments: Mapping[str, Any]) -> Condition:
    """Lists are of the viewer's own workspace; ADMIN, and who asks for exactly [PUBLIC], sees beyond it."""
    viewer = login(viewer)
    wanted: VideoFilter | None = arguments.get("filter")
    if viewer.role == "ADMIN" or (wanted and wanted.visibility == [Visibility.PUBLIC]):
        return Condition("true")
    return Condition("t.workspace_id = {0}", (viewer.workspace_id,))


def matching(wanted: VideoFilter) -> Iterator[Condition]:
    """What a filter asks for; InvalidInput where a value makes no sense."""
    if wanted.status is not None:
        yield Condition("t.status = any({0}::text[])", (tuple(status.value for status in wanted.status),))
    if wanted.visibility is not None:
        yield Condition("t.visibility = any({0}::text[])", (tuple(each.value for each in wanted.visibility),))
    if wanted.tags is not None:
        yield _tagged(wanted.tags)
    if wanted.near is not None:
        yield _near(wanted.near)
    yield from _within("recorded", "t.recorded_at", wanted.recorded)
    yield from _within("created", "t.created_at", wanted.created)
    if wanted.owner_id is not None:
        yield _owned(wanted.owner_id)
    if wanted.text is not None:
        yield _mentions(wanted.text)
    if wanted.language is not None:
        yield Condition(
            "exists (select from captions c"
            " where c.media_id = t.id and lower(c.language) = lower({0}::text))",
            (wanted.language,),
        )


def of_kinds(kinds: list[MediaKind]) -> Iterator[Condition]:
    """Media of one of these kinds."""
    yield Condition("t.kind = any({0}::text[])", (tuple(kind.value for kind in kinds),))


def _tagged(names: list[str]) -> Condition:
    if len(names) > MOST_TAGS:
        raise InvalidInput(f"Ask for at most {MOST_TAGS} tags.", ["filter", "tags"])
    return Condition(
        """
        not exists (select from unnest({0}::text[]) as wanted(slug) where not exists (
          select from media_tags m join tags on tags.id = m.tag_id
          where m.media_id = t.id and tags.slug = wanted.slug))
        """,
        (tuple(tags.slug(name) for name in names),),
    )


def _near(circle: NearInput) -> Condition:
    path = ["filter", "near"]
    latitude, longitude = checks.point(circle.latitude, circle.longitude, path)
    if not 0 < circle.radius_km <= FARTHEST_KM:
        raise InvalidInput(f"A radius is more than 0 and at most {FARTHEST_KM} km.", [*path, "radiusKm"])
    return Condition(DISTANCE, (latitude, longitude, circle.radius_km))


def _within(name: str, column: str, time_range: TimeRangeInput | None) -> Iterator[Condition]:
    if time_range is None:
        return
    checks.period(time_range.from_, time_range.to, ["filter", name])
    if time_range.from_:
        yield Condition(f"{column} >= {{0}}::timestamptz", (time_range.from_,))
    if time_range.to:
        yield Condition(f"{column} < {{0}}::timestamptz", (time_range.to,))


def _owned(owner_id: str) -> Condition:
    try:
        return Condition("t.owner_id = {0}", (ids.decode("users", owner_id),))
    except NotFound:
        raise InvalidInput("This is not a user's id.", ["filter", "ownerId"]) from None


def _mentions(text: str) -> Condition:
    return Condition(
        f"""
        strpos({WORDS}, lower({{0}}::text)) > 0
        or exists (select from captions c
                   where c.media_id = t.id and strpos(lower(c.text), lower({{0}}::text)) > 0)
        """,
        (checks.text(text, ["filter", "text"], longest=200),),
    )


FILTER = Filter(
    Argument("filter", VideoFilter | None, "Which ones; if left out, all of them.", None), matching
)
KINDS = Filter(Argument("kinds", list[MediaKind] | None, "Only media of these kinds.", None), of_kinds)

VIDEO = One("media", ById("The video's id."), where="t.kind = 'VIDEO'")
MEDIA = One("media", ById("The item's id."))
VIDEOS = Pages("media", All(), ORDER, where="t.kind = 'VIDEO'", filters=(FILTER,), scope=listed)
LIBRARY = Pages("media", All(), ORDER, filters=(KINDS, FILTER), scope=listed)
CARRYING_TAG = Pages(
    "media",
    Of("id", "exists (select from media_tags m where m.media_id = t.id and m.tag_id = {key})"),
    NEWEST,
)


def thumbnail_url(media: Row, context: Context) -> str | None:
    """A link to the item's picture, once it has one."""
    return context.store.read_url(media["thumbnail_key"]) if media["thumbnail_key"] else None


def playback(media: Row, context: Context) -> dict[str, Any] | None:
    """Links to the item's bytes, once they have arrived and were accepted: then there has been a run."""
    if media["latest_run_id"] is None:
        return None
    now = time.time()
    return {
        "file_url": context.store.read_url(media["object_key"], now),
        "hls_url": None,
        "expires_at": datetime.fromtimestamp((now // HOUR + 2) * HOUR, UTC),
    }
