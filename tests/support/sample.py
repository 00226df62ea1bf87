"""The demo's own video, made once per test session."""

import subprocess
import sys
from pathlib import Path

from tests.support.running import ROOT


def sample_video(path: Path, *arguments: str) -> Path:
    """Makes the sample video at `path`."""
    subprocess.run([sys.executable, "-m", "tasks.media.sample", str(path), *arguments], cwd=ROOT, check=True)
    return path
