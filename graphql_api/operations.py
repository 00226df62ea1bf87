"""From a request's text to results: documents parsed, checked and remembered, then executed."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, TypeVar

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute,
    get_operation_ast,
    specified_rules,
    subscribe,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from db.errors import InvalidInput
from graphql_api.errors import Refused, wire_error
from graphql_api.limits import Limits, parse_within

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
DOCUMENTS = 1000
LONGEST_REMEMBERED = 32 * 1024

Wanted = TypeVar("Wanted")


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """One operation as a client sends it, over any transport."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, body: object) -> "GraphQLRequest":
        """Checks the shape of a request's JSON; InvalidInput. Properties we do not know are ignored."""
        if not isinstance(body, dict):
            raise InvalidInput("A GraphQL request is one JSON object.")
        query = _of_type(body, "query", str, "a string")
        if query is None:
            raise InvalidInput('A GraphQL request needs a "query".')
        return cls(
            query,
            _of_type(body, "operationName", str, "a string"),
            _of_type(body, "variables", dict, "an object") or {},
            _of_type(body, "extensions", dict, "an object") or {},
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """A request whose document is valid: ready to be executed, once."""

    request: GraphQLRequest
    document: DocumentNode
    kind: OperationType


class Operations:
    """Prepares and executes operations against one schema."""

    def __init__(self, schema: strawberry.Schema, limits: Limits) -> None:
        if schema.extensions or schema.directives:
            raise ValueError("this endpoint runs neither Strawberry's extensions nor its directives")
        self._executor = schema.execution_context_class
        # Strawberry names no public way to the schema that it built for graphql-core.
        self._schema = schema._schema
        self._limits = limits
        self._documents: OrderedDict[str, DocumentNode] = OrderedDict()

    def prepare(self, request: GraphQLRequest) -> Operation:
        """Parses, validates and finds the operation; Refused says what is wrong with it."""
        document = self._document(request.query)
        definition = get_operation_ast(document, request.operation_name)
        if definition is None:
            raise Refused([GraphQLError(_which(document, request.operation_name))])
        return Operation(request, document, definition.operation)

    async def execute(self, operation: Operation, context: object) -> ExecutionResult:
        """Runs a query or mutation; Refused if its variables are wrong."""
        running = execute(self._schema, operation.document, **self._arguments(operation, context))
        result = await running if isawaitable(running) else running
        return _executed(result)

    async def subscribe(self, operation: Operation, context: object) -> AsyncGenerator[ExecutionResult]:
        """Opens a subscription's stream of results, for the caller to close; Refused if it cannot begin."""
        opening = subscribe(self._schema, operation.document, **self._arguments(operation, context))
        stream = await opening if isawaitable(opening) else opening
        if isinstance(stream, ExecutionResult):
            raise Refused(stream.errors or [])
        assert isinstance(stream, AsyncGenerator)
        return stream

    def _document(self, text: str) -> DocumentNode:
        """The valid document of `text`, remembered from last time if it was asked lately."""
        if text in self._documents:
            self._documents.move_to_end(text)
            return self._documents[text]
        document = self._checked(text)
        if len(text) <= LONGEST_REMEMBERED:
            self._documents[text] = document
        if len(self._documents) > DOCUMENTS:
            self._documents.popitem(last=False)
        return document

    def _checked(self, text: str) -> DocumentNode:
        try:
            document = parse_within(text, self._limits)
        except GraphQLError as error:
            raise Refused([error]) from None
        if errors := validate(self._schema, document, RULES):
            raise Refused(errors)
        return document

    def _arguments(self, operation: Operation, context: object) -> dict[str, Any]:
        return {
            "context_value": context,
            "variable_values": dict(operation.request.variables),
            "operation_name": operation.request.operation_name,
            "executor_class": self._executor,
            "operation_extensions": operation.request.extensions,
        }


def response(result: ExecutionResult, request_id: str) -> dict[str, Any]:
    """A result in the form of a GraphQL response."""
    if not result.errors:
        return {"data": result.data}
    return {"data": result.data, "errors": [wire_error(error, request_id) for error in result.errors]}


def _executed(result: ExecutionResult) -> ExecutionResult:
    """Errors without a path mean that execution never began."""
    if result.data is None and result.errors and all(error.path is None for error in result.errors):
        raise Refused(result.errors)
    return result


def _of_type(body: Mapping[str, Any], name: str, wanted: type[Wanted], what: str) -> Wanted | None:
    value = body.get(name)
    if value is not None and not isinstance(value, wanted):
        raise InvalidInput(f'"{name}" must be {what}.')
    return value


def _which(document: DocumentNode, name: str | None) -> str:
    if name is not None:
        return f'Unknown operation named "{name}".'
    if any(isinstance(definition, OperationDefinitionNode) for definition in document.definitions):
        return 'Say by "operationName" which of the document\'s operations is meant.'
    return "The document holds no operation."
