"""What the demo shows: live tables and bars on a terminal, one plain line per change anywhere else."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from graphql_api.demo.answers import Json

PLAIN_WIDTH = 10_000
STYLES = {"RUNNING": "cyan", "DONE": "green", "SKIPPED": "yellow", "FAILED": "red", "DEAD": "red"}
UNTOUCHED = ("WAITING", "READY")
NOT_BEGUN = {
    "status": "WAITING",
    "attempt": 0,
    "done": None,
    "total": None,
    "engine": None,
    "reason": None,
    "startedAt": None,
    "finishedAt": None,
}


class Screen:
    """Where the demo speaks; `live` on a terminal that can be drawn on."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty() and not Console().is_dumb_terminal
        width = None if self.live else PLAIN_WIDTH
        self.console = Console(
            force_terminal=self.live, width=width, markup=False, highlight=False, emoji=False
        )

    def say(self, text: str = "", style: str = "") -> None:
        """Prints a line; what came with somebody's file cannot steer the terminal."""
        self.console.print(Text(_printable(text), style), soft_wrap=True)

    def section(self, title: str) -> None:
        """Prints a heading."""
        self.say()
        self.say(title, "bold")

    def note(self, text: str) -> None:
        """Says what is not as it should be, but no reason to end."""
        self.say(text, "yellow")

    def complain(self, text: str) -> None:
        """Prints why it ends, to standard error."""
        Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(
            Text(_printable(text), "red")
        )

    @contextmanager
    def busy(self, doing: str) -> Iterator[Callable[[str], None]]:
        """Says what takes its time, with a spinner on a terminal; call what it gives to say more."""
        self.say(f"{doing} …")
        with self.waiting(doing) as tell:
            yield tell

    @contextmanager
    def waiting(self, doing: str) -> Iterator[Callable[[str], None]]:
        """Only the spinner: nothing stays of it."""
        if not self.live:
            yield lambda _: None
            return
        with self.console.status(f"{doing} …") as status:
            yield lambda detail: status.update(Text.assemble(f"{doing} … ", (_printable(detail), "dim")))

    @contextmanager
    def sending(self, size_bytes: int) -> Iterator[Callable[[int], None]]:
        """A bar for bytes on their way; call what it gives with how many have been sent."""
        columns = (TextColumn("uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        bar = Progress(*columns, console=self.console, transient=True, disable=not self.live)
        with bar:
            task = bar.add_task("uploading", total=size_bytes)
            yield lambda sent: bar.update(task, completed=sent)

    def rows(self, rows: Iterable[tuple[str, ...]]) -> None:
        """Prints cells in columns, the last one as wide as it wants to be."""
        lines = [[_printable(" ".join(cell.split())) for cell in row] for row in rows]
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
        for *cells, last in lines:
            padded = (set_cell_size(cell, width) + "  " for cell, width in zip(cells, widths, strict=False))
            line = _hanging(self.console, "  " + "".join(padded), last)
            line.rstrip()
            self.console.print(line, soft_wrap=True)


class Board:
    """The stages of a run as its subscription tells of them."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._stages: dict[str, Json] = {}
        self._begun: dict[str, float] = {}
        self._printed: dict[str, object] = {}

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Draws the stages anew several times a second; without a terminal, `take` prints them."""
        if not self._screen.live:
            yield
            return
        with Live(self, console=self._screen.console, refresh_per_second=8):
            yield

    def take(self, update: Json) -> None:
        """Takes one message of the subscription."""
        for stage in (update["run"] or {}).get("stages", []):
            if update["kind"] == "SNAPSHOT":
                self._put(stage)
            elif stage["id"] not in self._stages:
                # The list is of now, this message of then: what has happened to it is still to come.
                self._put(stage | NOT_BEGUN)
        if update["stage"] and not self._is_late(update):
            self._put(update["stage"])

    def _is_late(self, update: Json) -> bool:
        """Progress is told apart from what is kept, and may come when its stage has ended."""
        known = self._stages.get(update["stage"]["id"], {})
        progress = update["event"] and update["event"]["type"] == "analysis.progress"
        return bool(progress and known.get("status") != "RUNNING")

    def _put(self, stage: Json) -> None:
        key = stage["id"]
        self._stages[key] = stage
        if stage["status"] == "RUNNING":
            self._begun.setdefault(key, time.monotonic())
        if not self._screen.live:
            self._print(stage)

    def _print(self, stage: Json) -> None:
        quarter = int(share(stage) * 4) if stage["status"] == "RUNNING" else None
        shown = (stage["status"], stage["attempt"], quarter)
        untouched = stage["status"] in UNTOUCHED and not stage["attempt"]
        if untouched or self._printed.get(stage["id"]) == shown:
            return
        self._printed[stage["id"]] = shown
        far = f"{share(stage):.0%}" if stage["status"] == "RUNNING" else took(stage)
        self._screen.say(f"  {name(stage):<12} {stage['status']:<8} {far:>7}  {outcome(stage)}".rstrip())

    def __rich__(self) -> Table:
        table = Table(box=None, padding=(0, 1), pad_edge=False)
        table.add_column("stage", min_width=10, no_wrap=True)
        table.add_column("status", min_width=8, no_wrap=True)
        table.add_column("", width=24)
        table.add_column("seconds", justify="right", no_wrap=True)
        table.add_column("engine or reason", overflow="fold")
        # Drawn by a thread of its own.
        for stage in list(self._stages.values()):
            status = Text(stage["status"], STYLES.get(stage["status"], "dim"))
            seconds = took(stage) or self._so_far(stage)
            table.add_row(name(stage), status, _bar(stage), seconds, Text(_printable(outcome(stage)), "dim"))
        return table

    def _so_far(self, stage: Json) -> str:
        begun = self._begun.get(stage["id"])
        return f"{time.monotonic() - begun:.1f} s" if begun and stage["status"] == "RUNNING" else ""


def name(stage: Json) -> str:
    """A stage's name, with its shard where it has one."""
    return f"{stage['name']}:{stage['shard']}" if stage["shard"] else str(stage["name"])


def share(stage: Json) -> float:
    """How much of a stage's work is done, 0 to 1; 0 while it does not say how much there is."""
    return min(1.0, stage["done"] / stage["total"]) if stage["total"] else 0.0


def took(stage: Json) -> str:
    """How long an ended stage took; empty for others."""
    if not (stage.get("startedAt") and stage.get("finishedAt")):
        return ""
    seconds = datetime.fromisoformat(stage["finishedAt"]) - datetime.fromisoformat(stage["startedAt"])
    return f"{seconds.total_seconds():.1f} s"


def outcome(stage: Json) -> str:
    """What did a stage's work, how often it was tried, and why it came to what it came to."""
    attempts = f"attempt {stage['attempt']}" if stage["attempt"] > 1 else None
    return "; ".join(filter(None, (stage["engine"], attempts, stage["reason"])))


def _bar(stage: Json) -> ProgressBar | str:
    if stage["status"] not in ("RUNNING", "DONE"):
        return ""
    done = 1.0 if stage["status"] == "DONE" else share(stage)
    # How far a stage without units is, nobody knows: the bar moves to and fro.
    return ProgressBar(total=1.0, completed=done, width=24, pulse=not done)


def _hanging(console: Console, lead: str, text: str) -> Text:
    """Text whose later lines begin below its first; a link stays in one piece."""
    indent = cell_len(lead)
    room = console.width - indent
    if cell_len(text) <= room or room < 20 or " " not in text:
        return Text(lead + text)
    return Text(lead) + Text("\n" + " " * indent).join(Text(text).wrap(console, room))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)
