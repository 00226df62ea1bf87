"""A job that does nothing: asking for it shows which walls stand."""

from tasks.media.limits import JSON, Limits, Report


def work(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """An empty result."""
    return {}
