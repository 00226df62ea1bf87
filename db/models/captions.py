"""Table of captions: what was said, when, and by which engine it was heard."""

from tortoise import fields
from tortoise.models import Model

from db.models.fields import Text, count, document, key, owned, workspace


class Caption(Model):
    """One caption of one run; `ordinal` keeps a retry from writing it twice."""

    id = key()
    workspace = workspace()
    media = owned("Media")
    run = owned("Run")
    shard = Text(default="", db_default="")
    ordinal = count()
    text = Text()
    start_time = fields.FloatField()
    end_time = fields.FloatField()
    language = Text(null=True)
    confidence = fields.FloatField(null=True)
    source = Text()
    words = document(null=True)

    class Meta:
        table = "captions"
        unique_together = (("run_id", "shard", "ordinal"),)
        indexes = (("media_id", "start_time", "id"),)
