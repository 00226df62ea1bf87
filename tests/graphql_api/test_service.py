"""What both transports share."""

import pytest

from db.errors import Unauthenticated
from graphql_api.service import Options, bearer, request_id
from settings import Web


def test_a_bearer_token_is_taken_out_of_its_header() -> None:
    assert bearer("Bearer a.b.c") == bearer("  bearer   a.b.c ") == "a.b.c"
    assert bearer(None) is bearer("") is bearer(" ") is None


@pytest.mark.parametrize("value", ["Basic x", "Bearer", "Bearer ", "a.b.c"])
def test_another_kind_of_credentials_is_refused(value: str) -> None:
    with pytest.raises(Unauthenticated):
        bearer(value)


def test_every_request_without_an_id_gets_one_of_its_own() -> None:
    assert request_id("trace-1") == "trace-1"
    assert len({request_id(value) for value in (None, "", "a b", "é")}) == 4


def test_the_options_are_those_of_the_settings() -> None:
    web = Web.model_validate(
        {
            "ALLOWED_ORIGINS": "https://a.test, https://b.test,",
            "MAX_DOCUMENT_TOKENS": 7,
            "MAX_DOCUMENT_DEPTH": 3,
            "MAX_FRAME_BYTES": 9,
        }
    )
    options = Options.of(web, development=True)
    assert options.allowed_origins == {"https://a.test", "https://b.test"}
    assert (options.limits.tokens, options.limits.depth, options.max_frame_bytes) == (7, 3, 9)
    assert options.graphiql
    assert not Options.of(Web(), development=False).graphiql
    assert Options.of(Web(), development=False).allowed_origins == frozenset()
