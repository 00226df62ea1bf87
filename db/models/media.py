"""Tables of media: the item people see, and what probing its file found."""

from tortoise import fields
from tortoise.models import Model

from db.models.fields import Instant, Text, document, key, now, owned, workspace


class Media(Model):
    """A video, image or audio file somebody brought in."""

    id = key()
    workspace = workspace()
    owner = owned("User")
    kind = Text(default="VIDEO", db_default="VIDEO")
    status = Text(default="UPLOADING", db_default="UPLOADING")
    visibility = Text(default="PRIVATE", db_default="PRIVATE")
    title = Text(null=True)
    description = Text(null=True)
    ai_description = Text(null=True)
    latitude = fields.FloatField(null=True)
    longitude = fields.FloatField(null=True)
    recorded_at = Instant(null=True)
    filename = Text()
    object_key = Text()
    thumbnail_key = Text(null=True)
    latest_run_id = fields.UUIDField(null=True)
    created_at = now()

    class Meta:
        table = "media"
        indexes = (("workspace_id", "created_at", "id"), ("owner_id",), ("visibility",))


class MediaMetadata(Model):
    """What `probe` read from the file itself."""

    id = key()
    workspace = workspace()
    media = owned("Media", one=True)
    format = Text()
    mime_type = Text()
    public_id = Text(unique=True)
    size_bytes = fields.BigIntField()
    sha256 = Text()
    duration_seconds = fields.FloatField(null=True)
    width = fields.IntField(null=True)
    height = fields.IntField(null=True)
    fps = fields.FloatField(null=True)
    video_codec = Text(null=True)
    audio_codec = Text(null=True)
    bitrate = fields.BigIntField(null=True)
    rotation = fields.IntField(null=True)
    hdr = fields.BooleanField(null=True)
    has_audio = fields.BooleanField(null=True)
    recorded_at = Instant(null=True)
    latitude = fields.FloatField(null=True)
    longitude = fields.FloatField(null=True)
    probe = document(null=True)

    class Meta:
        table = "media_metadata"


class Upload(Model):
    """Bytes on their way in, part by part, until they are complete or given up."""

    id = key()
    workspace = workspace()
    owner = owned("User")
    media = owned("Media")
    status = Text(default="WAITING", db_default="WAITING")
    filename = Text()
    content_type = Text()
    size_bytes = fields.BigIntField()
    part_bytes = fields.BigIntField()
    sha256 = Text(null=True)
    stages = document(null=True)
    reason = Text(null=True)
    created_at = now()
    expires_at = Instant()

    class Meta:
        table = "uploads"
        indexes = (("media_id",), ("status", "expires_at"))
