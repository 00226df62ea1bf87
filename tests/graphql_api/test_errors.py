"""Errors on the wire: coded, clear where they were meant for the client, masked where they were not."""

import asyncpg
import pytest
from graphql import GraphQLError, located_error, parse
from redis.exceptions import ConnectionError as RedisConnectionError
from tortoise.exceptions import DBConnectionError, OperationalError

from db import errors as family
from db.errors import InvalidInput, NotFound, ViduraError
from graphql_api.errors import STATUS, Refused, is_away, wire_error, wire_errors


def located(error: Exception) -> GraphQLError:
    """As graphql-core reports what a resolver raised."""
    return located_error(error, None, ["video", "title"])


def test_an_expected_error_keeps_its_words_code_and_input_path() -> None:
    told = wire_error(located(InvalidInput("Too short.", ["input", "title"])), "r")
    assert told == {
        "message": "Too short.",
        "path": ["video", "title"],
        "extensions": {"code": "INVALID_INPUT", "path": ["input", "title"]},
    }


def test_an_error_about_the_document_keeps_its_words_and_place() -> None:
    with pytest.raises(GraphQLError) as raised:
        parse("{")
    told = wire_error(raised.value, "r")
    assert told["message"].startswith("Syntax Error")
    assert told["locations"] == [{"line": 1, "column": 2}]
    assert told["extensions"] == {"code": "INVALID_INPUT"}


def test_a_scalars_complaint_about_a_variable_is_for_the_client() -> None:
    error = GraphQLError("Variable '$at' has invalid value: no date", original_error=ValueError("no date"))
    assert wire_error(error, "r")["message"] == "Variable '$at' has invalid value: no date"


def test_a_wrong_argument_found_late_is_for_the_client() -> None:
    node = parse("{ a(n: 1) }").definitions[0]
    told = wire_error(located(GraphQLError("Argument 'n' has invalid value", node)), "r")
    assert (told["message"], told["extensions"]["code"]) == (
        "Argument 'n' has invalid value",
        "INVALID_INPUT",
    )


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret"),
        GraphQLError("Int cannot represent 'secret'"),
        KeyError("secret"),
        PermissionError("secret"),
        asyncpg.UniqueViolationError("secret"),
    ],
    ids=repr,
)
def test_what_nobody_expected_is_masked_and_logged_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    told = wire_error(located(error), "r-1")
    assert told["message"] == "Something went wrong on our side (request r-1)."
    assert told["extensions"] == {"code": "INTERNAL"}
    assert [(record.levelname, record.exc_info and record.exc_info[1]) for record in caplog.records] == [
        ("ERROR", error)
    ]
    assert "r-1" in caplog.text


def wrapped(error: Exception) -> Exception:
    try:
        raise OperationalError("secret") from error
    except OperationalError as outer:
        return outer


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("secret"),
        asyncpg.CannotConnectNowError("secret"),
        asyncpg.AdminShutdownError("secret"),
        asyncpg.InterfaceError("secret"),
        DBConnectionError("secret"),
        ConnectionRefusedError("secret"),
        TimeoutError("secret"),
        RedisConnectionError("secret"),
        wrapped(asyncpg.ConnectionDoesNotExistError("secret")),
    ],
    ids=repr,
)
def test_a_service_that_is_away_is_unavailable(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    told = wire_error(located(error), "r-2")
    assert told["extensions"] == {"code": "UNAVAILABLE"}
    assert "secret" not in told["message"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_fault_of_our_own_is_nobody_away() -> None:
    assert not is_away(FileNotFoundError("x"))
    assert not is_away(wrapped(ValueError("x")))


def test_a_refusal_tells_all_its_errors() -> None:
    told = wire_errors(Refused([GraphQLError("one"), GraphQLError("two")]), "r")
    assert [error["message"] for error in told] == ["one", "two"]
    assert wire_errors(NotFound("gone"), "r") == [{"message": "gone", "extensions": {"code": "NOT_FOUND"}}]


def test_every_code_has_a_status() -> None:
    codes = {
        each.code
        for each in vars(family).values()
        if isinstance(each, type) and issubclass(each, ViduraError)
    }
    assert codes == set(STATUS)
