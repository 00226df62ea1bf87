"""The picture that stands for a media item, chosen from the key frames: never frame 0, never a black one."""

from functools import partial

from pydantic import TypeAdapter

from db import thumbnails
from tasks.media.frames import Frames, choose_thumbnail
from tasks.media.pictures import scale_jpeg
from tasks.pipeline import Media, Result, Skip, Work, minutes, stage

LONG_SIDE = 640


@stage(queue="media", after=("frames",), kinds=("VIDEO", "IMAGE"), timeout=minutes(2))
async def thumbnail(work: Work, media: Media) -> Result:
    """Keeps a small JPEG of the best key frame."""
    if "frames" not in work.left:
        raise Skip("No frame was decoded to choose from.")
    left = work.left["frames"]
    frames = TypeAdapter(Frames).validate_json(await work.store.get_bytes(left["index"]))
    chosen = choose_thumbnail(frames)
    if chosen is None:
        raise Skip("There is no frame to show: all are black.")
    frame = frames.key_frames[chosen]
    picture = scale_jpeg(await work.store.get_bytes(left["objects"][frame.file]), LONG_SIDE)
    key = work.key("thumbnail.jpg")
    await work.store.put_bytes(key, picture, "image/jpeg")
    return Result({"key": key, "at": frame.at}, writes=[partial(thumbnails.write, held=work.claim, key=key)])
