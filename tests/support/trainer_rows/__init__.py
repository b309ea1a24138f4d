"""Valid and broken rows for MS-SWIFT, by task: every rule of its validator, each in the forms that rows have it in.

The media are files of a folder, made by `make_media`: a sound of a second (`a.wav`), one of half a second (`b.wav`), a
silent video (`v.mp4`), a picture (`p.png`), and a text under the name of a sound (`text.wav`).

    pieces.py          the pieces that rows are made of
    conversations.py   messages: sequences of turns, roles, contents, keys
    columns.py         spellings of columns, media, tags
    tasks.py           the rows of each task
    llamafactory.py    rows for LLaMA-Factory
    tar_shards.py      shards for WebDataset
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from support import imported
from support.trainer_rows.pieces import Row
from support.trainer_rows.tasks import MAKERS

TASKS = tuple(MAKERS)


def make_media(folder: Path) -> None:
    """Write the media that rows name."""
    folder.mkdir(parents=True, exist_ok=True)
    imported.sound(folder / "a.wav", imported.noise(1.0, seed=1))
    imported.sound(folder / "b.wav", imported.noise(0.5, seed=2))
    imported.video(folder / "v.mp4", seed=3)
    _picture(folder / "p.png")
    (folder / "text.wav").write_text("no sound")


def _picture(path: Path) -> None:
    import av

    with av.open(str(path), "w", format="image2") as container:
        stream: Any = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 56, 56, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((56, 56, 3), 99, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def rows_of(task: str, folder: Path) -> list[Row]:
    """The rows of a task; `id` says what is odd about each."""
    made = list(MAKERS[task]())
    assert len({name for name, _ in made}) == len(made), "names are ids"
    return [{"id": name, **placed(row, folder)} for name, row in made]


def placed(value: Any, folder: Path) -> Any:
    """The value with the folder of the media in place of `$`."""
    if isinstance(value, str):
        return value.replace("$/", f"{folder}/")
    if isinstance(value, list):
        return [placed(each, folder) for each in value]
    if isinstance(value, dict):
        return {key: placed(each, folder) for key, each in value.items()}
    return value
