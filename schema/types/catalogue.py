"""What can be done now: the stages and models of the workers that are here."""

from resolvers import catalogue
from resolvers.access import ANYONE, AUTHENTICATED
from resolvers.compile.source import Column, Sql
from schema.enums import MediaKind
from schema.fields import field, record
from schema.types.node import Node


@record("A model that workers have.", table="models")
class Model(Node):
    """A model."""

    name: str = field(Column("name"), ANYONE, "Its name.")
    version: str = field(Column("version"), ANYONE, "Its version.")
    capability: str = field(Column("capability"), ANYONE, "What it can do.")
    media_kinds: list[MediaKind] = field(Column("media_kinds"), ANYONE, "Which kinds of media it takes.")
    device: str | None = field(Column("device"), ANYONE, "Where it runs.")
    loaded: bool = field(Column("loaded"), ANYONE, "Whether it is in memory.")
    mean_seconds: float | None = field(Column("mean_seconds"), ANYONE, "How long a call takes, on average.")
    available: bool = field(
        Sql(f"({catalogue.MODEL_PROBLEM}) is null"), ANYONE, "Whether it can be used now."
    )
    unavailable_reason: str | None = field(Sql(catalogue.MODEL_PROBLEM), ANYONE, "Why not, if it cannot.")


@record("A step that runs can have.", table="stage_definitions")
class StageInfo:
    """A stage as its file declares it."""

    name: str = field(Column("name"), ANYONE, "Its name.")
    queue: str = field(Column("queue"), ANYONE, "Which workers take it.")
    after: list[str] = field(Column("after"), ANYONE, "The stages that must have ended before it.")
    capabilities: list[str] = field(Column("capabilities"), ANYONE, "What it asks of models.")
    media_kinds: list[MediaKind] = field(Column("media_kinds"), ANYONE, "Which kinds of media it is for.")
    available: bool = field(
        Sql(f"({catalogue.STAGE_PROBLEM}) is null"), ANYONE, "Whether workers and models for it are here."
    )
    unavailable_reason: str | None = field(Sql(catalogue.STAGE_PROBLEM), ANYONE, "What is missing, if not.")


@record("Reading what can be done.")
class CatalogueQueries:
    """The catalogue at the root."""

    models: list[Model] = field(catalogue.MODELS, AUTHENTICATED, "All models that workers have told of.")
    stages: list[StageInfo] = field(catalogue.STAGES, AUTHENTICATED, "All stages that runs can have.")
