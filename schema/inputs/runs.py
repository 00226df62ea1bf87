"""Inputs of analysing."""

import strawberry


@strawberry.input(description="A media item to analyse once more.")
class AnalyzeInput:
    """What to analyse, and how much of it."""

    media_id: strawberry.ID = strawberry.field(description="The media item.")
    stages: list[str] | None = strawberry.field(description="Names of the stages to run; all, if left out.")
    models: list[str] | None = strawberry.field(
        description="Names of the models that may be used; all that fit, if left out."
    )
    idempotency_key: str | None = strawberry.field(
        description="Makes repeating safe: the same key with the same input has one effect and one answer."
    )
