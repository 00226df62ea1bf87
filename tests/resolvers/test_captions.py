"""Captions of an item: of which run, in which language."""

from db.connection import Database
from tests.support import make, rows
from tests.support.graphql import Api

CAPTIONS = """query($id: ID!, $language: String) { video(id: $id) {
  captions(language: $language) { totalCount nodes { text startTime endTime words { text startTime } } } }
}"""


async def test_captions_are_those_of_the_newest_run_that_heard_something(api: Api, work: Database) -> None:
    ada = await make.viewer(work)
    media_id = await make.media(work, ada)
    await rows.captions(work, await rows.run(work, media_id), "old")
    await rows.captions(work, await rows.run(work, media_id), "new", "newer")
    await rows.run(work, media_id)
    captions = (await api(CAPTIONS, ada, id=f"media_{media_id}"))["video"]["captions"]
    assert captions["totalCount"] == 2
    assert [(c["text"], c["startTime"], c["endTime"]) for c in captions["nodes"]] == [
        ("new", 0.0, 1.0),
        ("newer", 1.0, 2.0),
    ]


async def test_captions_are_picked_by_language(api: Api, work: Database) -> None:
    ada = await make.viewer(work)
    media_id = await make.media(work, ada)
    run_id = await rows.run(work, media_id)
    await rows.captions(work, run_id, "hello", language="en")
    await rows.captions(work, run_id, "bonjour", language="fr")
    for language, texts in (("FR", ["bonjour"]), ("de", []), (None, ["hello", "bonjour"])):
        found = await api(CAPTIONS, ada, id=f"media_{media_id}", language=language)
        assert sorted(c["text"] for c in found["video"]["captions"]["nodes"]) == sorted(texts)


async def test_words_come_with_their_times_where_there_are_some(api: Api, work: Database) -> None:
    ada = await make.viewer(work)
    media_id = await make.media(work, ada)
    await rows.captions(work, await rows.run(work, media_id), "hello")
    (row,) = await rows.fetch(work, "select id from captions where media_id = $1", media_id)
    query = {"id": f"media_{media_id}"}
    assert (await api(CAPTIONS, ada, **query))["video"]["captions"]["nodes"][0]["words"] is None
    words = [{"text": "hello", "start": 0.25, "end": 0.5, "confidence": None}]
    await rows.change(work, "captions", row["id"], words=words)
    caption = (await api(CAPTIONS, ada, **query))["video"]["captions"]["nodes"][0]
    assert caption["words"] == [{"text": "hello", "startTime": 0.25}]
