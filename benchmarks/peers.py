"""The peers: lhotse in the environment that `make peers` creates, datasets in ours, which needs it for the hub.

`python -m benchmarks --no-peers` skips them.
"""

from __future__ import annotations

import importlib.metadata
import sys
from functools import lru_cache
from pathlib import Path

from .timing import run

WANTED = Path(__file__).parents[1] / "peers.txt"


def peer_python() -> str:
    """Return the interpreter that has lhotse.

    Raises:
        SystemExit: The environment does not exist, or has other versions than `peers.txt` requires.
    """
    folder = Path(sys.prefix) / "peers"
    done = folder / ".installed"
    if not done.is_file() or done.read_bytes() != WANTED.read_bytes():
        raise SystemExit("The peers are not installed. Type `make peers`, or leave them out with --no-peers.")
    return str(folder / "bin" / "python")


@lru_cache(maxsize=1)
def peer_versions() -> dict[str, str]:
    """Versions of the peers, for the report."""
    code = "import importlib.metadata as m, json; print(json.dumps({'lhotse': m.version('lhotse')}))"
    found = {**run([peer_python(), "-c", code]).output, "datasets": importlib.metadata.version("datasets")}
    return {f"{name} (peer)": number for name, number in found.items()}
