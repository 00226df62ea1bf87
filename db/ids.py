"""Global ids: the table's name and a uuidv7 as text, `media_0193…`; clients treat them as opaque."""

from uuid import UUID

from db.errors import NotFound


def encode(table: str, key: UUID) -> str:
    """The global id of a row."""
    return f"{table}_{key}"


def split(global_id: str) -> tuple[str, UUID]:
    """Table and key of a global id; NotFound for anything that never was one."""
    table, _, key = global_id.rpartition("_")
    try:
        if len(key) != 36:
            raise ValueError
        return table, UUID(key)
    except ValueError:
        raise NotFound(f"There is nothing with the id {global_id[:80]!r}.") from None


def decode(table: str, global_id: str) -> UUID:
    """The key of a row of `table`; NotFound when the id names another table or nothing."""
    found, key = split(global_id)
    if found != table:
        raise NotFound(f"There is nothing with the id {global_id[:80]!r} here.")
    return key
