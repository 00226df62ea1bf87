"""Signed links: what they grant, for how long, and that nothing else is granted."""

import hashlib
import hmac
from urllib.parse import parse_qsl

import asyncpg
import pytest

from db.embedded import Urls
from db.errors import Expired, Forbidden
from db.links import PartTicket, check_part, check_read, prefixed, read_window

MASTER = b"m" * 32
NOW = 1_800_000_000.0
HOUR = 3600
KEY = "media/0193/original.mp4"
SIGNATURE_IN_SQL = """
    select encode(sha256($1::bytea || sha256($2::bytea
        || int4send(octet_length($3::text)) || convert_to($3, 'UTF8')
        || int4send(octet_length($4::text)) || convert_to($4, 'UTF8'))), 'hex')
"""
TICKET = PartTicket("upload_1", 2, 100, 50, int(NOW) + 60, "ab" * 32)


def query_of(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))


def test_a_read_link_holds_for_one_to_two_hours() -> None:
    for now in (NOW, NOW + 1799.5, NOW + HOUR - 0.001):
        left = check_read(MASTER, KEY, query_of(read_window(MASTER, now).query(KEY)), now) - now
        assert HOUR < left <= 2 * HOUR


def test_read_links_are_equal_within_the_hour_and_differ_after_it() -> None:
    start = NOW - NOW % HOUR
    first, last, next_hour = (read_window(MASTER, start + s).query(KEY) for s in (0, HOUR - 0.1, HOUR))
    assert first == last
    assert first != next_hour


def test_a_read_link_expires() -> None:
    query = query_of(read_window(MASTER, NOW).query(KEY))
    with pytest.raises(Expired):
        check_read(MASTER, KEY, query, float(query["e"]))


def test_the_signature_is_an_hmac_that_sql_can_compute_from_two_pads() -> None:
    window = read_window(MASTER, NOW)
    derived = hmac.digest(MASTER, prefixed("read", str(window.expires)), "sha256")
    fields = prefixed(KEY, str(window.expires))
    assert window.sign(KEY) == hmac.digest(derived, fields, "sha256").hex()
    inside = hashlib.sha256(window.inner + fields).digest()
    assert window.sign(KEY) == hashlib.sha256(window.outer + inside).hexdigest()
    assert len(window.inner) == len(window.outer) == 64


@pytest.mark.parametrize(
    "changed",
    [
        {"s": ""},
        {"s": "0" * 64},
        {"s": "é"},
        {"e": ""},
        {"e": "1800003600 "},
        {"e": "+1800003600"},
        {"e": "9" * 5000},
        {"e": "1800010800"},
    ],
    ids=str,
)
def test_a_changed_read_link_is_forged(changed: dict[str, str]) -> None:
    query = query_of(read_window(MASTER, NOW).query(KEY)) | changed
    with pytest.raises(Forbidden):
        check_read(MASTER, KEY, query, NOW)


def test_a_read_link_opens_no_other_object_and_no_other_system() -> None:
    query = query_of(read_window(MASTER, NOW).query(KEY))
    with pytest.raises(Forbidden):
        check_read(MASTER, KEY + "x", query, NOW)
    with pytest.raises(Forbidden):
        check_read(b"n" * 32, KEY, query, NOW)


def test_a_part_link_says_exactly_what_may_be_written() -> None:
    assert check_part(MASTER, "upload_1", "2", query_of(TICKET.query(MASTER)), NOW) == TICKET


def test_a_part_link_expires() -> None:
    with pytest.raises(Expired):
        check_part(MASTER, "upload_1", "2", query_of(TICKET.query(MASTER)), float(TICKET.expires))


@pytest.mark.parametrize(
    ("upload_id", "number", "changed"),
    [
        ("upload_2", "2", {}),
        ("upload_1", "3", {}),
        ("upload_1", "02", {}),
        ("upload_1", "2", {"o": "0"}),
        ("upload_1", "2", {"n": "51"}),
        ("upload_1", "2", {"e": str(TICKET.expires + 1)}),
        ("upload_1", "2", {"h": ""}),
        ("upload_1", "2", {"s": ""}),
        ("upload_1", "2", {"n": "", "e": "", "o": ""}),
    ],
)
def test_a_changed_part_link_is_forged(upload_id: str, number: str, changed: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        check_part(MASTER, upload_id, number, query_of(TICKET.query(MASTER)) | changed, NOW)


def test_fields_cannot_borrow_from_their_neighbours() -> None:
    assert prefixed("ab", "c") != prefixed("a", "bc")


async def test_postgres_computes_the_same_signature(services: Urls) -> None:
    window = read_window(MASTER, NOW)
    connection = await asyncpg.connect(services.database)
    try:
        signature = await connection.fetchval(
            SIGNATURE_IN_SQL, window.outer, window.inner, KEY, str(window.expires)
        )
    finally:
        await connection.close()
    assert signature == window.sign(KEY)
