"""What models need to know of the settings: plain values that can be handed to another process."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from settings import Inference


@dataclass(frozen=True)
class Options:
    """The inference section of the settings, and the folder where fetched `weights` are kept."""

    weights: Path
    whisper_model: str = "base"
    whisper_fetch: bool = False
    vision_model: str = ""
    text_model: str = ""
    openai_base_url: str = ""
    openai_api_key: str = field(default="", repr=False)
    chat_model: str = "gpt-4o-mini"
    transcribe_model: str = ""
    chat_prompt_micros_per_1k: int = 0
    chat_answer_micros_per_1k: int = 0
    transcribe_micros_per_minute: int = 0
    openai_timeout_seconds: float = 60.0

    @classmethod
    def of(cls, section: "Inference", weights: Path) -> Self:
        """Takes over every value of the settings section that bears the same name."""
        values = {f.name: getattr(section, f.name) for f in fields(cls) if f.name != "weights"}
        values["openai_api_key"] = section.openai_api_key.get_secret_value()
        return cls(weights=weights.resolve(), **values)

    def for_host(self) -> dict[str, Any]:
        """As JSON for an inference host, which calls no provider and so gets no key."""
        return asdict(self) | {"weights": str(self.weights), "openai_api_key": "", "openai_base_url": ""}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The reverse of `for_host`."""
        return cls(**(values | {"weights": Path(values["weights"])}))
