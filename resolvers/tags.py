"""Tags: of an item, and all that the viewer's media carry."""

from collections.abc import Iterator

from db import tags
from resolvers.compile.source import All, Argument, By, Condition, Filter, Many, Of, One, Order, Pages


def beginning_with(prefix: str) -> Iterator[Condition]:
    """Tags whose slug begins like this."""
    yield Condition("starts_with(t.slug, {0}::text)", (tags.slug(prefix),))


TAG = One("tags", By("slug", "The tag's slug.", "t.slug = {key}"))
TAGS = Pages(
    "tags",
    All(),
    Order((("t.slug", "text"), ("t.id", "uuid"))),
    filters=(Filter(Argument("prefix", str | None, "Only tags that begin so.", None), beginning_with),),
)
TAG_OF_MEDIA_TAG = One("tags", Of("tag_id"))
TAGS_OF_MEDIA = Many("media_tags", Of("id", "t.media_id = {key}"), order="t.confidence desc nulls last, t.id")
