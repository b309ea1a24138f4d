"""Small test videos: one coloured shape that moves over a plain background, with an exact caption.

The same scene, size, frame rate and audio give the same bytes (one thread, bit-exact muxing, no dates), and the video
has exactly the requested number of frames. Drawn with numpy only; never reads a file.
"""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, cos, floor, pi, sin, tau
from typing import TYPE_CHECKING, Any

from ....errors import UsageError
from ....shards.in_memory import ctrl_c_waits

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

WIDTH, HEIGHT = 320, 240
FPS = 20
RADIUS = 0.17
"""Half the size of a shape, as a fraction of the frame height."""
REACH = 1.3
"""Largest distance of any part of a shape from its centre, in half sizes."""

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (214, 48, 49),
    "orange": (240, 147, 43),
    "yellow": (249, 202, 36),
    "green": (46, 174, 96),
    "cyan": (72, 219, 232),
    "pink": (253, 121, 168),
    "white": (245, 245, 245),
}
BACKGROUNDS: Mapping[str, tuple[int, int, int]] = {
    "dark blue": (18, 28, 74),
    "black": (12, 12, 14),
    "dark grey": (58, 60, 66),
    "brown": (74, 46, 28),
    "purple": (62, 24, 84),
}
SHAPES = ("circle", "square", "triangle", "star")
MOTIONS: Mapping[str, str] = {
    "right": "moves from left to right",
    "left": "moves from right to left",
    "down": "moves from top to bottom",
    "up": "moves from bottom to top",
    "bounce": "bounces up and down",
    "circle": "moves in a circle",
    "grow": "grows larger and larger",
    "shrink": "becomes smaller and smaller",
}
VIDEO_CODECS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("libx264", "yuv420p", {"preset": "veryfast", "crf": "23", "mbtree": "0", "threads": "1", "flags": "+bitexact"}),
    ("libopenh264", "yuv420p", {"threads": "1", "flags": "+bitexact"}),
    ("mpeg4", "yuv420p", {"qscale": "4", "threads": "1", "flags": "+bitexact"}),
)
"""Encoders in order of preference, each with its pixel format and options; the first one found is used.

x264's macroblock tree is off because it makes the first frame depend on uninitialised memory.
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """The content of a video: one of `SHAPES`, `COLOURS`, `MOTIONS` and `BACKGROUNDS` each."""

    shape: str
    colour: str
    motion: str
    background: str

    @property
    def subject(self) -> str:
        """`a red circle`, with the right article."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {self.shape}"

    @property
    def caption(self) -> str:
        """`A red circle moves from left to right on a dark blue background.`"""
        sentence = f"{self.subject} {MOTIONS[self.motion]} on a {self.background} background."
        return sentence[0].upper() + sentence[1:]


@dataclass(frozen=True, slots=True)
class Sound:
    """int16 mono samples for the audio track, at `sample_rate` Hz."""

    pcm: npt.NDArray[np.int16]
    sample_rate: int


def draw_scene(rng: random.Random) -> Scene:
    """Draw a random scene; the same state of `rng` gives the same scene."""
    return Scene(
        shape=rng.choice(SHAPES),
        colour=rng.choice(list(COLOURS)),
        motion=rng.choice(list(MOTIONS)),
        background=rng.choice(list(BACKGROUNDS)),
    )


def encode_scene(
    scene: Scene,
    *,
    frames: int,
    fps: int = FPS,
    width: int = WIDTH,
    height: int = HEIGHT,
    sound: Sound | None = None,
) -> bytes:
    """Encode the scene as MP4: H.264 (MPEG-4 Part 2 if PyAV has no H.264 encoder), and AAC for audio.

    Parameters:
        frames: Number of video frames; the motion spans all of them.
        sound: Audio track; it starts with the first frame and should not be longer than the video.
    """
    import av

    file = io.BytesIO()
    with ctrl_c_waits(), av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        video = _add_video(container, fps, width, height)
        audio = _add_audio(container, sound) if sound else None
        for packet in _video_packets(video, scene, frames, width, height):
            container.mux(packet)
        if sound:
            for packet in _audio_packets(audio, sound):
                container.mux(packet)
    return file.getvalue()


def draw_frame(scene: Scene, progress: float, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Draw one frame, (height, width, 3) RGB, at `progress` from 0 to 1 through the motion."""
    import numpy as np

    x, y, size = _place(scene.motion, progress, width, height)
    plain = bytearray(bytes(BACKGROUNDS[scene.background]) * (width * height))
    picture = np.frombuffer(plain, dtype=np.uint8).reshape(height, width, 3)
    top, bottom = max(floor(y - size * REACH), 0), min(ceil(y + size * REACH), height)
    left, right = max(floor(x - size * REACH), 0), min(ceil(x + size * REACH), width)
    rows, columns = np.ogrid[top:bottom, left:right]
    distance = _distance(scene.shape, (columns - x) / size, (rows - y) / size) * size
    cover = np.clip(0.5 - distance, 0.0, 1.0)[..., None]  # antialiased over one pixel
    ground = picture[top:bottom, left:right].astype(np.float64)
    ink = np.asarray(COLOURS[scene.colour], dtype=np.float64)
    picture[top:bottom, left:right] = np.rint(ground + (ink - ground) * cover)
    return picture


def _place(motion: str, progress: float, width: int, height: int) -> tuple[float, float, float]:
    """Return the centre (x, y) and half size of the shape, in pixels."""
    size = RADIUS * height
    margin = size * 1.2
    x, y = width / 2, height / 2
    across = margin + (width - 2 * margin) * progress
    along = margin + (height - 2 * margin) * progress
    if motion == "right":
        return across, y, size
    if motion == "left":
        return width - across, y, size
    if motion == "down":
        return x, along, size
    if motion == "up":
        return x, height - along, size
    if motion == "bounce":
        return x, height - margin - (height - 2 * margin) * abs(sin(2 * pi * progress)), size
    if motion == "circle":
        angle = tau * progress
        return x + (height / 2 - margin) * sin(angle), y - (height / 2 - margin) * cos(angle), size
    if motion == "grow":
        return x, y, size * (0.3 + 2.0 * progress)
    if motion == "shrink":
        return x, y, size * (2.3 - 2.0 * progress)
    raise UsageError(f"unknown motion {motion!r}: use one of {', '.join(MOTIONS)}.")


def _distance(shape: str, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the approximate distance of each point from a shape of half size 1 around 0; negative inside."""
    import numpy as np

    distance: npt.NDArray[np.float64]
    if shape == "circle":
        distance = np.hypot(x, y) - 1.0
    elif shape == "square":
        distance = np.maximum(np.abs(x), np.abs(y)) - 0.85
    elif shape == "triangle":
        distance = np.maximum(y, 0.866 * np.abs(x) - 0.5 * y) - 0.55
    elif shape == "star":
        distance = _star_distance(x, y)
    else:
        raise UsageError(f"unknown shape {shape!r}: use one of {', '.join(SHAPES)}.")
    return distance


def _star_distance(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Five points, one of them up: each tenth of the star is bounded by the line from a point to the next notch."""
    import numpy as np

    tenth = pi / 5
    angle = np.abs((np.arctan2(x, -y) + tenth) % (2 * tenth) - tenth)
    point, notch = 1.1, 0.45
    away, up = np.hypot(x, y) * np.sin(angle), np.hypot(x, y) * np.cos(angle)
    line_x, line_y = notch * sin(tenth), notch * cos(tenth) - point
    distance: npt.NDArray[np.float64] = ((up - point) * line_x - away * line_y) / np.hypot(line_x, line_y)
    return distance


def _add_video(container: Any, fps: int, width: int, height: int) -> Any:
    import av

    for codec, pixel_format, options in VIDEO_CODECS:
        if codec not in av.codecs_available:
            continue
        stream = container.add_stream(codec, rate=fps, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        return stream
    raise UsageError("this build of PyAV has no H.264 or MPEG-4 encoder.", hint="pip install --force-reinstall av")


def _add_audio(container: Any, sound: Sound) -> Any:
    return container.add_stream(
        "aac", rate=sound.sample_rate, layout="mono", options={"b": "64000", "threads": "1", "flags": "+bitexact"}
    )


def _video_packets(stream: Any, scene: Scene, frames: int, width: int, height: int) -> list[Any]:
    import av

    packets = []
    for number in range(frames):
        picture = draw_frame(scene, number / max(frames - 1, 1), width, height)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, stream.codec_context.framerate)
        packets.extend(stream.encode(frame))
    return packets + list(stream.encode(None))


def _audio_packets(stream: Any, sound: Sound) -> list[Any]:
    import av

    frame = av.AudioFrame.from_ndarray(sound.pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = sound.sample_rate, 0, Fraction(1, sound.sample_rate)
    return list(stream.encode(frame)) + list(stream.encode(None))
