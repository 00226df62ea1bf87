"""GraphQL over HTTP: one operation by POST or GET, the statuses and media types of the specification."""

from collections.abc import Mapping
from typing import Any

import orjson
from graphql import OperationType
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from db.errors import InvalidInput, TooLarge
from graphql_api import graphiql
from graphql_api.errors import STATUS, NotThisWay, Refused, wire_errors
from graphql_api.operations import GraphQLRequest, Operation, response
from graphql_api.service import RequestInfo, Service, bearer, request_id

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"


class HttpTransport:
    """Answers one HTTP request with the result of one operation."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        identity = request_id(request.headers.get("x-request-id"))
        try:
            answer = await self._answer(request, identity)
        except ClientDisconnect:
            return
        except Exception as error:
            answer = _failure(error, request.headers, identity)
        answer.headers["x-request-id"] = identity
        answer.headers["vary"] = "Accept, Authorization"
        await answer(scope, receive, send)

    async def _answer(self, request: Request, identity: str) -> Response:
        if self._service.options.graphiql and _is_browser(request):
            return graphiql.page()
        if request.method not in ("GET", "POST"):
            raise NotThisWay(405, "Use POST, or GET for queries.", {"allow": "GET, POST"})
        claims = await self._service.authenticate(bearer(request.headers.get("authorization")))
        asked = GraphQLRequest.parse(await self._body(request))
        operation = self._service.operations.prepare(asked)
        _check_method(request.method, operation)
        info = RequestInfo(
            viewer=claims.viewer if claims else None,
            request_id=identity,
            address=request.client.host if request.client else "",
            transport="http",
            extensions=asked.extensions,
        )
        result = await self._service.operations.execute(operation, self._service.open_context(info))
        return _json(response(result, identity), 200, negotiated(request.headers))

    async def _body(self, request: Request) -> object:
        if request.method == "GET":
            return _from_url(request)
        if not _is_json(request.headers.get("content-type", "")):
            raise NotThisWay(415, "Send the request as Content-Type: application/json, in UTF-8.")
        return _decoded(await self._read(request), "The body")

    async def _read(self, request: Request) -> bytes:
        limit = self._service.options.max_body_bytes
        refusal = TooLarge(f"A request has at most {limit} bytes.")
        if int(request.headers.get("content-length", 0)) > limit:
            raise refusal
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise refusal
        return bytes(body)


def negotiated(headers: Headers) -> str:
    """The media type of the answer: what the client likes best of the two, JSON if it does not say."""
    for name in _accepted(headers):
        if name == GRAPHQL_JSON:
            return GRAPHQL_JSON
        if name in (JSON, "application/*", "*/*"):
            return JSON
    return JSON


def _accepted(headers: Headers) -> list[str]:
    """The media types of the Accept header, best first."""
    liked: list[tuple[float, str]] = []
    for entry in headers.get("accept", "").lower().split(","):
        name, *parameters = (piece.strip() for piece in entry.split(";"))
        weights = [piece[2:] for piece in parameters if piece.startswith("q=")]
        try:
            weight = float(weights[0]) if weights else 1.0
        except ValueError:
            weight = 0.0
        if weight > 0:
            liked.append((-weight, name))
    return [name for _, name in sorted(liked, key=lambda pair: pair[0])]


def _is_browser(request: Request) -> bool:
    """Whether somebody opened the URL to look at it, rather than to ask a query."""
    accepted = _accepted(request.headers)
    return request.method == "GET" and accepted[:1] == ["text/html"] and "query" not in request.query_params


def _from_url(request: Request) -> dict[str, Any]:
    asked: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if asked.get(name):
            asked[name] = _decoded(asked[name].encode(), f'"{name}"')
        else:
            asked.pop(name, None)
    return asked


def _is_json(content_type: str) -> bool:
    name, *parameters = content_type.lower().replace('"', "").replace(" ", "").split(";")
    return name == JSON and all(
        parameter == "charset=utf-8" for parameter in parameters if parameter.startswith("charset=")
    )


def _decoded(data: bytes, what: str) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{what} is not JSON: {error}.") from None


def _check_method(method: str, operation: Operation) -> None:
    if operation.kind is OperationType.SUBSCRIPTION:
        raise InvalidInput("Subscriptions are served by WebSocket at this URL (graphql-transport-ws).")
    if method == "GET" and operation.kind is OperationType.MUTATION:
        raise NotThisWay(405, "Mutations need POST.", {"allow": "POST"})


def _failure(error: Exception, headers: Headers, identity: str) -> Response:
    """The answer to a request that was not executed: an HTTP status if it failed before its document."""
    body = {"errors": wire_errors(error, identity)}
    if isinstance(error, NotThisWay):
        return _json(body, error.status, JSON, error.headers)
    media_type = negotiated(headers)
    status = STATUS[body["errors"][0]["extensions"]["code"]]
    if isinstance(error, Refused) and media_type == JSON:
        status = 200
    challenge = {"www-authenticate": "Bearer"} if status == 401 else {}
    return _json(body, status, media_type, challenge)


def _json(
    body: Mapping[str, Any], status: int, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    sent = {"content-type": f"{media_type}; charset=utf-8", "cache-control": "no-store", **(headers or {})}
    return Response(orjson.dumps(body), status, sent)
