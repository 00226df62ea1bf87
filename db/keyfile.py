"""Secrets this system makes for itself once and keeps in its home: one file each, for its owner only."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def secret_file(path: Path, make: Callable[[], bytes]) -> bytes:
    """What `path` holds; made and kept (0600) if it is not there.

    Processes that start together agree: a link either creates the file or fails, so one of them wins.
    """
    if path.exists():
        return path.read_bytes()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_durably(draft, make())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path.read_bytes()


def master_key(configured: str, home: Path) -> bytes:
    """The key behind all media links: the configured one, else 256 random bits in hex, kept in `home`."""
    return configured.encode() or secret_file(
        home / "keys" / "master.key", lambda: secrets.token_hex(32).encode()
    )


def _write_durably(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
