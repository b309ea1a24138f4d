"""Word error rate of many pairs: `triptych evaluate`, compared with Whisper's normalizer and jiwer.

python -m benchmarks.scores [--work DIR] [--rounds N] [--pairs 10000]
"""

from __future__ import annotations

import json
import random
import sys
from importlib.metadata import version
from pathlib import Path

from .report import Section, at_most, parser, publish, workplace
from .timing import OURS, PEER, TRIPTYCH, Contestant, compete, driver

OURS_NAME, BARE_NAME, PEER_NAME = "triptych evaluate", "triptych evaluate, no intervals", "whisper-normalizer and jiwer"
SECONDS = 3.0
SETTING = (
    "{pairs:,} pairs of an English transcript of 5 to 35 words and what a model could have said, one word in twelve of "
    "it wrong or missing. Whole processes. Ours matches rows by id, normalizes as Qwen2-Audio's script (with two "
    "normalizers), counts substitutions, deletions and insertions of each row, and draws 1,000 resamples of all rows "
    "and of each of four sources; the peer normalizes with Whisper's normalizer for English and gives one rate."
)
_LINE = (
    "the of and a to in he was that it his her with as had for she not at but be on they have him which said there "
    "from all this by one you were so my no out up what when an or if me their could would who into do some now little "
    "more then very time like upon great man two down over our your how only good made other after any before must "
    "colour don't first realised theatre"
)
WORDS = _LINE.split()


def main() -> int:
    made = parser("Word error rates, compared with a peer.")
    made.add_argument("--pairs", type=int, default=10_000, help="pairs of a transcript and a prediction")
    options = made.parse_args()
    with workplace(options.work) as work:
        gold, pred = _pairs(work, options.pairs)
        evaluate = [TRIPTYCH, "evaluate", "--pred", str(pred), "--gold", str(gold), "--json"]
        everyone = [
            Contestant(OURS_NAME, OURS, evaluate),
            Contestant(BARE_NAME, OURS, [*evaluate, "--resamples", "0"]),
        ]
        if not options.no_peers:
            everyone.append(Contestant(PEER_NAME, PEER, driver("with_jiwer", gold, pred)))
        figures = compete(everyone, rounds=options.rounds)
        rate = figures[OURS_NAME].output("scores")[0]["value"]
        if not options.no_peers and abs(rate - figures[PEER_NAME].output("wer")) > 0.005:
            raise SystemExit(f"the rates differ: {rate} and {figures[PEER_NAME].output('wer')}.")
        section = Section(
            "scores",
            "word error rates of many pairs",
            SETTING.format(pairs=options.pairs),
            list(figures.values()),
            [at_most("processor time of an evaluation", figures[OURS_NAME].cpu, SECONDS, " s")],
            work=(options.pairs, "pairs"),
            peers={} if options.no_peers else {"jiwer (peer)": version("jiwer")},
        )
    return publish(section)


def _pairs(work: Path, count: int) -> tuple[Path, Path]:
    draw = random.Random(1)
    gold, pred = work / "gold.jsonl", work / "pred.jsonl"
    with gold.open("w") as right, pred.open("w") as said:
        for number in range(count):
            words = draw.choices(WORDS, k=draw.randint(5, 35))
            heard = [draw.choice(WORDS) if draw.random() < 0.06 else word for word in words if draw.random() > 0.02]
            row = {"id": str(number), "text": " ".join(words).upper(), "language": "en", "source": f"s{number % 4}"}
            right.write(json.dumps(row) + "\n")
            said.write(json.dumps({"id": str(number), "prediction": " ".join(heard).capitalize() + "."}) + "\n")
    return gold, pred


if __name__ == "__main__":
    sys.exit(main())
