"""Images and videos as Qwen3-Omni reads them: sizes, frames, patches.

Sizes and frames are those of qwen-omni-utils 0.0.9, with which the model's own examples and MS-SWIFT 4.6 read media,
and which an export's budgets are counted with: 2 frames a second, at least 4 and at most 768; sides that are multiples
of a merged patch. Resizing, scaling and patches are those of `Qwen2VLImageProcessor` and `Qwen2VLVideoProcessor` in
transformers 5.23, without torchvision and Pillow, which they need. Files are decoded by FFmpeg. Frames of videos give
the same numbers; images those of Pillow to within a step or two of 256, of JPEG and WebP to within three: their colours
are made as libjpeg makes them, since those of FFmpeg's own scaler are further off.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.budgets.measure import measure
from ...shards.media.fence import fenced
from ...shards.media.streams import MediaError, open_media, video_streams

if TYPE_CHECKING:
    import torch

FPS, LEAST_FRAMES, MOST_FRAMES = 2.0, 4, 768
IMAGE_TOKENS = (4, 16_384)
FRAME_TOKENS = (128, 768)
"""The least and the most tokens of an image, and of a pair of frames."""
_VIDEO_TOKENS = 128_000 * 0.9
"""What the pairs of frames of a long video share."""
_STEEPEST = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """An image, or the frames of a video, as the model takes it.

    Attributes:
        pixels: Shape (patches, values of a patch).
        grid: Patches in time, height and width.
        seconds: Of a video: how long one step of the grid in time is.
    """

    pixels: torch.Tensor
    grid: tuple[int, int, int]
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """The frames that are seen of a video, and the size in which.

    Attributes:
        count, of: How many, of how many.
        fps: How many a second are seen.
        height, width: In pixels.
    """

    count: int
    of: int
    fps: float
    height: int
    width: int


class PictureReader:
    """Reads images and videos for one model."""

    def __init__(self, folder: Path, vision: Any) -> None:
        self.patch = int(vision.patch_size)
        self.merge = int(vision.spatial_merge_size)
        self.pair = int(vision.temporal_patch_size)
        told = _told(folder)
        expected = {"patch_size": self.patch, "merge_size": self.merge, "temporal_patch_size": self.pair}
        for name, value in expected.items():
            if told.get(name, value) != value:
                raise UsageError(
                    f"{folder}: {name} is {told[name]} in the processor's files and {value} in the model's."
                )
        self._mean = tuple(told.get("image_mean", (0.5, 0.5, 0.5)))
        self._std = tuple(told.get("image_std", (0.5, 0.5, 0.5)))

    @property
    def side(self) -> int:
        """The side in pixels of the square that becomes a token."""
        return self.patch * self.merge

    def tokens(self, grid: tuple[int, int, int]) -> int:
        """The tokens of an image or a video."""
        return math.prod(grid) // self.merge**2

    def image_grid(self, path: Path) -> tuple[int, int, int]:
        """The grid of an image, from its header."""
        with fenced(path.name):
            found = measure(path, kind="image")
        height, width = self._image_size(found.height or 0, found.width or 0)
        return (1, height // self.patch, width // self.patch)

    def video_grid(self, path: Path) -> tuple[int, int, int]:
        """The grid of a video, from its header."""
        found = self.sampling(path)
        return (found.count // self.pair, found.height // self.patch, found.width // self.patch)

    def sampling(self, path: Path, frames: int | None = None) -> Sampling:
        """Which frames of a video are seen, and in which size.

        Args:
            frames: How many it has; None: what its header says.
        """
        with fenced(path.name):
            found = measure(path, kind="video")
        frames, fps = frames or found.frames or 0, found.fps or 0.0
        if frames < self.pair or fps <= 0:
            raise MediaError("too_short", f"{frames} frames; the model sees two at a time")
        most = min(MOST_FRAMES, frames) // self.pair * self.pair
        count = int(min(max(frames / fps * FPS, LEAST_FRAMES), most, frames)) // self.pair * self.pair
        least, longest = (tokens * self.side**2 for tokens in FRAME_TOKENS)
        shared = _VIDEO_TOKENS * self.side**2 / count * self.pair
        largest = max(min(longest, shared), int(least * 1.05))
        height, width = resized(found.height or 0, found.width or 0, self.side, least, largest)
        return Sampling(count, frames, count / frames * fps, height, width)

    def image(self, path: Path) -> Seen:
        """An image as the model takes it."""
        with fenced(path.name), open_media(path) as container:
            frame = next(container.decode(video=0))
            pixels = _on_white(frame)
        height, width = self._image_size(*pixels.shape[-2:])
        # Pillow makes rows and then columns of whole numbers; a video is resized at once.
        small = _at_size(_at_size(pixels, pixels.shape[-2], width), height, width)
        return self._patched(small.expand(self.pair, -1, -1, -1), None)

    def video(self, path: Path) -> Seen:
        """The frames of a video as the model takes them."""
        plan = self.sampling(path)
        found, decoded = self._frames(path, plan)
        if found is None:  # a header may count more frames than can be decoded
            plan = self.sampling(path, decoded)
            found, _ = self._frames(path, plan)
        if found is None:
            raise MediaError("undecodable", f"{decoded} of {plan.of} frames can be decoded")
        return self._patched(found, self.pair / plan.fps)

    def _frames(self, path: Path, plan: Sampling) -> tuple[torch.Tensor | None, int]:
        """The frames of a plan, unless the video ends before them; and how many were decoded."""
        import torch

        places = torch.linspace(0, plan.of - 1, plan.count).round().long().tolist()
        wanted = set(places)
        found: dict[int, torch.Tensor] = {}
        decoded = 0
        with fenced(path.name), open_media(path) as container:
            for frame in container.decode(video_streams(container)[0]):
                if decoded in wanted:
                    found[decoded] = _at_size(_upright(frame), plan.height, plan.width)
                decoded += 1
                if len(found) == len(wanted):
                    return torch.cat([found[place] for place in places]), decoded
        return None, decoded

    def _image_size(self, height: int, width: int) -> tuple[int, int]:
        least, most = (tokens * self.side**2 for tokens in IMAGE_TOKENS)
        return resized(height, width, self.side, least, most)

    def _patched(self, frames: torch.Tensor, seconds: float | None) -> Seen:
        """Frames in patches: those that are merged lie together, each with its pair of frames."""
        import torch

        count, channels, height, width = frames.shape
        mean = torch.tensor(self._mean).view(-1, 1, 1) * 255
        std = torch.tensor(self._std).view(-1, 1, 1) * 255
        grid = (count // self.pair, height // self.patch, width // self.patch)
        parted = ((frames.float() - mean) / std).reshape(
            grid[0], self.pair, channels,
            grid[1] // self.merge, self.merge, self.patch, grid[2] // self.merge, self.merge, self.patch,
        )  # fmt: skip
        pixels = parted.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(math.prod(grid), -1)
        return Seen(pixels, grid, seconds)


def resized(height: int, width: int, side: int, least: float, most: float) -> tuple[int, int]:
    """The size in which an image is seen: sides that are multiples of `side`, with as many pixels as allowed.

    Raises:
        MediaError: `too_long_side`: it is steeper than 200 : 1.
    """
    if min(height, width) < 1 or max(height, width) / min(height, width) > _STEEPEST:
        raise MediaError("too_long_side", f"{width} x {height} pixels; at most {_STEEPEST} : 1 is seen")
    high, wide = (max(side, round(each / side) * side) for each in (height, width))
    if high * wide > most:
        share = math.sqrt(height * width / most)
        return math.floor(height / share / side) * side, math.floor(width / share / side) * side
    if high * wide < least:
        share = math.sqrt(least / (height * width))
        return math.ceil(height * share / side) * side, math.ceil(width * share / side) * side
    return high, wide


def _told(folder: Path) -> dict[str, Any]:
    """What the files of the processor say of images."""
    found: dict[str, Any] = {}
    for name in ("processor_config.json", "preprocessor_config.json"):
        file = folder / name
        if file.is_file():
            held = json.loads(file.read_text(encoding="utf-8"))
            found |= held.get("image_processor", held)
    return found


def _on_white(frame: Any) -> torch.Tensor:
    """The colours of an image, on white where it is transparent; shape (1, 3, height, width)."""
    import torch

    if any(component.is_alpha for component in frame.format.components) or "pal8" in frame.format.name:
        pixels = torch.from_numpy(frame.to_ndarray(format="rgba")).permute(2, 0, 1)[None].float()
        alpha = pixels[:, 3:] / 255
        return (pixels[:, :3] * alpha + 255 * (1 - alpha)).round().to(torch.uint8)
    return _of_luma(frame) if _LUMA.fullmatch(frame.format.name) else _colours(frame)


_LUMA = re.compile(r"yuvj?4(20|22|40|44)p")
_FULL_RANGE = 2


def _of_luma(frame: Any) -> torch.Tensor:
    """The colours of brightness and two differences in 8 bits, by ITU-R BT.601; the differences are smoothed."""
    import numpy as np
    import torch
    from torch.nn.functional import interpolate

    height, width = frame.height, frame.width
    planes = []
    for plane in frame.planes:
        values = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        coarse = torch.from_numpy(values.astype(np.float32))[None, None]
        high, wide = -(-height // plane.height), -(-width // plane.width)
        size = (plane.height * high, plane.width * wide)
        planes.append(interpolate(coarse, size, mode="bilinear").round()[0, 0, :height, :width])
    light, blue, red = planes[0], planes[1] - 128, planes[2] - 128
    if "j" not in frame.format.name and frame.color_range != _FULL_RANGE:
        light, blue, red = (light - 16) * 255 / 219, blue * 255 / 224, red * 255 / 224
    colours = torch.stack([light + 1.402 * red, light - 0.344136 * blue - 0.714136 * red, light + 1.772 * blue])
    return colours[None].round().clamp(0, 255).to(torch.uint8)


def _upright(frame: Any) -> torch.Tensor:
    """The colours of a frame, turned as it is shown."""
    import torch

    return torch.rot90(_colours(frame), round(frame.rotation / 90), (2, 3))


def _colours(frame: Any) -> torch.Tensor:
    import torch

    return torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)[None]


def _at_size(pixels: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Colours at another size, as whole numbers again."""
    import torch
    from torch.nn.functional import interpolate

    if pixels.shape[-2:] == (height, width):
        return pixels
    made = interpolate(pixels.float(), (height, width), mode="bicubic", antialias=True, align_corners=False)
    return made.clamp(0, 255).round().to(torch.uint8)
