"""The same archive with lhotse, run with the peers' own interpreter.

with_lhotse.py prepare ARCHIVE OUT JOBS     unpack a LibriSpeech archive, write recordings and supervisions
with_lhotse.py manifest CORPUS OUT JOBS     the manifests of an unpacked corpus
with_lhotse.py validate MANIFEST            read all audio of a recording manifest and compare it with the manifest
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path


def main() -> None:
    task, source, *rest = sys.argv[1:]
    if task == "validate":
        print(json.dumps({"audio_seconds": validate(source)}))
        return
    out, jobs = Path(rest[0]), int(rest[1])
    if task == "prepare":
        from lhotse.utils import safe_extract

        with tarfile.open(source) as archive:
            safe_extract(archive, path=out)
        source = str(out / "LibriSpeech")
    print(json.dumps({"utterances": prepare(source, out / "manifests", jobs)}))


def prepare(corpus: str, out: Path, jobs: int) -> int:
    from lhotse.recipes import prepare_librispeech

    made = prepare_librispeech(corpus, dataset_parts=["train-clean-100"], output_dir=out, num_jobs=jobs)
    return len(made["train-clean-100"]["recordings"])


def validate(manifest: str) -> float:
    from lhotse import load_manifest
    from lhotse.qa import validate

    recordings = load_manifest(manifest)
    validate(recordings, read_data=True)
    return sum(recording.duration for recording in recordings)


if __name__ == "__main__":
    main()
