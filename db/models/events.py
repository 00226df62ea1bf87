"""Tables of the live stream: the outbox of events, and how far the relay has come."""

from tortoise import fields
from tortoise.models import Model

from db.models.fields import Text, document, key, now


class Event(Model):
    """Something that happened, written with the change itself; `seq` is given by the relay after commit."""

    id = key()
    seq = fields.BigIntField(null=True, unique=True)
    type = Text()
    version = fields.IntField()
    workspace_id = fields.UUIDField()
    media_id = fields.UUIDField(null=True)
    run_id = fields.UUIDField(null=True)
    payload = document()
    image = document()
    at = now()

    class Meta:
        table = "events"
        indexes = (("media_id", "seq"), ("workspace_id", "seq"), ("at",))


class Relay(Model):
    """One row: the highest `seq` given out, published, and the lowest still kept."""

    id = fields.SmallIntField(primary_key=True)
    seq = fields.BigIntField(default=0, db_default=0)
    published_seq = fields.BigIntField(default=0, db_default=0)
    kept_from = fields.BigIntField(default=0, db_default=0)

    class Meta:
        table = "relay"
