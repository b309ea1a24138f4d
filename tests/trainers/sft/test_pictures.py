"""Pixels beside those of the real processors, which need Pillow and torchvision.

They are in no environment of ours (PyPI has torchvision only for a torch with CUDA; its transforms are written in
Python, and are imported past its compiled operators):

    pip install --no-deps --target FOLDER pillow torchvision
    PYTHONPATH=FOLDER python -m pytest -m thorough tests/trainers/sft/test_pictures.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from triptych.trainers.sft.pictures import PictureReader

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("one_thread")]

SETTINGS: dict[str, Any] = {
    "patch_size": 16, "merge_size": 2, "temporal_patch_size": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _torchvision() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("PIL")
    registered = torch.library.register_fake

    def register_fake(op: Any, *arguments: Any, **settings: Any) -> Any:
        if isinstance(op, str) and op.startswith("torchvision::"):
            return lambda function: function
        return registered(op, *arguments, **settings)

    torch.library.register_fake = register_fake
    try:
        pytest.importorskip("torchvision")
    finally:
        torch.library.register_fake = registered


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> PictureReader:
    vision = SimpleNamespace(patch_size=16, spatial_merge_size=2, temporal_patch_size=2)
    return PictureReader(tmp_path_factory.mktemp("model"), vision)


@pytest.mark.parametrize(
    ("name", "mode", "most", "mean"),
    [("x.png", "RGB", 2, 0.01), ("x.png", "RGBA", 2, 0.01), ("x.png", "L", 2, 0.01), ("x.png", "P", 2, 0.01),
     ("x.jpg", "RGB", 4, 0.2), ("x.jpg", "L", 2, 0.1), ("x.webp", "RGB", 4, 0.2)],
)  # fmt: skip
@pytest.mark.parametrize("size", [(333, 100), (64, 64), (31, 30), (900, 700)])
def test_an_image_has_the_pixels_of_pillow(
    reader: PictureReader, tmp_path: Path, name: str, mode: str, most: float, mean: float, size: tuple[int, int]
) -> None:
    import torch
    from PIL import Image
    from transformers import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    values = np.random.default_rng(0).integers(0, 256, (size[1] // 8 + 1, size[0] // 8 + 1, 4)).astype(np.uint8)
    made = Image.fromarray(values, "RGBA").resize(size, Image.Resampling.BILINEAR)
    made = made if mode == "RGBA" else made.convert("RGB").convert(mode)
    made.save(tmp_path / name)
    opened = Image.open(tmp_path / name)
    if opened.mode == "RGBA":
        white = Image.new("RGB", opened.size, (255, 255, 255))
        white.paste(opened, mask=opened.split()[3])
        opened = white
    found = reader.image(tmp_path / name)
    assert found.grid == reader.image_grid(tmp_path / name)
    shown = opened.convert("RGB").resize((found.grid[2] * 16, found.grid[1] * 16))
    for processor in (Qwen2VLImageProcessor(**SETTINGS), Qwen2VLImageProcessorPil(**SETTINGS)):
        expected = processor(images=[shown], do_resize=False, return_tensors="pt")
        assert tuple(expected["image_grid_thw"][0].tolist()) == found.grid
        apart = (torch.as_tensor(expected["pixel_values"]) - found.pixels).abs() * 127.5
        assert float(apart.max()) < most + 0.01
        assert float(apart.mean()) < mean


def test_a_video_has_the_pixels_of_torchvision(reader: PictureReader, video: Callable[..., Path]) -> None:
    import av
    import torch
    from torchvision.transforms.functional import InterpolationMode, resize
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    path = video(3.4, width=70, height=50)
    with av.open(str(path)) as container:
        frames = [torch.from_numpy(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    plan = reader.sampling(path)
    places = torch.linspace(0, len(frames) - 1, plan.count).round().long().tolist()
    seen = torch.stack([frames[place] for place in places]).permute(0, 3, 1, 2)
    sized = resize(seen, [plan.height, plan.width], interpolation=InterpolationMode.BICUBIC, antialias=True)
    made = Qwen2VLVideoProcessor(**SETTINGS)(videos=[sized], do_resize=False, return_tensors="pt")
    found = reader.video(path)
    assert tuple(made["video_grid_thw"][0].tolist()) == found.grid == reader.video_grid(path)
    assert float((made["pixel_values_videos"] - found.pixels).abs().max()) < 1e-6
