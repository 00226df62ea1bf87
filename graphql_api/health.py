"""Whether this process lives, whether it can serve, and how the whole system is doing."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from db.catalogue import QUEUES
from db.connection import AWAY, Database
from db.migrate import pending
from resolvers.live import Hub

ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """Answers the questions of load balancers and operators."""

    database: Database
    redis: Redis
    hub: Hub

    @property
    def routes(self) -> list[Route]:
        """`/healthz`, `/readyz` and `/status`."""
        return [
            Route("/healthz", self.alive),
            Route("/readyz", self.ready),
            Route("/status", self.status),
        ]

    async def alive(self, _: Request) -> Response:
        """This process answers."""
        return JSONResponse({"ok": True})

    async def ready(self, _: Request) -> Response:
        """Postgres is there and migrated: send requests here (200), or not (503)."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self.database.unit_of_work() as unit:
                missing = await pending(unit)
        except AWAY:
            return JSONResponse({"ok": False, "reason": "Postgres does not answer."}, 503)
        if missing:
            return JSONResponse({"ok": False, "reason": f"Not migrated: {', '.join(missing)}."}, 503)
        return JSONResponse({"ok": True})

    async def status(self, _: Request) -> Response:
        """The parts in one JSON object; `ready` when every queue has a worker."""
        found = await self.look()
        return JSONResponse(found, 200 if found["postgres"] else 503)

    async def look(self) -> dict[str, Any]:
        """What `/status` and `/metrics` show; parts that do not answer are false."""
        found: dict[str, Any] = {"postgres": False, "ready": False, "live": self.hub.connected}
        with contextlib.suppress(*AWAY):
            async with asyncio.timeout(ANSWER_SECONDS), self.database.unit_of_work() as unit:
                found |= await unit.value("select system_status()")
                found["postgres"] = True
        found["redis"] = await self._redis_answers()
        found["ready"] = found["postgres"] and all(found["workers"].get(queue) for queue in QUEUES)
        return found

    async def _redis_answers(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return bool(await self.redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False
