"""Documents: prepared once, remembered, and executed as often as asked."""

import pytest
import strawberry
from graphql import OperationType
from strawberry.extensions import MaxTokensLimiter

from db.errors import InvalidInput
from graphql_api import operations as module
from graphql_api.errors import Refused
from graphql_api.limits import Limits
from graphql_api.operations import GraphQLRequest, Operations
from tests.support.endpoint import Query, schema


@pytest.fixture
def operations() -> Operations:
    return Operations(schema(), Limits())


def test_a_document_is_parsed_and_validated_once(operations: Operations) -> None:
    first = operations.prepare(GraphQLRequest("{ hello }"))
    assert operations.prepare(GraphQLRequest("{ hello }")).document is first.document
    assert operations.prepare(GraphQLRequest("{ hello  }")).document is not first.document


def test_the_documents_asked_for_longest_ago_are_forgotten_first(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DOCUMENTS", 2)
    kept = operations.prepare(GraphQLRequest("{ hello }")).document
    lost = operations.prepare(GraphQLRequest("{ viewer }")).document
    operations.prepare(GraphQLRequest("{ hello }"))
    operations.prepare(GraphQLRequest("{ missing }"))
    assert operations.prepare(GraphQLRequest("{ hello }")).document is kept
    assert operations.prepare(GraphQLRequest("{ viewer }")).document is not lost


def test_a_very_long_text_is_not_remembered(operations: Operations) -> None:
    long = GraphQLRequest("{ hello } #" + "x" * 40_000)
    assert operations.prepare(long).document is not operations.prepare(long).document


def test_a_refused_document_stays_refused(operations: Operations) -> None:
    for _ in range(2):
        with pytest.raises(Refused):
            operations.prepare(GraphQLRequest("{ nothing }"))


def test_the_operation_meant_is_found(operations: Operations) -> None:
    text = 'query A { hello } mutation B { shout(word: "x") } subscription C { count(to: 1) }'
    kinds = [operations.prepare(GraphQLRequest(text, name)).kind for name in "ABC"]
    assert kinds == [OperationType.QUERY, OperationType.MUTATION, OperationType.SUBSCRIPTION]


def test_properties_nobody_knows_are_ignored_and_nulls_are_absent() -> None:
    body = {"query": "{ a }", "variables": None, "operationName": None, "extensions": None, "id": 7}
    assert GraphQLRequest.parse(body) == GraphQLRequest("{ a }")


def test_a_request_without_a_query_says_so() -> None:
    with pytest.raises(InvalidInput, match="query"):
        GraphQLRequest.parse({"documentId": "x"})


def test_extensions_that_would_not_run_are_refused_at_the_start() -> None:
    limited = strawberry.Schema(Query, extensions=[lambda: MaxTokensLimiter(max_token_count=1)])
    with pytest.raises(ValueError, match="extensions"):
        Operations(limited, Limits())
