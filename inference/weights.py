"""Weights on disk: which there are, what identifies them, and fetching one file in the background."""

import fcntl
import hashlib
import math
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CONNECT_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 600.0
CHUNK_BYTES = 1 << 20


class Unknown(Exception):
    """There are no such weights: trying again would not help."""


class _Broken(Exception):
    """What arrived is not what was promised."""


@dataclass(frozen=True)
class Source:
    """Where weights come from, and the SHA-256 (hex) they must have."""

    url: str
    sha256: str


def missing_folder(setting: str, folder: str) -> str | None:
    """Why a model cannot be read from the folder that a setting names; None if it seems to be there."""
    if not folder:
        return f"{setting} is not set"
    if not (Path(folder) / "config.json").is_file():
        return f"{setting}: there is no model in {folder} (config.json is missing)"
    if not any(Path(folder).glob("*.safetensors")):
        return f"{setting}: {folder} holds no weights as safetensors"
    return None


def fingerprint(folder: Path) -> str:
    """Eight hex digits that change with the weights: vectors of different weights are never compared."""
    digest = hashlib.sha256()
    for path in [folder / "config.json", *sorted(folder.glob("*.safetensors"))]:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:8]


class WeightsFetch:
    """Fetches `target` once, in a thread, and tries again for as long as that fails.

    `what` names it for people; `source` is asked in the thread and may raise Unknown.
    """

    def __init__(self, what: str, source: Callable[[], Source], target: Path) -> None:
        self._what = what
        self._source = source
        self._target = target
        self._why: str | None = None
        self._next = 0.0
        self._final = False
        self._lock = threading.Lock()
        self._tried = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"fetch-{target.name}", daemon=True)

    def start(self) -> None:
        """Begins in the background, unless the file is there."""
        if not self._target.is_file():
            self._thread.start()

    def reason(self) -> str | None:
        """Why the weights are not there yet; None once they are."""
        if self._target.is_file():
            return None
        with self._lock:
            if self._why is None:
                return f"{self._what} is still being fetched"
            if self._final:
                return self._why
            seconds = max(1, math.ceil(self._next - time.monotonic()))
            return f"{self._what} could not be fetched: {self._why}; trying again in {seconds} s"

    def wait(self, timeout: float) -> None:
        """Returns when the first attempt has ended, well or badly, or after `timeout` seconds."""
        self._tried.wait(timeout)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._attempt(pause):
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            with self._lock:
                self._why = None

    def _attempt(self, pause: float) -> bool:
        """One attempt; True if there is nothing more to do."""
        why: str | None = None
        final = True
        try:
            self._fetch(self._source())
        except Unknown as error:
            why = str(error)
        except (OSError, _Broken) as error:
            why, final = _told(error), False
        with self._lock:
            self._why, self._final, self._next = why, final, time.monotonic() + pause
        self._tried.set()
        return final

    def _fetch(self, source: Source) -> None:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        part = self._target.with_suffix(".part")
        # Hosts of several devices share the folder: one fetches, the others wait and find it there.
        with part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if self._target.is_file():
                return
            file.truncate(0)
            with urllib.request.urlopen(source.url, timeout=CONNECT_SECONDS) as response:
                digest = hashlib.sha256()
                while chunk := response.read(CHUNK_BYTES):
                    digest.update(chunk)
                    file.write(chunk)
            file.flush()
            if digest.hexdigest() != source.sha256:
                raise _Broken("what arrived has another checksum than it should")
            os.replace(part, self._target)


def _told(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__
