"""What models know of the settings."""

from pathlib import Path

from inference.options import Options
from settings import Inference


def test_every_option_comes_from_the_setting_of_its_name() -> None:
    section = Inference(
        whisper_model="tiny", vision_model="/v", openai_base_url="http://here/v1", openai_api_key="secret"
    )

    options = Options.of(section, Path("/weights"))

    assert options.whisper_model == "tiny"
    assert options.vision_model == "/v"
    assert options.openai_base_url == "http://here/v1"
    assert options.openai_api_key == "secret"
    assert "secret" not in repr(options)


def test_a_host_is_told_everything_but_the_provider_and_its_key(tmp_path: Path) -> None:
    options = Options(tmp_path, text_model="/t", openai_base_url="http://here", openai_api_key="secret")

    told = Options.from_json(options.for_host())

    assert told == Options(tmp_path, text_model="/t")
