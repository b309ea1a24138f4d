"""All benchmarks, one after the other; each rewrites its section of RESULTS.md.

    python -m benchmarks [--rounds N] [--only archive,decode] [--work DIR] [--no-peers]

The exit status is 1 if a requirement is missed or a benchmark could not be run; the others are still run.
"""

from __future__ import annotations

import subprocess
import sys

from .report import parser, workplace
from .timing import module, tell

NAMES = (
    "archive",
    "decode",
    "export",
    "query",
    "again",
    "scale",
    "memory",
    "members",
    "scores",
    "training_data",
    "retrieval",
    "resume",
    "training_memory",
    "training_step",
    "reap",
    "phonemes",
)


def main() -> int:
    made = parser("All benchmarks, one after the other.")
    made.add_argument("--only", help=f"some of them, separated by commas: {', '.join(NAMES)}")
    options = made.parse_args()
    chosen = options.only.split(",") if options.only else NAMES
    unknown = [name for name in chosen if name not in NAMES]
    if unknown:
        made.error(f"there is no benchmark {unknown[0]!r}; benchmarks: {', '.join(NAMES)}")
    status = 0
    with workplace(options.work) as work:
        for name in chosen:
            tell(f"== {name}")
            command = module(name, "--work", work, "--rounds", options.rounds)
            ended = subprocess.run([*command, *(["--no-peers"] if options.no_peers else [])], check=False)
            status |= ended.returncode != 0
    return status


if __name__ == "__main__":
    sys.exit(main())
