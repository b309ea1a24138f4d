"""Files of arrays of 32-bit floats, written as a stream: memory holds one array, and equal arrays give equal bytes.

.npy           one array of shape (frames, dims): the frames of the clips one after the other. A row has the number
               of its first frame: `numpy.load(file, mmap_mode="r")[start : start + frames]`
.safetensors   a tensor of shape (frames, dims) for each clip, under the id of its first row
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from .options import NPY

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

DTYPE = "float32"
ITEM = 4


class Shard(Protocol):
    """One open file.

    Attributes:
        size: The bytes of its arrays.
    """

    size: int

    def add(self, name: str, array: Floats) -> int | None:
        """Append the array of a clip; returns the number of its first frame, where it has no name."""

    def close(self) -> None:
        """Write what can only be known at the end."""


def open_shard(path: Path, *, file_format: str) -> Shard:
    """A new file, whose suffix is the format's."""
    return _Npy(path) if file_format == NPY else _Safetensors(path)


class _Npy:
    """The header has a fixed length, since NumPy leaves room in it for any number of frames."""

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._file: IO[bytes] = path.open("wb")
        self._frames = self._dims = 0

    def add(self, name: str, array: Floats) -> int:
        if not self._frames:
            self._dims = array.shape[1]
            self._write_header()
        start = self._frames
        self._file.write(array.astype("<f4", copy=False).tobytes())
        self._frames += len(array)
        self.size += array.nbytes
        return start

    def _write_header(self) -> None:
        import numpy as np

        self._file.seek(0)
        shape = {"descr": "<f4", "fortran_order": False, "shape": (self._frames, self._dims)}
        np.lib.format.write_array_header_1_0(self._file, shape)

    def close(self) -> None:
        self._write_header()
        self._file.close()


class _Safetensors:
    """Its header stands first and lists all tensors: they wait beside it until they are known."""

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._path = path
        self._waiting: IO[bytes] = path.with_suffix(".unfinished").open("w+b")
        self._header: dict[str, Any] = {}

    def add(self, name: str, array: Floats) -> None:
        self._waiting.write(array.astype("<f4", copy=False).tobytes())
        offsets = [self.size, self.size + array.nbytes]
        self._header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets}
        self.size += array.nbytes

    def close(self) -> None:
        header = json.dumps(self._header, separators=(",", ":")).encode()
        header += b" " * (-len(header) % 8)
        self._waiting.seek(0)
        with self._path.open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            shutil.copyfileobj(self._waiting, file)
        self._waiting.close()
        Path(self._waiting.name).unlink()
