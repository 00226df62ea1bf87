"""Logs: one line per event with its fields, readable in a terminal, JSON everywhere else."""

import logging
import sys

import structlog


def configure(name: str) -> None:
    """Sends every logger of this process through structlog; `name` says which process speaks."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    shown: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, shown],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    structlog.contextvars.bind_contextvars(process=name)
    for chatty in ("asyncpg", "httpx2", "httpcore2", "openai", "dramatiq", "tortoise"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
