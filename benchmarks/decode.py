"""Decode and measure every clip: Triptych's checks, compared with a bare decoding loop and lhotse's validation.

python -m benchmarks.decode [--work DIR] [--rounds N] [--workers 2]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .mirrors import Mirrored, add_options, get_corpus, get_store
from .peers import peer_python, peer_versions
from .report import Section, at_least, parser, publish, workplace
from .timing import LIMIT, OURS, PART, PEER, TRIPTYCH, Contestant, compete, driver, run, tell

LIMIT_NAME = "bare soundfile loop"
OURS_NAME = "triptych checks, measuring only"
WHOLE_NAME = "triptych validate"
SETTING = (
    "The {utterances:,} clips of a store ({hours:.2f} hours of FLAC, 16 kHz mono), in the page cache, {workers} "
    "processes. Whole processes, from start to end. The loop reads every file as float32 and does nothing else. lhotse "
    "reads all audio in one process and compares its length with the manifest. Triptych's checks decode to the last "
    "frame and measure peak, RMS, offset, clipping, silence and text; `triptych validate` also stores the "
    "measurements, decides and accounts."
)


def main() -> int:
    made = parser("Decoding and measuring, compared with a bare loop and a peer.")
    add_options(made)
    made.add_argument("--workers", type=int, default=2, help="processes for the loop and for the checks")
    options = made.parse_args()
    with workplace(options.work) as work:
        corpus = get_corpus(work, utterances=options.utterances, hours=options.hours)
        store = get_store(work, corpus)
        contestants = _contestants(work, corpus, store, options.workers, peers=not options.no_peers)
        figures = compete(contestants, rounds=options.rounds)
        seconds = float(figures[LIMIT_NAME].output("audio_seconds"))
        _check(seconds, float(figures[OURS_NAME].output("audio_seconds")), figures[OURS_NAME].output("errors"))
        ratio = figures[LIMIT_NAME].median / figures[OURS_NAME].median
        section = Section(
            "decode",
            "decode and measure every clip",
            SETTING.format(utterances=options.utterances, hours=seconds / 3600, workers=options.workers),
            list(figures.values()),
            [at_least("checks, as a fraction of the bare loop's rate", ratio, 0.85)],
            baseline=LIMIT_NAME,
            work=(seconds, "s of audio"),
            peers={} if options.no_peers else peer_versions(),
        )
    return publish(section)


def _contestants(work: Path, corpus: Mirrored, store: Path, workers: int, *, peers: bool) -> list[Contestant]:
    listing = work / "clips.txt"
    clips = sorted((store / "media").glob("??/**/*.flac"))
    listing.write_text("".join(f"{path}\n" for path in clips), encoding="utf-8")
    _read_all(clips)
    everyone = [Contestant(LIMIT_NAME, LIMIT, driver("bare_loop", listing, workers))]
    if peers:
        manifest = lhotse_manifest(work, corpus)
        _read_all(sorted(corpus.tree.rglob("*.flac")))
        lhotse = driver("with_lhotse", "validate", manifest, python=peer_python())
        everyone.append(Contestant("lhotse validate, reading data", PEER, lhotse))
    everyone.append(Contestant(OURS_NAME, OURS, driver("our_measuring", store, workers)))
    copy = work / "decode-out"

    def fresh() -> None:
        """Make a store without measurements that shares its media with the first one."""
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(store, copy, ignore=shutil.ignore_patterns("media", "exports"))
        (copy / "media").symlink_to(store / "media")

    def clear() -> None:
        shutil.rmtree(copy)

    whole = [TRIPTYCH, "validate", "--workers", str(workers), "--store", str(copy), "--json"]
    everyone.append(Contestant(WHOLE_NAME, PART, whole, {}, fresh, clear))
    return everyone


def lhotse_manifest(work: Path, corpus: Mirrored) -> Path:
    """Make lhotse's recording manifest of the unpacked corpus, outside the measured time."""
    out = work / "lhotse"
    manifest = out / "manifests" / "librispeech_recordings_train-clean-100.jsonl.gz"
    if not manifest.is_file():
        tell("writing lhotse's manifests ...")
        run(driver("with_lhotse", "manifest", corpus.tree, out, 2, python=peer_python()))
    return manifest


def _read_all(paths: list[Path]) -> None:
    for path in paths:
        path.read_bytes()


def _check(limit: float, ours: float, errors: int) -> None:
    """Exit unless both decoded the same amount of audio."""
    if errors or abs(limit - ours) > 0.01:
        raise SystemExit(f"the checks decoded {ours:.2f} s with {errors} errors, the bare loop {limit:.2f} s.")


if __name__ == "__main__":
    sys.exit(main())
