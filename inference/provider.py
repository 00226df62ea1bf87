"""Calling an OpenAI-compatible service: one client per call, a bound on the whole, prices, typed failures."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from inference.capabilities import Cost, EngineBroke
from inference.options import Options

if TYPE_CHECKING:
    from openai import AsyncOpenAI

RETRIES = 1


@asynccontextmanager
async def calling(options: Options, service: str) -> AsyncIterator["AsyncOpenAI"]:
    """A client for one call; everything that can go wrong inside becomes EngineBroke."""
    import openai

    seconds = options.openai_timeout_seconds
    try:
        async with (
            asyncio.timeout(seconds),
            openai.AsyncOpenAI(
                base_url=options.openai_base_url,
                # Servers of one's own often want no key, but the client insists on one.
                api_key=options.openai_api_key or "none",
                timeout=seconds,
                max_retries=RETRIES,
            ) as client,
        ):
            yield client
    except (TimeoutError, openai.APITimeoutError):
        raise EngineBroke(f"{service} did not answer within {seconds:g} s", transient=True) from None
    except openai.APIStatusError as error:
        transient = error.status_code in (408, 409, 425, 429) or error.status_code >= 500
        raise EngineBroke(f"{service} answered {error.status_code}: {_short(error)}", transient) from error
    except openai.OpenAIError as error:
        raise EngineBroke(f"{service} cannot be reached: {_short(error)}", transient=True) from error


def cost(service: str, units: float, unit: str, micros: float) -> Cost:
    """What was used; parts of a micro-dollar are rounded up."""
    return Cost(service, units, unit, math.ceil(micros))


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
