"""Table of vectors: one per segment, with the text or frame it stands for and the model that made it."""

from tortoise import fields
from tortoise.models import Model

from db.models.fields import Text, Vector, count, key, now, owned, workspace


class Embedding(Model):
    """A segment's vector; `model` and `model_version` say which space it lives in."""

    id = key()
    workspace = workspace()
    media = owned("Media")
    run = owned("Run")
    kind = Text()
    ordinal = count()
    start_time = fields.FloatField(null=True)
    end_time = fields.FloatField(null=True)
    source_text = Text(null=True)
    model = Text()
    model_version = Text()
    vector = Vector()
    created_at = now()

    class Meta:
        table = "embeddings"
        unique_together = (("run_id", "model", "model_version", "kind", "ordinal"),)
        indexes = (("media_id",),)
