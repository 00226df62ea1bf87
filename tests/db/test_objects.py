"""Keys and plans of the object store."""

import pytest

from db.errors import InvalidInput
from db.objects import checked_key, new_upload


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "..",
        "a/../b",
        "a//b",
        "a/",
        ".hidden",
        "a/.b",
        "a b",
        "a\0b",
        "a\n",
        "é",
        "x" * 513,
    ],
)
def test_what_could_name_anything_outside_the_store_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="not an object key"):
        checked_key(key)


@pytest.mark.parametrize("key", ["a", "media/0193-ab/original.mp4", "runs/1/frames/k=3_0001.jpg"])
def test_a_servers_key_is_taken_as_it_is(key: str) -> None:
    assert checked_key(key) == key


def test_an_upload_is_cut_into_equal_parts_and_a_rest() -> None:
    upload = new_upload("u", 25, 10)
    assert upload.part_count == 3
    assert [(upload.offset(n), upload.size(n)) for n in (1, 2, 3)] == [(0, 10), (10, 10), (20, 5)]
    assert new_upload("u", 20, 10).part_count == 2


def test_an_upload_has_bytes_and_not_too_many_parts() -> None:
    with pytest.raises(InvalidInput):
        new_upload("u", 0, 10)
    with pytest.raises(InvalidInput):
        new_upload("u", 10_001, 1)
