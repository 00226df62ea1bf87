"""Tables of what can be done now: workers that check in, their models and stage definitions."""

from tortoise import fields
from tortoise.models import Model

from db.models.fields import Text, TextArray, count, key, now


class Worker(Model):
    """A process that takes work; it holds a session advisory lock on `lock` while it lives."""

    id = key()
    queue = Text()
    slots = count(1)
    host = Text()
    process = fields.IntField()
    lock = fields.BigIntField()
    stages = TextArray()
    started_at = now()
    seen_at = now()

    class Meta:
        table = "workers"
        indexes = (("queue", "seen_at"),)


class ModelCard(Model):
    """A model as the workers that have it describe it."""

    id = key()
    name = Text()
    version = Text()
    capability = Text()
    media_kinds = TextArray()
    device = Text(null=True)
    loaded = fields.BooleanField(default=False, db_default=False)
    mean_seconds = fields.FloatField(null=True)
    unavailable_reason = Text(null=True)
    seen_at = now()

    class Meta:
        table = "models"
        unique_together = (("name", "version", "capability"),)


class StageDefinition(Model):
    """A stage as its file declares it."""

    id = key()
    name = Text(unique=True)
    queue = Text()
    after = TextArray()
    capabilities = TextArray()
    media_kinds = TextArray()
    seen_at = now()

    class Meta:
        table = "stage_definitions"
