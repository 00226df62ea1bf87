"""Finding models, and refusing those that do not keep the contract."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from inference.capabilities import CAPABILITIES
from inference.options import Options
from inference.registry import KINDS, Model, discover

MODELS = discover()

LIST = """
import json, sys
from inference.registry import BadModel, discover
try:
    print(json.dumps(sorted(discover())))
except BadModel as error:
    sys.exit(str(error))
"""


def listed(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LIST], cwd=checkout, capture_output=True, text=True)


def refusal(checkout: Path, file: str, code: str) -> str:
    (checkout / "inference" / "models" / file).write_text(code)
    ended = listed(checkout)
    assert ended.returncode == 1
    return ended.stderr


@pytest.mark.parametrize("name", MODELS)
def test_every_model_says_what_it_is_and_why_it_cannot_be_used(name: str, options: Options) -> None:
    model = MODELS[name](options)

    for capability in model.capabilities:
        card = model.card(capability)
        assert card.name.startswith("fallback:") == model.fallback
        assert capability in CAPABILITIES
        assert card.version
        assert set(card.kinds) <= set(KINDS)
    assert model.available() is None or len(model.available() or "") > 10
    assert model.__doc__ != Model.__doc__


def test_a_fallback_is_always_the_last_choice(options: Options) -> None:
    for capability in CAPABILITIES:
        cards = [m(options).card(capability) for m in MODELS.values() if capability in m.capabilities]
        fallbacks = [card.fallback for card in sorted(cards, key=lambda card: card.preference)]
        assert fallbacks == sorted(fallbacks)


def test_one_new_file_is_one_new_model(checkout: Path) -> None:
    assert json.loads(listed(checkout).stdout) == sorted([*MODELS, "trial"])


def test_a_name_that_is_taken_stops_the_start(checkout: Path) -> None:
    code = (checkout / "inference/models/trial.py").read_text()

    assert "the name 'trial' is taken by inference.models.again" in refusal(checkout, "again.py", code)


def test_a_missing_method_stops_the_start_and_is_named(checkout: Path) -> None:
    code = (checkout / "inference/models/trial.py").read_text().replace("def embed_text", "def embed")

    told = refusal(checkout, "trial.py", code)

    assert "inference.models.trial.Trial needs a method embed_text(self, texts, query)" in told


def test_an_unknown_capability_stops_the_start(checkout: Path) -> None:
    code = (checkout / "inference/models/trial.py").read_text().replace('"embed_text",', '"embed_txt",')

    assert "there is no capability 'embed_txt'" in refusal(checkout, "trial.py", code)


def test_a_file_that_cannot_be_imported_stops_the_start(checkout: Path) -> None:
    told = refusal(checkout, "trial.py", "import no_such_package")

    assert "inference.models.trial cannot be imported: ModuleNotFoundError" in told


def test_a_process_that_looks_models_up_and_asks_loads_no_model_package(checkout: Path) -> None:
    code = (
        "import sys, inference.calling, inference.asking, inference.host, inference.devices\n"
        "from inference.registry import discover\n"
        "discover()\n"
        "print([name for name in ('torch', 'transformers', 'whisper', 'openai') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True)

    assert ended.stdout.strip() == "[]"
