"""GraphiQL, served by ourselves: no page of ours loads anything from another host."""

from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def page() -> Response:
    """The page itself, at the endpoint's own URL."""
    return FileResponse(STATIC / "graphiql.html", headers=HEADERS, media_type="text/html")


def routes() -> list[BaseRoute]:
    """The page's scripts and styles, at `/graphiql/…`."""
    return [Mount("/graphiql", StaticFiles(directory=STATIC), name="graphiql")]
