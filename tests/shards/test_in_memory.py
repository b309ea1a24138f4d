"""Ctrl-C while a C library calls back to read or write a file in memory: the file is finished, then the work ends."""

from __future__ import annotations

import io
import random
import signal
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from triptych.catalog.sources.synthetic import video
from triptych.shards import in_memory
from triptych.shards.in_memory import encoded, opened
from triptych.shards.media import probe

SAMPLES = (np.sin(np.arange(1600) / 9) * 9_000).astype(np.int16)
WAV = encoded(SAMPLES, 16_000, form="WAV")
MP4 = video.encode_scene(video.draw_scene(random.Random(1)), frames=4)


@pytest.fixture
def presses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ctrl-C is pressed at the first seek in a file in memory; each press."""
    presses: list[int] = []

    class Pressed(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            if not presses:
                presses.append(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            return super().seek(offset, whence)

    for module in (in_memory, probe, video):
        monkeypatch.setattr(module, "io", SimpleNamespace(BytesIO=Pressed))
    return presses


def test_a_sound_file_is_read_whole_before_ctrl_c_ends_the_work(presses: list[int]) -> None:
    read = []
    with pytest.raises(KeyboardInterrupt), opened(WAV) as sound:
        read.append(sound.read(dtype="int16"))
    assert presses
    assert np.array_equal(read[0], SAMPLES)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    "work",
    [
        lambda: encoded(SAMPLES, 16_000, form="WAV"),
        lambda: video.encode_scene(video.draw_scene(random.Random(1)), frames=4),
        lambda: probe.probe(WAV),
        lambda: probe.probe(MP4),
    ],
    ids=["write sound", "write video", "probe sound", "probe video"],
)
def test_ctrl_c_ends_the_work(
    presses: list[int], work: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        work()
    assert presses
    assert not capsys.readouterr().err
