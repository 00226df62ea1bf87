"""GraphQL over WebSocket, message by message, with a client that also says what it should not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from graphql_api.service import Options
from graphql_api.transport import GraphQLEndpoint
from tests.support.endpoint import VIEWER, Client, Notes, schema, serving, socket_to

PROTOCOL = Subprotocol("graphql-transport-ws")
ALLOWED = "https://app.vidura.test"


def endpoint(notes: Notes, **options: Any) -> GraphQLEndpoint:
    return GraphQLEndpoint(
        schema(),
        open_context=notes.open_context,
        authenticate=notes.authenticate,
        options=Options(allowed_origins=frozenset({ALLOWED}), max_frame_bytes=10_000, **options),
    )


@pytest.fixture(scope="module")
def server_notes() -> Notes:
    return Notes()


@pytest_asyncio.fixture(scope="module")
async def address(server_notes: Notes) -> AsyncIterator[str]:
    async with serving(endpoint(server_notes, init_timeout_seconds=1, max_subscriptions=3)) as address:
        yield address


@pytest.fixture
def notes(server_notes: Notes) -> Notes:
    """What the server notes, from this test's beginning."""
    server_notes.forget()
    return server_notes


@pytest_asyncio.fixture
async def fresh(address: str) -> AsyncIterator[Client]:
    """A socket on which nothing has been said."""
    async with socket_to(address) as client:
        yield client


@pytest_asyncio.fixture
async def client(fresh: Client) -> Client:
    """A socket whose connection is acknowledged."""
    assert await fresh.init() == {"type": "connection_ack"}
    return fresh


async def soon(queue: asyncio.Queue[str]) -> str:
    async with asyncio.timeout(5):
        return await queue.get()


def message(identity: object = "1", **payload: object) -> dict[str, object]:
    return {"id": identity, "type": "subscribe", "payload": {"query": "{ hello }", **payload}}


# --- connecting ---


async def test_only_the_current_protocol_is_spoken(address: str) -> None:
    for protocol in ("graphql-ws", "something", None):
        async with socket_to(address, protocol) as client:
            assert await client.closed() == (4406, "Subprotocol not acceptable")
            assert client.connection.subprotocol is None


async def test_the_protocol_is_confirmed(fresh: Client) -> None:
    assert fresh.connection.subprotocol == "graphql-transport-ws"


@pytest.mark.parametrize("origin", [None, ALLOWED, "same"])
async def test_an_allowed_origin_may_connect(address: str, origin: str | None) -> None:
    named = f"http://{address}" if origin == "same" else origin
    async with socket_to(address, origin=Origin(named) if named else None) as client:
        assert await client.init() == {"type": "connection_ack"}


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://127.0.0.1", f"{ALLOWED}.evil.test"])
async def test_a_foreign_origin_is_refused_before_the_handshake(address: str, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{address}/graphql", origin=Origin(origin)).__aenter__()
    assert refused.value.response.status_code == 403
    body = orjson.loads(refused.value.response.body)
    assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"


# --- initialising ---


@pytest.mark.parametrize(
    "init",
    [
        {"type": "connection_init"},
        {"type": "connection_init", "payload": None},
        {"type": "connection_init", "payload": {}},
        {"type": "connection_init", "payload": {"anything": [1]}},
    ],
)
async def test_an_init_is_acknowledged(fresh: Client, init: object) -> None:
    assert await fresh.ask(init) == {"type": "connection_ack"}


@pytest.mark.parametrize("payload", ["x", 1, [], True])
async def test_an_inits_payload_is_an_object(fresh: Client, payload: object) -> None:
    await fresh.send({"type": "connection_init", "payload": payload})
    assert (await fresh.closed())[0] == 4400


async def test_whoever_says_nothing_is_sent_away(fresh: Client) -> None:
    assert await fresh.closed() == (4408, "Connection initialisation timeout")


async def test_after_init_one_may_be_silent(notes: Notes) -> None:
    async with serving(endpoint(notes, init_timeout_seconds=0.2)) as address, socket_to(address) as client:
        await client.init()
        async with socket_to(address) as silent:
            assert (await silent.closed())[0] == 4408
        assert await client.ask({"type": "ping"}) == {"type": "pong"}


async def test_a_second_init_closes(client: Client) -> None:
    await client.send({"type": "connection_init"})
    assert await client.closed() == (4429, "Too many initialisation requests")


async def test_a_second_init_closes_though_the_first_is_not_acknowledged_yet(fresh: Client) -> None:
    for _ in range(2):
        await fresh.send({"type": "connection_init"})
    assert (await fresh.closed())[0] == 4429


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
async def test_the_inits_token_makes_the_viewer_of_every_operation(fresh: Client, name: str) -> None:
    ack = await fresh.init(**{name: "Bearer good"})
    assert ack == {"type": "connection_ack", "payload": {"expiresAt": "2100-01-01T00:00:00.000Z"}}
    await fresh.subscribe("{ viewer }")
    assert (await fresh.receive())["payload"] == {"data": {"viewer": str(VIEWER.user_id)}}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("Bearer forged", 4401),
        ("Basic x", 4401),
        ("Bearer old", 4403),
        ("Bearer away", 1013),
        ("Bearer bug", 1011),
        (1, 4400),
        (["Bearer good"], 4400),
    ],
)
async def test_a_bad_token_closes(fresh: Client, value: object, code: int) -> None:
    await fresh.send({"type": "connection_init", "payload": {"Authorization": value}})
    given, reason = await fresh.closed()
    assert given == code
    assert "dsn" not in reason


async def test_a_socket_closes_when_its_token_expires(fresh: Client, notes: Notes) -> None:
    notes.expires_at = datetime.now(UTC) + timedelta(seconds=0.3)
    await fresh.init(Authorization="Bearer good")
    await fresh.subscribe("subscription { ticks }")
    assert await fresh.closed() == (4403, "The access token has expired")
    assert await soon(notes.closed) == "ticks"


# --- ping ---


@pytest.mark.parametrize("payload", [{}, {"a": {"b": [1, None]}}])
async def test_a_pong_echoes_the_pings_payload(client: Client, payload: object) -> None:
    assert await client.ask({"type": "ping", "payload": payload}) == {"type": "pong", "payload": payload}


@pytest.mark.parametrize("ping", [{"type": "ping"}, {"type": "ping", "payload": None}])
async def test_a_ping_without_payload_is_answered(client: Client, ping: object) -> None:
    assert await client.ask(ping) == {"type": "pong"}


async def test_a_ping_is_answered_before_init(fresh: Client) -> None:
    assert await fresh.ask({"type": "ping"}) == {"type": "pong"}


async def test_a_pong_is_taken_at_any_time(fresh: Client) -> None:
    await fresh.send({"type": "pong", "payload": {"late": True}})
    assert await fresh.init() == {"type": "connection_ack"}


# --- messages of the wrong shape ---


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "{",
        "[]",
        '"connection_init"',
        "1",
        "null",
        "[" * 5000,
        b"\x00\xff",
        b'{"type":"ping"}',
        {},
        {"type": 1},
        {"type": None},
        {"type": "start"},
        {"type": "connection_ack"},
        {"type": "next", "id": "1"},
        {"type": "ping", "payload": "x"},
        {"type": "pong", "payload": []},
        {"type": "complete"},
        {"type": "complete", "id": ""},
        {"type": "complete", "id": 1},
        {"type": "subscribe", "payload": {"query": "{ hello }"}},
        {"type": "subscribe", "id": "1"},
        {"type": "subscribe", "id": "1", "payload": "x"},
        {"type": "subscribe", "id": "1", "payload": []},
        {"type": "subscribe", "id": "1", "payload": {}},
        message(identity=""),
        message(identity=1),
        message(identity=None),
        message(query=1),
        message(query=None),
        message(operationName=1),
        message(variables="x"),
        message(variables=[1]),
        message(extensions="x"),
    ],
    ids=str,
)
async def test_a_message_of_the_wrong_shape_closes(client: Client, wrong: object) -> None:
    await client.send(wrong)
    assert (await client.closed())[0] == 4400


async def test_a_message_too_long_closes(client: Client) -> None:
    await client.send(message(query="#" + "é" * 6_000))
    assert (await client.closed())[0] == 1009


async def test_a_frame_beyond_the_servers_own_limit_closes(client: Client) -> None:
    await client.send("x" * 70_000)
    assert (await client.closed())[0] == 1009


# --- operations ---


async def test_subscribing_before_the_acknowledgement_closes(fresh: Client, notes: Notes) -> None:
    await fresh.subscribe("{ hello }")
    assert await fresh.closed() == (4401, "Unauthorized")
    assert notes.infos == []


async def test_a_subscription_streams_and_completes(client: Client) -> None:
    await client.subscribe("subscription($n: Int!) { count(to: $n) }", variables={"n": 3})
    received = [await client.receive() for _ in range(4)]
    assert received == [
        *({"id": "1", "type": "next", "payload": {"data": {"count": number}}} for number in range(3)),
        {"id": "1", "type": "complete"},
    ]


@pytest.mark.parametrize(
    ("query", "data"),
    [("{ hello }", {"hello": "hello world"}), ('mutation { shout(word: "hi") }', {"shout": "HI"})],
)
async def test_queries_and_mutations_work_too(client: Client, query: str, data: object) -> None:
    await client.subscribe(query, variables=None, operationName=None, extensions=None)
    assert await client.receive() == {"id": "1", "type": "next", "payload": {"data": data}}
    assert await client.receive() == {"id": "1", "type": "complete"}


async def test_operations_run_side_by_side(client: Client) -> None:
    await client.subscribe("subscription { ticks }", "slow")
    assert (await client.receive())["id"] == "slow"
    await client.subscribe("{ hello }", "quick")
    assert [(await client.receive())["id"] for _ in range(2)] == ["quick", "quick"]


async def test_an_id_may_be_used_again_after_its_end(client: Client) -> None:
    for _ in range(3):
        await client.subscribe("{ hello }", "same")
        assert (await client.receive())["type"] == "next"
        assert await client.receive() == {"id": "same", "type": "complete"}


async def test_an_id_in_use_closes(client: Client) -> None:
    for _ in range(2):
        await client.subscribe("subscription { ticks }", "same")
    assert await client.closed() == (4409, "Subscriber for same already exists")


async def test_a_reason_too_long_for_a_close_frame_is_cut(client: Client) -> None:
    identity = "é" * 500
    for _ in range(2):
        await client.subscribe("subscription { ticks }", identity)
    code, reason = await client.closed()
    assert code == 4409
    assert len(reason.encode()) <= 123
    assert reason.startswith("Subscriber for ééé")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("{", "Syntax Error"),
        ("", "Syntax Error"),
        ("{ nothing }", "Cannot query field"),
        ("query A { hello } query B { hello }", "operationName"),
        ("query A($n: Int!) { count(to: $n) }", "$n"),
        ("subscription { refused }", "There is no such video."),
        ("subscription($n: Int!) { count(to: $n) }", "$n"),
        ("subscription { count(to: 1) ticks }", "one"),
        ("{" + "node {" * 13 + "name" + "}" * 14, "too deep"),
    ],
)
async def test_a_bad_operation_ends_only_itself(client: Client, query: str, text: str) -> None:
    await client.subscribe("subscription { ticks }", "other")
    await client.receive()
    await client.subscribe(query, "bad")
    answer = await client.receive()
    assert (answer["id"], answer["type"]) == ("bad", "error")
    assert isinstance(answer["payload"], list)
    assert text in answer["payload"][0]["message"]
    assert answer["payload"][0]["extensions"]["code"] in ("INVALID_INPUT", "NOT_FOUND")
    await client.subscribe("{ hello }", "bad")
    assert (await client.receive())["type"] == "next"


async def test_an_unknown_operation_ends_only_itself(client: Client) -> None:
    await client.send(message(query="query A { hello }", operationName="B"))
    answer = await client.receive()
    assert (answer["type"], answer["payload"][0]["message"]) == ("error", 'Unknown operation named "B".')


async def test_errors_of_a_field_come_beside_the_data(client: Client) -> None:
    await client.subscribe("{ hello missing broken }")
    payload = (await client.receive())["payload"]
    assert payload["data"] == {"hello": "hello world", "missing": None, "broken": None}
    assert [error["extensions"]["code"] for error in payload["errors"]] == ["NOT_FOUND", "INTERNAL"]
    assert (await client.receive())["type"] == "complete"


async def test_a_stream_that_fails_ends_with_a_masked_error(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await client.subscribe('subscription { failing(how: "broken") }')
    assert (await client.receive())["payload"] == {"data": {"failing": 0}}
    answer = await client.receive()
    assert (answer["type"], answer["payload"][0]["extensions"]) == ("error", {"code": "INTERNAL"})
    assert "secret" not in str(answer)
    records = [record for record in caplog.records if record.name == "vidura.errors"]
    assert len(records) == 1
    assert records[0].exc_info is not None
    assert str(records[0].exc_info[1]) == "secret dsn"


async def test_a_stream_may_end_with_a_coded_error(client: Client) -> None:
    await client.subscribe('subscription { failing(how: "missing") }')
    await client.receive()
    answer = await client.receive()
    assert answer == {
        "id": "1",
        "type": "error",
        "payload": [{"message": "It was deleted.", "extensions": {"code": "NOT_FOUND"}}],
    }


async def test_an_answer_that_is_no_json_is_an_error(client: Client) -> None:
    await client.subscribe("{ unwritable }")
    answer = await client.receive()
    assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "INTERNAL")


async def test_every_operation_has_a_context_of_its_own(client: Client, notes: Notes) -> None:
    numbers = []
    for identity in ("a", "b"):
        await client.subscribe("{ operation }", identity, extensions={"from": identity})
        numbers.append((await client.receive())["payload"]["data"]["operation"])
        await client.receive()
    assert numbers == [1, 2]
    assert [info.extensions for info in notes.infos] == [{"from": "a"}, {"from": "b"}]
    assert {info.transport for info in notes.infos} == {"websocket"}
    assert len({info.request_id for info in notes.infos}) == 2


async def test_a_socket_carries_only_so_many_operations(client: Client) -> None:
    for identity in ("a", "b", "c"):
        await client.subscribe("subscription { ticks }", identity)
        await client.receive()
    await client.subscribe("{ hello }", "d")
    answer = await client.receive()
    assert (answer["id"], answer["type"]) == ("d", "error")
    assert answer["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
    await client.send({"id": "a", "type": "complete"})
    await client.subscribe("{ hello }", "d")
    assert (await client.receive())["type"] == "next"


# --- ending ---


async def test_complete_ends_the_stream_and_frees_its_id(client: Client, notes: Notes) -> None:
    for _ in range(2):
        await client.subscribe("subscription { ticks }", "a")
        await client.receive()
        await client.send({"id": "a", "type": "complete"})
    assert [await soon(notes.closed) for _ in range(2)] == ["ticks", "ticks"]
    assert await client.ask({"type": "ping"}) == {"type": "pong"}


async def test_completing_what_is_over_or_never_was_is_ignored(client: Client) -> None:
    await client.send({"id": "ghost", "type": "complete"})
    assert await client.ask({"type": "ping"}) == {"type": "pong"}


@pytest.mark.parametrize("politely", [True, False])
async def test_leaving_ends_every_operation_and_leaves_no_task(
    address: str, notes: Notes, politely: bool
) -> None:
    before = asyncio.all_tasks()
    async with socket_to(address) as client:
        await client.init(Authorization="Bearer good")
        for name in ("a", "b", "c"):
            await client.subscribe(f'subscription {{ ticks(name: "{name}") }}', name)
            await client.receive()
        if not politely:
            client.connection.transport.abort()
    assert {await soon(notes.closed) for _ in range(3)} == {"a", "b", "c"}
    if ending := asyncio.all_tasks() - before:
        async with asyncio.timeout(5):
            await asyncio.wait(ending)


async def test_a_reader_that_is_too_slow_by_its_stream_is_told_to_come_back(client: Client) -> None:
    await client.subscribe('subscription { failing(how: "slow") }')
    code, reason = await client.closed()
    assert (code, "resume by cursor" in reason) == (1013, True)


async def test_a_reader_that_takes_nothing_is_dropped_and_its_stream_ends(notes: Notes) -> None:
    async with serving(endpoint(notes, send_timeout_seconds=0.3)) as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(
            f"GET /graphql HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        for text in ({"type": "connection_init"}, message(query="subscription { flood }")):
            data = orjson.dumps(text)
            writer.write(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)
        assert await soon(notes.closed) == "flood"
        writer.transport.abort()


async def test_a_server_that_stops_says_so(notes: Notes) -> None:
    async with serving(endpoint(notes)) as address:
        connection = await connect(f"ws://{address}/graphql", subprotocols=[PROTOCOL])
        client = Client(connection)
        await client.init()
        await client.subscribe("subscription { ticks }")
        await client.receive()
    assert (await client.closed())[0] == 1012
    assert await soon(notes.closed) == "ticks"
