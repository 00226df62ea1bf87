"""Tables of tags: each exists once, and media carry them with a source."""

from tortoise import fields
from tortoise.models import Model

from db.models.fields import Text, key, now, owned, workspace


class Tag(Model):
    """A word or phrase; `slug` is its one identity."""

    id = key()
    name = Text()
    slug = Text(unique=True)
    created_at = now()

    class Meta:
        table = "tags"


class MediaTag(Model):
    """That a media item carries a tag, who says so, and how surely."""

    id = key()
    workspace = workspace()
    media = owned("Media")
    tag = owned("Tag")
    run = owned("Run", null=True)
    confidence = fields.FloatField(null=True)
    source = Text()

    class Meta:
        table = "media_tags"
        unique_together = (("media_id", "tag_id"),)
        indexes = (("tag_id", "media_id"),)
