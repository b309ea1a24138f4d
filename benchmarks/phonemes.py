"""Phones of spoken digits, by a speaker who was never heard: real weights in the encoder, and random ones beside.

python -m benchmarks.phonemes [--work DIR]

Runs that stand in DIR go on from their last checkpoint; one that is over is only asked.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.support import models, spoken_digits

from .report import Requirement, Section, parser, publish, workplace
from .timing import tell

RECORDINGS = Path("media/fsdd/recordings")
VALUES: dict[str, Any] = {
    "model.gradient_checkpointing": False, "training.lr": 1e-3, "training.lr_projector": 2e-3, "training.epochs": 12,
    "training.batch_size": 10, "training.gradient_accumulation_steps": 1, "training.warmup_steps": 4, "lora": "{r: 16}",
    "phoneme.ctc_weight": 0.3, "phoneme.keep_states": 1, "data.validation": "unheard", "data.workers": 0,
    "logging.logging_steps": 4, "logging.save_steps": 24,
}  # fmt: skip
SETTING = (
    "80 recordings of the Free Spoken Digit Dataset: ten words by four speakers, whose phones are CMUdict's. Three "
    "speakers are trained on (60 clips), `yweweler` is only tested. Whisper tiny.en's encoder, frozen, and "
    "SmolLM2-135M-Instruct with LoRA of rank 16, 72 steps of 10 clips with a CTC head, fp32. The control is the same "
    "run with random weights in the encoder. The phone error rate is that of the last checkpoint, greedy."
)
BAR, CHANCE = 0.15, 0.6


def main() -> int:
    made = parser("Phones of a speaker who was never heard.", rounds=1)
    options = made.parse_args()
    import torch

    from tests.support.places import DATA

    torch.set_num_threads(2)
    if not (DATA / RECORDINGS).is_dir():
        print(f"{DATA / RECORDINGS} is missing.", file=sys.stderr)
        return 2
    with workplace(options.work) as work:
        store = work / "phonemes" / "store"
        if not store.is_dir():
            spoken_digits.phone_exports(store.parent, DATA / RECORDINGS)
        found = {name: _scored(store, work / "phonemes" / name, is_random=name == "random") for name in
                 ("real", "random")}  # fmt: skip
    real, control = found["real"], found["random"]
    section = Section(
        "phonemes", "phones of a speaker who was never heard", SETTING, [],
        [Requirement(f"phone error rate on the speaker never heard: at most {BAR:g}", _told(real[0]),
                     real[0].per <= BAR),
         Requirement(f"the same with a random encoder: at least {CHANCE:g}", _told(control[0]),
                     control[0].per >= CHANCE)],
        notes=[f"at the last step {real[1]}; with a random encoder {control[1]}"],
    )  # fmt: skip
    return publish(section)


def _scored(store: Path, out: Path, *, is_random: bool) -> tuple[Any, str]:
    """The error rate on the clips of the other speaker; and what the run says of the clips that it was trained on."""
    import triptych

    values = {**VALUES, "phoneme.encoder": str(models.MODELS / models.WHISPER), "phoneme.random_encoder": is_random}
    if out.is_dir():
        tell(f"{out.name}: going on")
        triptych.train_phoneme(store=store, output_dir=out, resume=True)
    else:
        tell(f"{out.name}: training")
        triptych.train_phoneme(
            "digits", model=models.MODELS / models.SMOLLM, store=store, output_dir=out, values=values
        )  # fmt: skip
    tell(f"{out.name}: asking")
    found = triptych.phoneme_infer(out, export="unheard", store=store, checkpoint="final")
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    last = [line for line in lines if "measures" in line][-1]
    gap = json.loads((out / "run.json").read_text(encoding="utf-8"))["audio_gap"]["last"]["gap"]
    told = f"{last['measures']['accuracy']:.1%} of the tokens of training clips are right, loss {last['loss']:.3f}"
    return found, f"{told}, audio gap {gap:+.3f}"


def _told(found: Any) -> str:
    return (
        f"{found.per:.3f} ({found.substitutions} substituted, {found.deletions} deleted, {found.insertions} inserted, "
        f"of {found.reference_phones})"
    )


if __name__ == "__main__":
    sys.exit(main())
