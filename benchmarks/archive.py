"""Archive to store: `triptych catalog pull` from a mirror folder, compared with `tar xzf` and two peers.

python -m benchmarks.archive [--work DIR] [--rounds N]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .mirrors import Mirrored, add_options, get_corpus, pull_command
from .peers import peer_python, peer_versions
from .report import Section, at_most, parser, publish, workplace
from .timing import LIMIT, OURS, PEER, Contestant, compete, driver

LIMIT_NAME = "tar xzf"
OURS_NAME = "triptych catalog pull"
SETTING = (
    "{utterances:,} FLAC utterances in LibriSpeech's layout, {hours:g} hours, a tar.gz of {megabytes:,.0f} MB in the "
    "page cache. Whole processes, from start to end; all write to the same disk without `sync`. `tar xzf` unpacks. "
    "lhotse unpacks and writes recording and supervision manifests. datasets reads the archive's members into Arrow "
    "files with the audio bytes inside, as its LibriSpeech loader did; it writes no file per clip. Triptych verifies "
    "the archive's SHA-256, decompresses, probes and hashes every clip, names it by its content, joins transcripts, "
    "and commits samples, the account and the run."
)


def main() -> int:
    made = parser("Archive to store, compared with tar and peers.")
    add_options(made)
    options = made.parse_args()
    with workplace(options.work) as work:
        corpus = get_corpus(work, utterances=options.utterances, hours=options.hours)
        contestants = _contestants(work, corpus, peers=not options.no_peers)
        figures = compete(contestants, rounds=options.rounds)
        ratio = figures[OURS_NAME].median / figures[LIMIT_NAME].median
        stored = figures[OURS_NAME].output("stored")
        section = Section(
            "archive",
            "archive to store",
            SETTING.format(
                utterances=options.utterances, hours=options.hours, megabytes=corpus.archive.stat().st_size / 1e6
            ),
            list(figures.values()),
            [at_most("pull, as a multiple of `tar xzf`", ratio, 1.3)],
            baseline=LIMIT_NAME,
            notes=[f"{stored:,} samples stored in every round."],
            peers={} if options.no_peers else peer_versions(),
        )
    if stored != options.utterances:
        raise SystemExit(f"{stored:,} samples were stored, not {options.utterances:,}.")
    return publish(section)


def _contestants(work: Path, corpus: Mirrored, *, peers: bool) -> list[Contestant]:
    """The limit, the peers and ours; each writes into a folder that is removed before and after."""
    out = work / "archive-out"

    def clear() -> None:
        shutil.rmtree(out, ignore_errors=True)

    def fresh() -> None:
        clear()
        out.mkdir()

    everyone = [Contestant(LIMIT_NAME, LIMIT, ["tar", "xzf", str(corpus.archive), "-C", str(out)], {}, fresh, clear)]
    if peers:
        lhotse = driver("with_lhotse", "prepare", corpus.archive, out, 2, python=peer_python())
        datasets = driver("with_datasets", corpus.archive, out)
        everyone.append(Contestant("lhotse: unpack and prepare", PEER, lhotse, {}, fresh, clear))
        everyone.append(Contestant("datasets: archive to Arrow", PEER, datasets, {}, fresh, clear))
    everyone.append(Contestant(OURS_NAME, OURS, pull_command(out, corpus.mirror), {}, fresh, clear))
    return everyone


if __name__ == "__main__":
    sys.exit(main())
