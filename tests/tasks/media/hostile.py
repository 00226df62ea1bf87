"""Jobs that try what a decoder taken over by a file would try; they run inside the child."""

import ctypes
import errno
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import av

from tasks.media.limits import JSON, Limits, Report

_SHORT_OF_DESCRIPTORS = 512


def _tried(attempt: Callable[[], object]) -> JSON:
    """The name of the error that `attempt` met, None where it succeeded."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return None


def reach_out(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """Every way out at once: `secret`, `outside` (paths), `port`; which error each met."""
    secret, outside = str(arguments["secret"]), str(arguments["outside"])
    tries: dict[str, Callable[[], object]] = {
        "read": lambda: Path(secret).read_bytes(),
        "list": lambda: os.listdir(Path(secret).parent),
        "write": lambda: Path(outside, "new").write_bytes(b"x"),
        "link": lambda: os.link(secret, Path(outside, "link")),
        "passwd": lambda: Path("/etc/passwd").read_bytes(),
        "environ": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
        "tcp": lambda: socket.create_connection(("127.0.0.1", int(str(arguments["port"])))),
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "unix": lambda: socket.socket(socket.AF_UNIX),
        "fork": os.fork,
        "exec": lambda: os.execv("/bin/true", ["true"]),
        "setsid": os.setsid,
        "kill": lambda: os.kill(os.getppid(), signal.SIGTERM),
        "chown": lambda: os.chown(Path(str(arguments["folder"])), 12345, 12345),
    }
    return {name: _tried(attempt) for name, attempt in tries.items()}


def work_inside(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """What an honest job needs: reads `path`, writes below `folder`."""
    folder = Path(str(arguments["folder"]))
    (folder / "deeper").mkdir()
    (folder / "deeper" / "file").write_bytes(Path(str(arguments["path"])).read_bytes())
    (folder / "deeper" / "file").rename(folder / "deeper" / "renamed")
    return {"environment": [*os.environ]}


def follow_playlist(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """Opens `path` as the playlist it is, with all of libav's own guards off."""
    options = {"allowed_extensions": "ALL", "extension_picky": "0"}
    with av.open(str(arguments["path"]), format="hls", options=options) as container:
        return {"packets": sum(packet.size for packet in container.demux())}


def hang(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """Names its process, then never ends, deaf to polite signals."""
    for polite in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(polite, signal.SIG_IGN)
    report(os.getpid(), None)
    while True:
        time.sleep(3600)


def burn(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """Uses the CPU for ever."""
    while True:
        pass


def swallow_memory(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """Takes memory until there is none."""
    return {"blocks": len([bytearray(1 << 26) for _ in range(1 << 20)])}


def fill_disk(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """Writes without end below `folder`."""
    with Path(str(arguments["folder"]), "big").open("wb") as file:
        while True:
            file.write(bytes(1 << 20))


def crash(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """Reads at address zero."""
    return {"value": ctypes.string_at(0)[0]}


def raise_error(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """A plain bug."""
    raise LookupError("no such thing")


def babble(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """Prints as a library might, to standard error more than a pipe holds, and then answers."""
    os.write(1, b"frame=  100 fps= 25\n")
    os.write(2, b"noise " * 100_000)
    return {"answer": True}


def lie(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """Answers with what is no JSON, on the real channel."""
    for descriptor in range(3, _SHORT_OF_DESCRIPTORS):
        _tried(lambda descriptor=descriptor: os.write(descriptor, b"\xff\xfe no json\n"))  # type: ignore[misc]
    return {}


def count(arguments: dict[str, JSON], limits: Limits, report: Report) -> dict[str, JSON]:
    """Reports progress ten thousand times."""
    for done in range(10_000):
        report(done, 10_000)
    return {}
