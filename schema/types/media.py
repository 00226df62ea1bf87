"""Media: videos, images and sound, and what is known about them."""

from datetime import datetime

from resolvers import accounts
from resolvers.access import ANYONE, AUTHENTICATED, OWNER
from resolvers.captions import CAPTIONS
from resolvers.compile.source import Column, Of, One, Python, SameRow, Sql
from resolvers.media import LIBRARY, MEDIA, VIDEO, VIDEOS, playback, thumbnail_url
from resolvers.runs import LATEST_RUN, RUNS_OF_MEDIA
from resolvers.tags import TAGS_OF_MEDIA
from schema.enums import MediaStatus, Visibility
from schema.fields import field, interface, record
from schema.scalars import JSON, URL, BigInt
from schema.types.accounts import User
from schema.types.captions import Caption
from schema.types.node import Node
from schema.types.pages import Connection
from schema.types.runs import Run
from schema.types.tags import MediaTag


@record("A place on Earth.")
class GeoPoint:
    """Degrees north and east."""

    latitude: float = field(Column("latitude"), ANYONE, "Degrees north.")
    longitude: float = field(Column("longitude"), ANYONE, "Degrees east.")


@record("What the file says about itself.", table="media_metadata")
class MediaMetadata:
    """What probing found."""

    duration_seconds: float | None = field(Column("duration_seconds"), ANYONE, "How long it is.")
    format: str = field(Column("format"), ANYONE, "The container's name.")
    mime_type: str = field(Column("mime_type"), ANYONE, "The MIME type by its first bytes.")
    public_id: str = field(Column("public_id"), ANYONE, "A random name for use outside, the same for ever.")
    size_bytes: BigInt = field(Column("size_bytes"), ANYONE, "The file's size.")
    width: int | None = field(Column("width"), ANYONE, "Pixels across, before rotation.")
    height: int | None = field(Column("height"), ANYONE, "Pixels down, before rotation.")
    fps: float | None = field(Column("fps"), ANYONE, "Frames per second, on average.")
    video_codec: str | None = field(Column("video_codec"), ANYONE, "How pictures are coded.")
    audio_codec: str | None = field(Column("audio_codec"), ANYONE, "How sound is coded.")
    bitrate: BigInt | None = field(Column("bitrate"), ANYONE, "Bits per second of the whole file.")
    rotation: int | None = field(Column("rotation"), ANYONE, "Degrees to turn it clockwise for watching.")
    hdr: bool | None = field(Column("hdr"), ANYONE, "Whether its brightness range is high.")
    has_audio: bool = field(
        Sql("coalesce(t.has_audio, t.audio_codec is not null)"), ANYONE, "Whether it has sound."
    )
    sha256: str = field(Column("sha256"), ANYONE, "SHA-256 of the file, in hex.")
    probe: JSON | None = field(Column("probe"), OWNER, "Everything that was read, as it was read.")


@record("Links for watching or listening.")
class Playback:
    """Links that end."""

    hls_url: URL | None = field(Column("hls_url"), ANYONE, "The adaptive stream, where there is one.")
    file_url: URL = field(Column("file_url"), ANYONE, "The original file, with byte ranges.")
    expires_at: datetime = field(Column("expires_at"), ANYONE, "Until when the links are good.")


@interface("A video, image or audio file that somebody brought in.")
class Media(Node):
    """What all kinds of media have."""

    title: str | None = field(Column("title"), ANYONE, "The title its owner gave it.")
    description: str | None = field(Column("description"), ANYONE, "What its owner says it shows.")
    ai_description: str | None = field(
        Column("ai_description"), ANYONE, "What a model says it shows, from the newest run that said so."
    )
    status: MediaStatus = field(Column("status"), ANYONE, "Where it stands.")
    visibility: Visibility = field(Column("visibility"), ANYONE, "Who may see it.")
    location: GeoPoint | None = field(SameRow(unless_null="latitude"), ANYONE, "Where it was recorded.")
    recorded_at: datetime | None = field(Column("recorded_at"), ANYONE, "When it was recorded.")
    created_at: datetime = field(Column("created_at"), ANYONE, "When it was uploaded.")
    owner: User = field(accounts.OWNER, ANYONE, "Who brought it in.")
    metadata: MediaMetadata | None = field(
        One("media_metadata", Of("id", "t.media_id = {key}")),
        ANYONE,
        "What the file says, once it was probed.",
    )
    tags: list[MediaTag] = field(TAGS_OF_MEDIA, ANYONE, "Its tags, the surest first.")
    thumbnail_url: URL | None = field(
        Python(thumbnail_url, needs=("thumbnail_key",)), ANYONE, "A picture of it, for an hour at least."
    )
    runs: Connection[Run] = field(
        RUNS_OF_MEDIA, ANYONE, "Its analyses, the newest first; only its own workspace sees any."
    )
    latest_run: Run | None = field(LATEST_RUN, ANYONE, "Its newest analysis; only its own workspace sees it.")


@record("Moving pictures, with sound or without.", table="media", having=("kind", "VIDEO"))
class Video(Media):
    """A video."""

    captions: Connection[Caption] = field(
        CAPTIONS, ANYONE, "What is said, in order of time, from the newest run that heard something."
    )
    playback: Playback | None = field(
        Python(playback, needs=("latest_run_id", "object_key")), ANYONE, "How to watch it."
    )


@record("One picture.", table="media", having=("kind", "IMAGE"))
class Image(Media):
    """An image."""


@record("Sound only.", table="media", having=("kind", "AUDIO"))
class Audio(Media):
    """An audio file."""

    captions: Connection[Caption] = field(
        CAPTIONS, ANYONE, "What is said, in order of time, from the newest run that heard something."
    )
    playback: Playback | None = field(
        Python(playback, needs=("latest_run_id", "object_key")), ANYONE, "How to listen to it."
    )


@record("Reading media.")
class MediaQueries:
    """Media at the root."""

    video: Video | None = field(VIDEO, ANYONE, "A video by its id.")
    videos: Connection[Video] = field(VIDEOS, AUTHENTICATED, "The videos of one's workspace.")
    media: Media | None = field(MEDIA, ANYONE, "A media item of any kind by its id.")
    library: Connection[Media] = field(LIBRARY, AUTHENTICATED, "The media of one's workspace, of all kinds.")
