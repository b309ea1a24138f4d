"""Batches of sound for training: Triptych's loader, compared with lhotse's and datasets'.

python -m benchmarks.training_data [--work DIR] [--rounds N] [--utterances 1000] [--hours 2.5] [--workers 2]
"""

from __future__ import annotations

import sys
from pathlib import Path

from .decode import lhotse_manifest
from .mirrors import add_options, get_corpus, get_store
from .peers import peer_python, peer_versions
from .report import Requirement, Section, at_least, at_most, parser, publish, workplace
from .timing import OURS, PEER, TRIPTYCH, Contestant, Figures, compete, driver, run, tell

BATCH_S = 200.0
TASKS = {"audio": "samples", "features": "spectra"}
SETTING = (
    "One epoch of {utterances:,} clips ({hours:.2f} hours of FLAC, 16 kHz mono), in the page cache, {workers} worker "
    "processes of torch's DataLoader each, timed inside the process from the opening of rows or manifest to the last "
    "batch; processor time is that of whole processes, imports included. `samples`: decode, pad, batch. `spectra`: the "
    "log-mel of Qwen2-Audio, 128 x 3,000 a clip, by lhotse and datasets with the extractor of transformers. Batches of "
    "{batch:g} s: ours by padded length, lhotse's by DynamicBucketingSampler with 30 buckets; those of datasets of as "
    "many clips, shuffled. Lengths are measured beforehand, as lhotse's manifest is. The sum over all values tells "
    "that all did the same work."
)


def main() -> int:
    made = parser("Batches of sound, compared with two peers.")
    add_options(made)
    made.set_defaults(utterances=1000, hours=2.5)
    made.add_argument("--workers", type=int, default=2, help="worker processes of each")
    options = made.parse_args()
    with workplace(options.work) as work:
        corpus = get_corpus(work, utterances=options.utterances, hours=options.hours)
        store = get_store(work, corpus)
        run([TRIPTYCH, "export", "msswift", "--task", "sft", "--name", "batches", "--store", str(store)])
        ours = [store, "batches", work / "lengths.npz", BATCH_S]
        measured = run(driver("our_batches", "lengths", *ours, 1))
        seconds = float(measured.output["seconds"])
        clips = round(BATCH_S / (seconds / options.utterances))
        everyone = [
            Contestant(f"triptych, {name}", OURS, driver("our_batches", task, *ours, options.workers), clock="seconds")
            for task, name in TASKS.items()
        ]
        if not options.no_peers:
            cuts, listing = work / "cuts.jsonl.gz", work / "training-clips.txt"
            manifest = lhotse_manifest(work, corpus)
            run(driver("peer_batches", "cuts", manifest, cuts, python=peer_python()))
            listing.write_text("".join(f"{path}\n" for path in sorted(corpus.tree.rglob("*.flac"))), encoding="utf-8")
            for task, name in TASKS.items():
                for peer, source, size in (("lhotse", cuts, BATCH_S), ("datasets", listing, clips)):
                    command = driver("peer_batches", peer, task, source, size, options.workers, python=peer_python())
                    everyone.append(Contestant(f"{peer}, {name}", PEER, command, clock="seconds"))
        for path in [*Path(store, "media").rglob("*.flac"), *corpus.tree.rglob("*.flac")]:
            path.read_bytes()
        tell(f"{options.utterances:,} clips, {seconds / 3600:.2f} hours")
        figures = compete(everyone, rounds=options.rounds)
        _check_same_work(figures, options.utterances)
        section = Section(
            "training_data",
            "batches of sound for training",
            SETTING.format(utterances=options.utterances, hours=seconds / 3600, workers=options.workers, batch=BATCH_S),
            list(figures.values()),
            [*_requirements(figures)],
            work=(options.utterances, "clips"),
            notes=[
                f"Of our batches {figures['triptych, samples'].output('padding'):.1%} is padding.",
                f"Peak memory of the largest process, in MB: {_each(figures, 'peak_mb')}.",
                f"Processor time of all processes, in seconds: {_each(figures, 'cpu')}.",
            ],
            peers={} if options.no_peers else peer_versions(),
        )
    return publish(section)


def _each(figures: dict[str, Figures], name: str) -> str:
    return "; ".join(f"{each} {getattr(found, name):,.0f}" for each, found in figures.items())


def _requirements(figures: dict[str, Figures]) -> list[Requirement]:
    found = []
    for name in TASKS.values():
        ours = figures[f"triptych, {name}"]
        for peer in ("lhotse", "datasets"):
            theirs = figures.get(f"{peer}, {name}")
            if theirs is not None:
                found += [
                    at_least(f"rate of {name} over that of {peer}", theirs.median / ours.median, 1.0),
                    at_most(f"processor time of {name} over that of {peer}", ours.cpu / theirs.cpu, 1.0),
                ]
    return found


def _check_same_work(figures: dict[str, Figures], clips: int) -> None:
    for name in TASKS.values():
        sums = {each: found.output("sum") for each, found in figures.items() if each.endswith(name)}
        if any(found.output("samples") != clips for each, found in figures.items() if each in sums):
            raise SystemExit(f"not all had {clips} clips: {sums}")
        first = next(iter(sums.values()))
        if any(abs(each - first) > 1e-4 * max(abs(first), 1.0) for each in sums.values()):
            raise SystemExit(f"the sums of all values differ: {sums}")


if __name__ == "__main__":
    sys.exit(main())
