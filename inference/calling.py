"""Asking for a capability: the best model there is answers, wherever it runs."""

import asyncio
import dataclasses
import inspect
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from inference.capabilities import (
    Answer,
    Description,
    EngineBroke,
    Labels,
    OnSegment,
    Result,
    Segment,
    Transcript,
    Unavailable,
    Vectors,
    settled,
)
from inference.host import Host
from inference.options import Options
from inference.registry import Model, ModelCard, discover


@dataclasses.dataclass
class Figures:
    """How often an inline model was called, and for how long."""

    calls: int = 0
    seconds: float = 0.0


class Capabilities:
    """What stages ask. Every method raises Unavailable, EngineBroke or HostGone.

    `model` asks for one by the name on its card instead of the best; deadlines are in seconds.
    """

    def __init__(self, options: Options, hosts: Sequence[Host] = ()) -> None:
        found = discover()
        self._inline = {name: cls(options) for name, cls in found.items() if cls.place == "inline"}
        self._hosted = [cls for cls in found.values() if cls.place == "host"]
        self._hosts = hosts
        self._figures: dict[tuple[str, str], Figures] = {}

    async def transcribe(
        self,
        audio: Path,
        language: str | None,
        on_segment: OnSegment,
        model: str | None = None,
        deadline: float = 3600.0,
    ) -> Answer[Transcript]:
        """Hears a 16 kHz mono WAV; segments are handed over in order, in the caller's event loop."""
        arguments = {"audio": audio, "language": language, "on_segment": on_segment}
        return await self._ask("transcribe", arguments, model, deadline)

    async def describe(
        self,
        images: Sequence[bytes],
        transcript: str,
        title: str | None,
        model: str | None = None,
        deadline: float = 180.0,
    ) -> Answer[Description]:
        """Says in a few sentences what JPEG key frames and a transcript tell."""
        arguments = {"images": images, "transcript": transcript, "title": title}
        return await self._ask("describe", arguments, model, deadline)

    async def keyphrases(
        self, text: str, language: str | None, model: str | None = None, deadline: float = 60.0
    ) -> Answer[Labels]:
        """The phrases that carry a text."""
        return await self._ask("keyphrases", {"text": text, "language": language}, model, deadline)

    async def label_image(
        self, images: Sequence[bytes], model: str | None = None, deadline: float = 120.0
    ) -> Answer[Labels]:
        """What JPEG frames of one media item show together; at least one frame."""
        return await self._ask("label_image", {"images": _some(images)}, model, deadline)

    async def embed_text(
        self, texts: Sequence[str], query: bool = False, model: str | None = None, deadline: float = 120.0
    ) -> Answer[Vectors]:
        """Float32 vectors (n, d) of length 1, one per text; at least one text."""
        return await self._ask("embed_text", {"texts": _some(texts), "query": query}, model, deadline)

    async def embed_image(
        self, images: Sequence[bytes], model: str | None = None, deadline: float = 120.0
    ) -> Answer[Vectors]:
        """Float32 vectors (n, d) of length 1, one per JPEG; at least one."""
        return await self._ask("embed_image", {"images": _some(images)}, model, deadline)

    async def embed_visual_text(
        self, texts: Sequence[str], model: str | None = None, deadline: float = 120.0
    ) -> Answer[Vectors]:
        """Vectors of texts in the space of `embed_image`."""
        return await self._ask("embed_visual_text", {"texts": _some(texts)}, model, deadline)

    def describe_models(self) -> list[ModelCard]:
        """Every model and capability this worker knows, for its check-in: one card each per device."""
        inline = [
            self._with_figures(model.card(capability), model.available())
            for model in self._inline.values()
            for capability in model.capabilities
        ]
        return inline + [card for host in self._hosts for card in host.cards or ()]

    def choices(self, capability: str, kind: str | None = None) -> list[ModelCard]:
        """The cards of all models for a capability and kind of media, the preferred first."""
        cards = [card for card in self.describe_models() if card.capability == capability]
        return sorted((c for c in cards if kind is None or kind in c.kinds), key=lambda c: c.preference)

    async def _ask(
        self, capability: str, arguments: dict[str, Any], name: str | None, deadline: float
    ) -> Answer[Any]:
        if any(capability in cls.capabilities for cls in self._hosted):
            await self._hosts_known()
        reasons: dict[str, str] = {}
        for card in self.choices(capability):
            if name is not None and card.name != name:
                continue
            if card.available_reason and not card.broken:
                reasons[card.name] = card.available_reason
                continue
            try:
                return await self._call(card, capability, arguments, deadline)
            except Unavailable as error:
                reasons[card.name] = error.reason
        raise Unavailable(self._missing(capability, name, reasons))

    async def _hosts_known(self) -> None:
        # Without this a host that cannot start would quietly turn every answer into a fallback's.
        silent = [host for host in self._hosts if host.cards is None]
        for known, host in zip(await asyncio.gather(*(h.known() for h in silent)), silent, strict=True):
            if not known:
                raise EngineBroke(f"the inference host of {host.device} does not start", transient=True)

    async def _call(
        self, card: ModelCard, capability: str, arguments: dict[str, Any], deadline: float
    ) -> Answer[Any]:
        if card.device is None:
            return await self._call_inline(self._inline[card.key], capability, arguments, deadline)
        sent = {name: value for name, value in arguments.items() if name != "on_segment"}
        host = min(self._hosts_with(card), key=lambda host: host.in_flight)
        return await host.call(card.key, capability, sent, deadline, arguments.get("on_segment"))

    async def _call_inline(
        self, model: Model, capability: str, arguments: dict[str, Any], deadline: float
    ) -> Answer[Any]:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(deadline):
                value = settled(await _run(getattr(model, capability), arguments))
        except (Unavailable, EngineBroke):
            raise
        except TimeoutError:
            raise EngineBroke(f"{model.label}: no answer within {deadline:g} s", transient=True) from None
        except Exception as error:
            raise EngineBroke(f"{model.label}: {type(error).__name__}: {error}", transient=False) from error
        seconds = time.perf_counter() - began
        figures = self._figures.setdefault((model.name, capability), Figures())
        figures.calls += 1
        figures.seconds += seconds
        return Answer(value, model.label, model.version, seconds)

    def _hosts_with(self, card: ModelCard) -> list[Host]:
        same = [host for host in self._hosts if any(_same(card, other) for other in host.cards or ())]
        return same or list(self._hosts)

    def _with_figures(self, card: ModelCard, reason: str | None) -> ModelCard:
        figures = self._figures.get((card.key, card.capability), Figures())
        mean = figures.seconds / figures.calls if figures.calls else None
        return dataclasses.replace(card, calls=figures.calls, mean_seconds=mean, available_reason=reason)

    def _missing(self, capability: str, name: str | None, reasons: dict[str, str]) -> str:
        if not self._hosts and name is None:
            here = "this worker has no inference host"
            reasons |= {cls.name: here for cls in self._hosted if capability in cls.capabilities}
        told = "; ".join(f"{model}: {reason}" for model, reason in reasons.items())
        wanted = f"model '{name}'" if name else "model"
        return f"No {wanted} for {capability} ({told})." if told else f"No {wanted} for {capability}."


async def _run(method: Callable[..., Any], arguments: dict[str, Any]) -> Result:
    """Calls an async method here, any other in a thread; its segments come back to this loop in order."""
    if inspect.iscoroutinefunction(method):
        result: Result = await method(**arguments)
        return result
    if on_segment := arguments.get("on_segment"):
        loop = asyncio.get_running_loop()

        def heard(segment: Segment) -> None:
            loop.call_soon_threadsafe(on_segment, segment)

        arguments = {**arguments, "on_segment": heard}
    threaded: Result = await asyncio.to_thread(method, **arguments)
    return threaded


def _some(items: Sequence[Any]) -> list[Any]:
    if not items:
        raise ValueError("at least one item is needed")
    return list(items)


def _same(one: ModelCard, other: ModelCard) -> bool:
    usable = other.available_reason is None or other.broken
    return usable and (one.key, one.capability, one.version) == (other.key, other.capability, other.version)
