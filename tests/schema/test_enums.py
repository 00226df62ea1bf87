"""Enums: names that the database keeps as they are."""

import inspect
from enum import Enum

from db import errors
from schema import enums


def test_every_value_is_its_own_name() -> None:
    classes = [kind for _, kind in inspect.getmembers(enums, inspect.isclass) if issubclass(kind, Enum)]
    members = [member for kind in classes for member in kind]
    assert len(members) > 40
    assert all(member.value == member.name for member in members)


def test_every_error_that_can_be_raised_has_a_code_for_clients() -> None:
    codes = {kind.code for _, kind in inspect.getmembers(errors, inspect.isclass) if hasattr(kind, "code")}
    assert codes <= {code.name for code in enums.ErrorCode}
