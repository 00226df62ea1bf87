"""Tags, and how media carry them."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from resolvers import media, tags
from resolvers.access import ANYONE, AUTHENTICATED
from resolvers.compile.source import Column
from schema.fields import field, record
from schema.types.node import Node
from schema.types.pages import Connection

if TYPE_CHECKING:
    from schema.types.media import Media


@record("A word or phrase that media carry.", table="tags")
class Tag(Node):
    """A tag."""

    name: str = field(Column("name"), ANYONE, "The word as it is shown.")
    slug: str = field(Column("slug"), ANYONE, "Its one identity: lower case, words joined by hyphens.")
    media: Connection[Annotated["Media", strawberry.lazy("schema.types.media")]] = field(
        media.CARRYING_TAG, AUTHENTICATED, "The viewer's and public media that carry it, the newest first."
    )


@record("That an item carries a tag.")
class MediaTag:
    """A tag on an item."""

    tag: Tag = field(tags.TAG_OF_MEDIA_TAG, ANYONE, "The tag.")
    confidence: float | None = field(Column("confidence"), ANYONE, "How sure its source is, 0 to 1.")
    source: str = field(Column("source"), ANYONE, "Which engine found it, or that a person set it.")


@record("Reading tags.")
class TagQueries:
    """Tags at the root."""

    tag: Tag | None = field(tags.TAG, AUTHENTICATED, "A tag by its slug.")
    tags: Connection[Tag] = field(
        tags.TAGS, AUTHENTICATED, "Tags of the viewer's and of public media, in alphabetical order."
    )
