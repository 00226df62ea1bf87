"""Runs: versioned analyses of a media item, and their stages."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers import runs
from resolvers.access import ANYONE, AUTHENTICATED
from resolvers.compile.source import Column, Of, One, Python, Sql
from schema.enums import RunStatus, StageStatus
from schema.fields import changed_by, field, record
from schema.scalars import BigInt
from schema.types.errors import UserError
from schema.types.node import Node

if TYPE_CHECKING:
    from schema.types.media import Media


@record("One step of a run, or one shard of a step.", table="stages")
class Stage(Node):
    """A stage."""

    name: str = field(Column("name"), ANYONE, "Which step it is.")
    shard: str = field(Column("shard"), ANYONE, "Which part of it; empty when there is only one.")
    status: StageStatus = field(Column("status"), ANYONE, "Where it stands.")
    attempt: int = field(Column("attempt"), ANYONE, "How often it was begun.")
    progress: float = field(
        Python(runs.stage_progress, ("finished_at", "done", "total")), ANYONE, "How far it is, 0 to 1."
    )
    done: int | None = field(Column("done"), ANYONE, "Units done so far.")
    total: int | None = field(Column("total"), ANYONE, "Units in all, where known.")
    engine: str | None = field(Column("engine"), ANYONE, "What did the work; a fallback says so.")
    reason: str | None = field(Column("reason"), ANYONE, "Why it was skipped, retried or failed.")
    error_code: str | None = field(Column("error_code"), ANYONE, "What kind of failure it was, for programs.")
    started_at: datetime | None = field(Column("started_at"), ANYONE, "When it was first begun.")
    finished_at: datetime | None = field(Column("finished_at"), ANYONE, "When it ended.")
    cost_micros: BigInt = field(Column("cost_micros"), ANYONE, "What it cost, in millionths of a dollar.")


@record("One versioned analysis of one media item; earlier ones stay.", table="runs")
class Run(Node):
    """A run."""

    number: int = field(Column("number"), ANYONE, "Which analysis of the item it is: 1, 2, 3…")
    media: Annotated["Media", strawberry.lazy("schema.types.media")] = field(
        runs.MEDIA, ANYONE, "What is analysed."
    )
    status: RunStatus = field(Column("status"), ANYONE, "Where it stands.")
    created_at: datetime = field(Column("created_at"), ANYONE, "When it was asked for.")
    started_at: datetime | None = field(Column("started_at"), ANYONE, "When its first stage was begun.")
    finished_at: datetime | None = field(Column("finished_at"), ANYONE, "When its last stage ended.")
    progress: float = field(Sql(runs.PROGRESS), ANYONE, "How far it is, 0 to 1: the mean of its stages.")
    eta_seconds: float | None = field(
        Sql(runs.ETA), ANYONE, "How long it will take from now, going by what is done; null while unknown."
    )
    cost_micros: BigInt = field(Column("cost_micros"), ANYONE, "What it has cost, in millionths of a dollar.")
    stages: list[Stage] = field(runs.STAGES, ANYONE, "Its stages, in the order they were planned.")


@record("What launching and stopping a run answer.")
class RunPayload:
    """A run or the reason why not."""

    run: Run | None = field(One("runs", Of("run")), ANYONE, "The run.")
    errors: list[UserError] = field(Column("errors"), ANYONE, "Why not, if it was refused.")


@record("Reading runs.")
class RunQueries:
    """Runs at the root."""

    run: Run | None = field(runs.RUN, ANYONE, "A run of one's own workspace by its id.")


@record("Launching and stopping runs.")
class RunMutations:
    """Runs at the root."""

    analyze: RunPayload = changed_by(
        runs.analyze, AUTHENTICATED, "Analyses an item once more; earlier runs stay as they are."
    )
    cancel_run: RunPayload = changed_by(
        runs.cancel_run, AUTHENTICATED, "Stops a run: nothing of it begins any more, and what runs is ended."
    )
