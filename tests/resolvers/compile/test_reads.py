"""Reading: as many statements as there are levels, however many rows there are."""

from db.connection import Database, Viewer
from tests.support import make, rows
from tests.support.graphql import Answer, Api

DEEP = """
query($first: Int) {
  videos(first: $first) {
    totalCount
    nodes {
      id title status thumbnailUrl playback { fileUrl } location { latitude }
      owner { id name }
      tags { source tag { slug } }
      metadata { format hasAudio probe }
      latestRun { id progress etaSeconds stages { name progress } }
      runs(first: 2) { totalCount nodes { number media { id } } }
      captions(first: 3) { totalCount edges { cursor node { text words { text } } } }
    }
  }
}
"""


def reads(answer: Answer) -> list[str]:
    """The statements of our own; the driver asks for types of its own now and then."""
    return [sql for sql in answer.statements if sql.lstrip().startswith(("select p.key", "select t.id"))]


async def fill(work: Database, count: int) -> Viewer:
    """A viewer with videos that have something of everything."""
    ada = await make.viewer(work)
    for _ in range(count):
        media_id = await make.media(work, ada)
        await rows.metadata(work, media_id, audio_codec="aac", probe={"raw": 1})
        await rows.tag(work, media_id, "storm", "sea")
        for _ in range(3):
            run_id = await rows.run(work, media_id)
            await rows.stage(work, run_id, "probe", status="DONE")
        await rows.captions(work, run_id, "one", "two", "three", "four")
    return ada


async def test_statements_do_not_grow_with_the_rows(api: Api, work: Database) -> None:
    few = await api.try_(DEEP, await fill(work, 1))
    many = await api.try_(DEEP, await fill(work, 12))
    assert not many.errors
    assert len(many.data["videos"]["nodes"]) == 12
    assert sorted(reads(few)) == sorted(reads(many))
    # Videos and their count; owners, tags, tags' names, metadata, has_audio; latest runs, their progress,
    # stages; runs, counts, their media; captions and counts.
    assert len(reads(many)) == 15


async def test_every_parent_gets_its_own_rows_in_order(api: Api, work: Database) -> None:
    ada = await fill(work, 3)
    videos = (await api(DEEP, ada))["videos"]["nodes"]
    for video in videos:
        assert [node["number"] for node in video["runs"]["nodes"]] == [3, 2]
        assert video["runs"]["totalCount"] == 3
        assert {node["media"]["id"] for node in video["runs"]["nodes"]} == {video["id"]}
        assert [edge["node"]["text"] for edge in video["captions"]["edges"]] == ["one", "two", "three"]
        assert video["captions"]["totalCount"] == 4
        assert [tag["tag"]["slug"] for tag in video["tags"]] == ["storm", "sea"]
        assert video["metadata"] == {"format": "mp4", "hasAudio": True, "probe": {"raw": 1}}


async def test_what_is_not_selected_is_not_read(api: Api, work: Database) -> None:
    answer = await api.try_("{ videos { nodes { id title } } }", await fill(work, 2))
    assert len(reads(answer)) == 1


async def test_the_same_question_twice_is_one_statement(api: Api, work: Database) -> None:
    ada = await fill(work, 1)
    answer = await api.try_("{ a: videos { nodes { id } } b: videos { nodes { title } } }", ada)
    assert len(reads(answer)) == 1
