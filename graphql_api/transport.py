"""The GraphQL endpoint: one ASGI app for HTTP and WebSocket at the same URL."""

import strawberry
from starlette.types import Receive, Scope, Send

from graphql_api.http_transport import HttpTransport
from graphql_api.operations import Operations
from graphql_api.service import Authenticate, ContextFactory, Options, Service
from graphql_api.socket_transport import SocketTransport


class GraphQLEndpoint:
    """Answers operations on `schema`; each gets a context of its own from `open_context`."""

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        open_context: ContextFactory,
        authenticate: Authenticate,
        options: Options,
    ) -> None:
        operations = Operations(schema, options.limits)
        self._service = Service(operations, open_context, authenticate, options)
        self._http = HttpTransport(self._service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await SocketTransport(self._service, scope, receive, send).run()
        else:
            await self._http(scope, receive, send)
