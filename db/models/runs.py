"""Tables of analysis: runs, their stages, and the money they cost."""

from tortoise import fields
from tortoise.models import Model

from db.models.fields import Instant, Text, TextArray, count, document, key, micros, now, owned, workspace


class Run(Model):
    """One versioned analysis of one media item; `left_n` counts the stages that have not ended."""

    id = key()
    workspace = workspace()
    media = owned("Media")
    number = fields.IntField()
    status = Text(default="QUEUED", db_default="QUEUED")
    wanted_stages = TextArray(null=True)
    wanted_models = TextArray(null=True)
    premium = fields.BooleanField(default=False, db_default=False)
    left_n = count()
    cost_micros = micros()
    reserved_micros = micros()
    correlation_id = Text(null=True)
    cancel_requested_at = Instant(null=True)
    not_before = Instant(null=True)
    created_at = now()
    started_at = Instant(null=True)
    finished_at = Instant(null=True)

    class Meta:
        table = "runs"
        unique_together = (("media_id", "number"),)
        indexes = (("workspace_id", "created_at"), ("status",))


class Stage(Model):
    """One step of a run (or one shard of it): who holds it, until when, and how it ended."""

    id = key()
    workspace = workspace()
    media = owned("Media")
    run = owned("Run")
    name = Text()
    shard = Text(default="", db_default="")
    queue = Text()
    after = TextArray()
    status = Text(default="WAITING", db_default="WAITING")
    attempt = count()
    max_attempts = count(3)
    timeout_seconds = fields.FloatField(default=600.0, db_default=600.0)
    fence = fields.BigIntField(default=0, db_default=0)
    worker_id = fields.UUIDField(null=True)
    lease_until = Instant(null=True)
    not_before = Instant(null=True)
    dispatched_at = Instant(null=True)
    done = count()
    total = fields.IntField(null=True)
    engine = Text(null=True)
    reason = Text(null=True)
    error_code = Text(null=True)
    result = document(null=True)
    cost_micros = micros()
    created_at = now()
    started_at = Instant(null=True)
    finished_at = Instant(null=True)

    class Meta:
        table = "stages"
        unique_together = (("run_id", "name", "shard"),)
        indexes = (("status", "queue", "created_at"), ("media_id",))


class CostEntry(Model):
    """What one external or model call cost, written once per stage, service and call."""

    id = key()
    workspace = workspace()
    media = owned("Media")
    run = owned("Run")
    stage = owned("Stage")
    service = Text()
    call = Text()
    units = fields.FloatField()
    unit = Text()
    amount_micros = micros()
    created_at = now()

    class Meta:
        table = "cost_entries"
        unique_together = (("stage_id", "service", "call"),)
        indexes = (("workspace_id", "created_at"),)


class Budget(Model):
    """A workspace's money for one period: what is spent, and what running work has reserved."""

    id = key()
    workspace = workspace()
    period_start = Instant()
    limit_micros = fields.BigIntField(null=True)
    spent_micros = micros()
    reserved_micros = micros()
    warned_at = Instant(null=True)

    class Meta:
        table = "budgets"
        unique_together = (("workspace_id", "period_start"),)
