"""Tags: of an item, by slug, by prefix, and what carries them."""

from uuid import uuid4

from db.connection import Database
from tests.support import make, rows
from tests.support.graphql import Api


async def test_tags_are_listed_in_order_and_by_prefix(api: Api, work: Database) -> None:
    ada, word = await make.viewer(work), uuid4().hex
    await rows.tag(work, await make.media(work, ada), f"{word}-sea", f"{word}-rain", "other")
    query = "query($prefix: String) { tags(prefix: $prefix) { totalCount nodes { slug } } }"
    found = (await api(query, ada, prefix=f"{word.upper()} R"))["tags"]
    assert found == {"totalCount": 1, "nodes": [{"slug": f"{word}-rain"}]}
    found = (await api(query, ada, prefix=word))["tags"]
    assert found == {"totalCount": 2, "nodes": [{"slug": f"{word}-rain"}, {"slug": f"{word}-sea"}]}


async def test_a_tag_shows_the_viewers_and_public_media_that_carry_it(api: Api, work: Database) -> None:
    ada, bea, slug = await make.viewer(work), await make.viewer(work), uuid4().hex
    own = await make.media(work, ada)
    public = await make.media(work, bea, visibility="PUBLIC")
    for media_id in (own, public, await make.media(work, bea, visibility="UNLISTED")):
        await rows.tag(work, media_id, slug)
    query = "query($slug: String!) { tag(slug: $slug) { slug media { totalCount nodes { id } } } }"
    tag = (await api(query, ada, slug=slug))["tag"]
    assert tag["media"]["totalCount"] == 2
    assert {node["id"] for node in tag["media"]["nodes"]} == {f"media_{own}", f"media_{public}"}


async def test_tags_that_only_strangers_use_are_not_there(api: Api, work: Database) -> None:
    ada, bea, slug = await make.viewer(work), await make.viewer(work), uuid4().hex
    await rows.tag(work, await make.media(work, bea), slug)
    query = "query($slug: String!) { tag(slug: $slug) { slug } tags(prefix: $slug) { nodes { slug } } }"
    assert await api(query, ada, slug=slug) == {"tag": None, "tags": {"nodes": []}}


async def test_the_media_of_a_tag_need_a_login(api: Api, work: Database) -> None:
    ada, slug = await make.viewer(work), uuid4().hex
    media_id = await make.media(work, ada, visibility="PUBLIC")
    await rows.tag(work, media_id, slug)
    query = "query($id: ID!) { video(id: $id) { tags { tag { slug media { nodes { id } } } } } }"
    assert (await api.try_(query, id=f"media_{media_id}")).codes == ["UNAUTHENTICATED"]
