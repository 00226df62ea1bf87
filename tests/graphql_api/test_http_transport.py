"""GraphQL over HTTP: statuses, media types and bodies, on a real server."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import orjson
import pytest
import pytest_asyncio
from graphql import get_introspection_query

from graphql_api.service import Options
from graphql_api.transport import GraphQLEndpoint
from tests.support.endpoint import VIEWER, Notes, schema, serving

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"


@pytest.fixture(scope="module")
def notes() -> Notes:
    return Notes()


@pytest_asyncio.fixture(scope="module")
async def address(notes: Notes) -> AsyncIterator[str]:
    endpoint = GraphQLEndpoint(
        schema(),
        open_context=notes.open_context,
        authenticate=notes.authenticate,
        options=Options(max_body_bytes=20_000),
    )
    async with serving(endpoint) as address:
        yield address


@pytest_asyncio.fixture(scope="module")
async def client(address: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://{address}") as client:
        yield client


async def post(
    client: httpx2.AsyncClient, body: object, accept: str = JSON, **headers: str
) -> httpx2.Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    sent = {"content-type": JSON, "accept": accept, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return await client.post("/graphql", content=content, headers=sent)


def code(response: httpx2.Response) -> str:
    errors = response.json()["errors"]
    assert "data" not in response.json()
    assert [set(error) >= {"message", "extensions"} for error in errors] == [True] * len(errors)
    name: str = errors[0]["extensions"]["code"]
    return name


# --- what works ---


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}, {JSON};q=0.9", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0.5, {JSON}", JSON),
        (f"{JSON};q=0.5, {GRAPHQL_JSON}", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0, {JSON}", JSON),
        (f"{GRAPHQL_JSON};q=x, {JSON}", JSON),
        ("text/event-stream", JSON),
        ("Application/GraphQL-Response+JSON; charset=utf-8", GRAPHQL_JSON),
    ],
)
async def test_the_answer_has_the_media_type_that_the_client_likes_best(
    client: httpx2.AsyncClient, accept: str, expected: str
) -> None:
    response = await post(client, {"query": "{ hello }"}, accept)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{expected}; charset=utf-8"
    assert "Accept" in response.headers["vary"]
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {"data": {"hello": "hello world"}}


async def test_variables_and_the_operations_name_are_heeded(client: httpx2.AsyncClient) -> None:
    body = {
        "query": "query A($n: String!) { hello(name: $n) } query B { hello }",
        "operationName": "A",
        "variables": {"n": "Ada"},
        "unknown": "is ignored",
    }
    assert (await post(client, body)).json() == {"data": {"hello": "hello Ada"}}


async def test_queries_may_come_by_get(client: httpx2.AsyncClient) -> None:
    asked = {
        "query": "query Q($n: String!) { hello(name: $n) }",
        "variables": '{"n": "Ada"}',
        "operationName": "Q",
    }
    response = await client.get("/graphql", params=asked, headers={"accept": "*/*"})
    assert response.json() == {"data": {"hello": "hello Ada"}}


async def test_mutations_come_by_post(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": 'mutation { shout(word: "hi") }'})
    assert response.json() == {"data": {"shout": "HI"}}


async def test_extensions_reach_the_context(client: httpx2.AsyncClient, notes: Notes) -> None:
    await post(client, {"query": "{ hello }", "extensions": {"persistedQuery": {"version": 1}}})
    assert notes.infos[-1].extensions == {"persistedQuery": {"version": 1}}
    assert (notes.infos[-1].transport, notes.infos[-1].address) == ("http", "127.0.0.1")


async def test_every_request_has_a_context_of_its_own(client: httpx2.AsyncClient) -> None:
    answers = [await post(client, {"query": "{ operation }"}) for _ in range(2)]
    first, second = (answer.json()["data"]["operation"] for answer in answers)
    assert first != second


# --- who asks ---


async def test_a_bearer_token_makes_the_viewer(client: httpx2.AsyncClient) -> None:
    logged_in = await post(client, {"query": "{ viewer }"}, authorization="bearer good")
    assert logged_in.json() == {"data": {"viewer": str(VIEWER.user_id)}}
    assert (await post(client, {"query": "{ viewer }"})).json() == {"data": {"viewer": None}}


@pytest.mark.parametrize("value", ["Bearer forged", "Bearer old", "Basic dXNlcjpwdw==", "Bearer", "good"])
async def test_a_bad_token_is_401(client: httpx2.AsyncClient, value: str) -> None:
    response = await post(client, {"query": "{ viewer }"}, authorization=value)
    assert (response.status_code, code(response)) == (401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_database_that_is_away_is_503_and_stays_unnamed(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": "{ viewer }"}, authorization="Bearer away")
    assert (response.status_code, code(response)) == (503, "UNAVAILABLE")
    assert "dsn" not in response.text


# --- correlation ---


async def test_the_callers_request_id_comes_back(client: httpx2.AsyncClient, notes: Notes) -> None:
    response = await post(client, {"query": "{ hello }"}, x_request_id="trace-1.a:b_c")
    assert response.headers["x-request-id"] == "trace-1.a:b_c" == notes.infos[-1].request_id


@pytest.mark.parametrize("value", ["", "a b", "<script>", "x" * 129])
async def test_what_is_no_request_id_is_replaced(client: httpx2.AsyncClient, value: str) -> None:
    given = (await post(client, {"query": "{ hello }"}, x_request_id=value)).headers["x-request-id"]
    assert given != value
    assert len(given) == 32


# --- what fails before execution ---


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "",
        "{ nothing }",
        "{ hello(name: 1) }",
        "query A { hello } query B { hello }",
        "type A { b: Int }",
    ],
)
@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL_JSON, 400), (JSON, 200)])
async def test_a_document_that_cannot_be_executed_has_no_data(
    client: httpx2.AsyncClient, query: str, accept: str, status: int
) -> None:
    response = await post(client, {"query": query}, accept)
    assert (response.status_code, code(response)) == (status, "INVALID_INPUT")


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL_JSON, 400), (JSON, 200)])
async def test_variables_that_do_not_fit_have_no_data(
    client: httpx2.AsyncClient, accept: str, status: int
) -> None:
    body = {"query": "query($to: Int!) { count(to: $to) }", "variables": {"to": "many"}}
    response = await post(client, body, accept)
    assert (response.status_code, code(response)) == (status, "INVALID_INPUT")
    assert "$to" in response.text


async def test_an_unknown_operation_is_named(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": "query A { hello }", "operationName": "B"}, GRAPHQL_JSON)
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"] == 'Unknown operation named "B".'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b"1",
        b"null",
        b'"{ hello }"',
        b"[]",
        b'[{"query": "{ hello }"}]',
        b"{}",
        b'{"query": 1}',
        b'{"query": null}',
        b'{"query": "{ hello }", "variables": "x"}',
        b'{"query": "{ hello }", "variables": [1]}',
        b'{"query": "{ hello }", "operationName": 1}',
        b'{"query": "{ hello }", "extensions": "x"}',
        b'{"query": "\\ud800"}',
        b"[" * 10_000,
        b'{"query": "{ hello }", "variables": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
    ],
    ids=lambda body: body[:44].decode(errors="replace"),
)
@pytest.mark.parametrize("accept", [GRAPHQL_JSON, JSON])
async def test_a_request_of_the_wrong_shape_is_400(
    client: httpx2.AsyncClient, body: bytes, accept: str
) -> None:
    response = await post(client, body, accept)
    assert (response.status_code, code(response)) == (400, "INVALID_INPUT")


@pytest.mark.parametrize("name", ["variables", "extensions"])
@pytest.mark.parametrize("value", ["{", "1", "[]", '"x"'])
async def test_a_url_of_the_wrong_shape_is_400(client: httpx2.AsyncClient, name: str, value: str) -> None:
    response = await client.get("/graphql", params={"query": "{ hello }", name: value})
    assert (response.status_code, code(response)) == (400, "INVALID_INPUT")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "application/jsonp",
    ],
)
async def test_only_json_is_taken(client: httpx2.AsyncClient, content_type: str) -> None:
    response = await post(client, {"query": "{ hello }"}, content_type=content_type)
    assert (response.status_code, code(response)) == (415, "INVALID_INPUT")


@pytest.mark.parametrize(
    "content_type", ["application/json;charset=UTF-8", 'APPLICATION/JSON; charset="utf-8"']
)
async def test_json_in_utf8_may_say_so(client: httpx2.AsyncClient, content_type: str) -> None:
    assert (await post(client, {"query": "{ hello }"}, content_type=content_type)).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
async def test_other_methods_are_405(client: httpx2.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("accept", [GRAPHQL_JSON, JSON])
async def test_a_mutation_by_get_is_405_and_not_executed(
    client: httpx2.AsyncClient, notes: Notes, accept: str
) -> None:
    before = len(notes.infos)
    query = 'mutation { shout(word: "hi") }'
    response = await client.get("/graphql", params={"query": query}, headers={"accept": accept})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert code(response) == "INVALID_INPUT"
    assert len(notes.infos) == before


@pytest.mark.parametrize("accept", [GRAPHQL_JSON, JSON])
async def test_a_subscription_is_sent_to_the_socket(client: httpx2.AsyncClient, accept: str) -> None:
    response = await post(client, {"query": "subscription { count(to: 1) }"}, accept)
    assert (response.status_code, code(response)) == (400, "INVALID_INPUT")
    assert "graphql-transport-ws" in response.text


# --- size ---


async def test_a_body_that_says_it_is_too_long_is_413(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": "{ hello }", "variables": {"x": "y" * 20_000}})
    assert (response.status_code, code(response)) == (413, "TOO_LARGE")


async def test_a_body_that_turns_out_too_long_is_413(client: httpx2.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 1000

    response = await client.post("/graphql", content=chunks(), headers={"content-type": JSON})
    assert (response.status_code, code(response)) == (413, "TOO_LARGE")


async def test_fifty_megabytes_are_refused_while_they_are_still_being_sent(address: str) -> None:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /graphql HTTP/1.1\r\nHost: {address}\r\nContent-Type: {JSON}\r\n"
        f"Content-Length: {50 * 1024**2}\r\n\r\n".encode()
    )
    writer.write(b" " * 1000)
    async with asyncio.timeout(2):
        assert (await reader.readline()).split()[1] == b"413"
    writer.close()


# --- errors of execution ---


@pytest.mark.parametrize("accept", [GRAPHQL_JSON, JSON])
async def test_what_fails_in_execution_leaves_the_rest(client: httpx2.AsyncClient, accept: str) -> None:
    response = await post(client, {"query": "{ hello missing }"}, accept)
    assert response.status_code == 200
    assert response.json() == {
        "data": {"hello": "hello world", "missing": None},
        "errors": [
            {
                "message": "There is no such video.",
                "locations": [{"line": 1, "column": 9}],
                "path": ["missing"],
                "extensions": {"code": "NOT_FOUND", "path": ["id"]},
            }
        ],
    }


async def test_what_nobody_expected_is_masked(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": "{ broken away lying }"}, x_request_id="trace-7")
    broken, away, lying = response.json()["errors"]
    assert broken["message"] == lying["message"] == "Something went wrong on our side (request trace-7)."
    assert broken["extensions"] == lying["extensions"] == {"code": "INTERNAL"}
    assert away["extensions"] == {"code": "UNAVAILABLE"}
    assert "secret" not in response.text


async def test_an_answer_that_is_no_json_is_500(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": "{ unwritable }"})
    assert (response.status_code, code(response)) == (500, "INTERNAL")


async def test_a_client_that_leaves_in_the_middle_breaks_nothing(
    client: httpx2.AsyncClient, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = address.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 99\r\n\r\n{{".encode()
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await post(client, {"query": "{ hello }"})).status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_introspection_is_not_too_deep(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": get_introspection_query(type_depth=9)})
    assert response.json()["data"]["__schema"]["queryType"]["name"] == "Query"
