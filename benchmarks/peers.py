"""The peers, in a virtual environment of their own: their dependencies must not touch ours.

Made once a work folder with pip; `python -m benchmarks --no-peers` does without.
"""

from __future__ import annotations

import subprocess
import venv
from functools import lru_cache
from pathlib import Path

from .timing import run, tell

TORCH = "torch==2.13.0"
"""lhotse needs one; pinned and installed first, so that the others do not choose."""

PINS = ("lhotse==1.33.0", "urllib3>=2", "datasets==5.2.0", "soundfile==0.14.0")


def peer_python(work: Path) -> str:
    """The interpreter that has the peers; installed at the first call."""
    folder = work / "peers"
    python = folder / "bin" / "python"
    done = folder / ".installed"
    wanted = "\n".join((TORCH, *PINS))
    if not done.is_file() or done.read_text(encoding="ascii") != wanted:
        tell("installing the peers ...")
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        for pins in ((TORCH,), PINS):
            subprocess.run([*pip, *pins], check=True)
        done.write_text(wanted, encoding="ascii")
    return str(python)


@lru_cache(maxsize=1)
def peer_versions(python: str) -> dict[str, str]:
    """Versions of the peers, for the report."""
    code = "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in ('lhotse', 'datasets')}))"
    return {f"{name} (peer)": number for name, number in run([python, "-c", code]).said.items()}
