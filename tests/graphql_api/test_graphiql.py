"""GraphiQL: served by ourselves, unmodified, and only where it is wanted."""

import hashlib
import re
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.routing import Route

from graphql_api import graphiql
from graphql_api.service import Options
from graphql_api.transport import GraphQLEndpoint
from tests.support.endpoint import Notes, schema, serving

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
VENDOR = graphiql.STATIC / "vendor"


def endpoint(*, graphiql: bool) -> GraphQLEndpoint:
    notes = Notes()
    return GraphQLEndpoint(
        schema(),
        open_context=notes.open_context,
        authenticate=notes.authenticate,
        options=Options(graphiql=graphiql),
    )


@pytest_asyncio.fixture(scope="module")
async def browser() -> AsyncIterator[httpx2.AsyncClient]:
    routes = [
        Route("/graphql", endpoint(graphiql=True)),
        Route("/production", endpoint(graphiql=False)),
        *graphiql.routes(),
    ]
    async with (
        serving(Starlette(routes=routes)) as address,
        httpx2.AsyncClient(base_url=f"http://{address}", headers={"accept": HTML}) as client,
    ):
        yield client


async def test_a_browser_gets_the_page_and_all_it_needs_from_us(browser: httpx2.AsyncClient) -> None:
    page = await browser.get("/graphql")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) > 5
    for link in links:
        if link != "data:,":
            assert link.startswith("/graphiql/")
            assert (await browser.get(link)).status_code == 200


async def test_the_page_may_load_nothing_from_elsewhere(browser: httpx2.AsyncClient) -> None:
    policy = (await browser.get("/graphql")).headers["content-security-policy"]
    sources = {source for rule in policy.split(";") for source in rule.split()[1:]}
    assert sources == {"'none'", "'self'", "data:"}
    assert "script-src 'self';" in policy


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html;q=0.5", ""])
async def test_a_client_that_is_no_browser_gets_json(browser: httpx2.AsyncClient, accept: str) -> None:
    response = await browser.get("/graphql", headers={"accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (
        400,
        "application/json; charset=utf-8",
    )


async def test_a_browser_that_asks_a_query_gets_its_answer(browser: httpx2.AsyncClient) -> None:
    response = await browser.get("/graphql", params={"query": "{ hello }"})
    assert response.json() == {"data": {"hello": "hello world"}}


async def test_there_is_no_page_where_it_is_not_wanted(browser: httpx2.AsyncClient) -> None:
    response = await browser.get("/production")
    assert (response.status_code, "html" in response.text) == (400, False)


def test_the_files_of_others_are_those_that_the_table_names() -> None:
    rows = re.findall(r"\| `([^`]+)` \| `([^`]+)` \| `([0-9a-f]{64})` \|", (VENDOR / "README.md").read_text())
    files = {str(path.relative_to(VENDOR)) for path in VENDOR.glob("*/*") if path.suffix in (".js", ".css")}
    assert {name for name, _, _ in rows} == files
    for name, package, digest in rows:
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
        assert name.split("/")[0] == package.replace("@", "-")
        assert list((VENDOR / name).parent.glob("LICENSE*"))
