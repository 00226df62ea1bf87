"""The models there are: each file in `inference/models` is found by itself and checked at the start."""

import inspect
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import ClassVar, Literal

from inference.capabilities import CAPABILITIES
from inference.options import Options

KINDS = ("VIDEO", "IMAGE", "AUDIO")


class BadModel(Exception):
    """A file in `inference/models` does not keep the contract: nothing may start before it is mended."""


@dataclass(frozen=True)
class ModelCard:
    """One model and one thing it can do, as the catalogue shows it; `device` is None for inline models.

    `available_reason` says why it cannot be used; a `broken` one should work but does not load.
    """

    key: str
    name: str
    version: str
    capability: str
    kinds: tuple[str, ...]
    device: str | None
    fallback: bool
    rank: int
    loaded: bool = True
    calls: int = 0
    mean_seconds: float | None = None
    memory_bytes: int | None = None
    available_reason: str | None = None
    broken: bool = False

    @property
    def preference(self) -> tuple[bool, int, str]:
        """Sorts the model to be taken first to the front; fallbacks come last."""
        return self.fallback, self.rank, self.key


class Model:
    """What a model file declares. Methods bear the capabilities' names; the constructor only keeps options.

    `place` is "host" for what runs in a device's inference host, "inline" for calls to a provider and
    for small pure Python. Lower `rank` is preferred. At most `batch` items run at a time.
    """

    name: ClassVar[str]
    capabilities: ClassVar[tuple[str, ...]]
    kinds: ClassVar[tuple[str, ...]] = KINDS
    place: ClassVar[Literal["host", "inline"]] = "inline"
    rank: ClassVar[int] = 100
    fallback: ClassVar[bool] = False
    batch: ClassVar[int] = 32
    version: str
    variant: str = ""

    def __init__(self, options: Options) -> None:
        self.options = options

    @property
    def label(self) -> str:
        """The name people see: which weights it runs on, and whether it is a fallback."""
        name = f"{self.name}:{self.variant}" if self.variant else self.name
        return f"fallback:{name}" if self.fallback else name

    def available(self) -> str | None:
        """Why it cannot be used now, in words a person can act on; None if it can. Must be quick."""
        return None

    def prepare(self) -> None:
        """Called once in a host before the model is announced: to begin fetching, or to read a version."""

    def load(self, device: str) -> None:
        """Called once in a host, as soon as it is available: to bring the weights onto `device`."""

    def card(self, capability: str, device: str | None = None) -> ModelCard:
        """The catalogue's entry for one of its capabilities."""
        return ModelCard(
            self.name, self.label, self.version, capability, self.kinds, device, self.fallback, self.rank
        )


def discover(package: str = "inference.models") -> dict[str, type[Model]]:
    """Imports every module of `package` and returns its models by name; raises BadModel."""
    found: dict[str, type[Model]] = {}
    for info in sorted(pkgutil.iter_modules(_imported(package).__path__), key=lambda info: info.name):
        module = _imported(f"{package}.{info.name}")
        for candidate in _declared(module):
            _check(candidate)
            if candidate.name in found:
                raise BadModel(
                    f"{module.__name__}: the name '{candidate.name}' is taken by "
                    f"{found[candidate.name].__module__}"
                )
            found[candidate.name] = candidate
    return found


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:
        raise BadModel(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _declared(module: ModuleType) -> Sequence[type[Model]]:
    classes = [value for value in vars(module).values() if inspect.isclass(value)]
    return [c for c in classes if issubclass(c, Model) and c.__module__ == module.__name__]


def _check(candidate: type[Model]) -> None:
    where = f"{candidate.__module__}.{candidate.__name__}"
    for attribute in ("name", "version", "capabilities"):
        if not getattr(candidate, attribute, None):
            raise BadModel(f"{where} does not say its {attribute}")
    if not set(candidate.kinds) <= set(KINDS) or not candidate.kinds:
        raise BadModel(f"{where}: kinds are among {', '.join(KINDS)}")
    if candidate.place not in ("host", "inline"):
        raise BadModel(f"{where}: place is 'host' or 'inline'")
    for capability in candidate.capabilities:
        _check_method(where, candidate, capability)


def _check_method(where: str, candidate: type[Model], capability: str) -> None:
    if capability not in CAPABILITIES:
        raise BadModel(f"{where}: there is no capability '{capability}'; known are {', '.join(CAPABILITIES)}")
    wanted = list(inspect.signature(getattr(CAPABILITIES[capability].protocol, capability)).parameters)
    method = getattr(candidate, capability, None)
    if method is None or list(inspect.signature(method).parameters) != wanted:
        raise BadModel(f"{where} needs a method {capability}({', '.join(wanted)})")
    if candidate.place == "host" and inspect.iscoroutinefunction(method):
        raise BadModel(f"{where}.{capability} runs in a host's thread and so cannot be async")
