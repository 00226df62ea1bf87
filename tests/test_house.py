"""The house rules that no linter knows: every room is listed, and the web process loads no model."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
NO_ROOMS = {"tests", "bench"}

LOADED = """
import sys
import graphql_api.app, graphql_api.cli, resolvers.live, schema.root
schema.root.build_schema()
heavy = {"torch", "transformers", "whisper", "av", "cv2"} & set(sys.modules)
models = {name for name in sys.modules if name.startswith(("inference.models.", "tasks.stages."))}
print(sorted(heavy | models))
"""


def linter() -> dict[str, object]:
    """import-linter's configuration."""
    tool: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return tool


def test_every_package_folder_is_a_room_of_the_arrow() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - NO_ROOMS
    assert folders == set(linter()["root_packages"])  # type: ignore[call-overload]


def test_package_files_stay_empty() -> None:
    rooms: list[str] = linter()["root_packages"]  # type: ignore[assignment]
    full = [path for room in rooms for path in (ROOT / room).rglob("__init__.py") if path.read_text().strip()]
    assert full == []


def test_the_web_process_loads_no_model_and_opens_no_media() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
