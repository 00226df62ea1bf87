"""Inputs that describe or pick media."""

from datetime import datetime

import strawberry

from schema.enums import MediaStatus, Visibility


@strawberry.input(description="A place on Earth.")
class GeoPointInput:
    """Degrees north and east."""

    latitude: float = strawberry.field(description="Degrees north, -90 to 90.")
    longitude: float = strawberry.field(description="Degrees east, -180 to 180.")


@strawberry.input(description="A circle on Earth.")
class NearInput:
    """A centre and a radius."""

    latitude: float = strawberry.field(description="Degrees north of the centre, -90 to 90.")
    longitude: float = strawberry.field(description="Degrees east of the centre, -180 to 180.")
    radius_km: float = strawberry.field(
        description="Kilometres around the centre, more than 0, at most 20,040."
    )


@strawberry.input(description="A stretch of time; what is left out is open.")
class TimeRangeInput:
    """From one instant, included, to another, excluded."""

    from_: datetime | None = strawberry.field(
        name="from", description="The first instant that belongs to it."
    )
    to: datetime | None = strawberry.field(description="The first instant behind it.")


@strawberry.input(description="Which media to list; everything given must hold.")
class VideoFilter:
    """What the listed media have in common."""

    status: list[MediaStatus] | None = strawberry.field(description="In one of these states.")
    tags: list[str] | None = strawberry.field(
        description="With all of these tags, by name or slug; at most 20."
    )
    near: NearInput | None = strawberry.field(description="Recorded within this circle.")
    recorded: TimeRangeInput | None = strawberry.field(description="Recorded in this time.")
    created: TimeRangeInput | None = strawberry.field(description="Uploaded in this time.")
    owner_id: strawberry.ID | None = strawberry.field(description="Brought in by this user.")
    text: str | None = strawberry.field(
        description="With this text in title, descriptions, file name or captions; case does not matter."
    )
    language: str | None = strawberry.field(
        description="With captions in this language, by its code as `Caption.language` has it."
    )
    visibility: list[Visibility] | None = strawberry.field(
        description="With one of these visibilities; exactly [PUBLIC] also lists other people's public media."
    )
