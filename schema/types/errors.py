"""What a mutation says when it did not do what it was asked for."""

from resolvers.access import ANYONE
from resolvers.compile.source import Column
from schema.enums import ErrorCode
from schema.fields import field, record


@record("Why a mutation did not do what it was asked for, in a way a person can act on.")
class UserError:
    """A refusal."""

    code: ErrorCode = field(Column("code"), ANYONE, "What kind of refusal it is.")
    message: str = field(Column("message"), ANYONE, "What to do about it, for a person.")
    path: list[str] = field(Column("path"), ANYONE, "The argument it is about, from the outside in.")
