"""Captions of a media item: those of the newest run that has any, so a new run replaces them as a whole."""

from collections.abc import Iterator

from resolvers.compile.source import Argument, Condition, Filter, Of, Order, Pages

# Run ids rise with time. The run is found once per item, not once per caption: the key is no column of `t`.
SHOWN = """
    t.media_id = {key} and t.run_id = (
      select c.run_id from captions c where c.media_id = {key} order by c.run_id desc limit 1)
"""


def in_language(language: str) -> Iterator[Condition]:
    """Captions in one language, by its code."""
    yield Condition("lower(t.language) = lower({0}::text)", (language,))


CAPTIONS = Pages(
    "captions",
    Of("id", SHOWN),
    Order((("t.start_time", "float8"), ("t.id", "uuid"))),
    filters=(
        Filter(
            Argument("language", str | None, "Only captions in this language.", None),
            in_language,
        ),
    ),
)
