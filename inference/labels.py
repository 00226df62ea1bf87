"""The list of labels that pictures are compared with: versioned, each with its own threshold."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

SHIPPED = Path(__file__).with_name("labels.txt")


@dataclass(frozen=True)
class LabelList:
    """Names, and the mean score (0..1) from which each is given."""

    version: str
    names: tuple[str, ...]
    thresholds: tuple[float, ...]

    @classmethod
    def read(cls, path: Path = SHIPPED) -> Self:
        """Reads `# version: …`, `# threshold: …`, then a label a line, its own threshold after a tab."""
        header: dict[str, str] = {}
        entries: dict[str, float] = {}
        for line in path.read_text().splitlines():
            if line.startswith("#"):
                key, _, value = line[1:].partition(":")
                header[key.strip()] = value.strip()
            elif line.strip():
                name, _, threshold = line.partition("\t")
                entries[name.strip()] = float(threshold or header["threshold"])
        return cls(header["version"], tuple(entries), tuple(entries.values()))
