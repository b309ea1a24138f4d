"""Runs of training that are killed again and again: are their weights those of a run that was not?

python -m benchmarks.resume [--work DIR] [--kills 10]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.support import tiny_models, training_runs

from .report import Requirement, Section, parser, publish, workplace
from .timing import tell

SETTING = (
    "Tiny models of the real classes, 12 clips, 12 steps of two batches, a checkpoint every 2 steps. Each run is a "
    "process that is killed with SIGKILL, half of the times inside a save, and started again with `--resume`; at the "
    "end the SHA-256 of all weights is compared with that of a run that was not killed. Beside it "
    "`transformers.Trainer` alone, on the same batches: stopped after step 8, and resumed from its checkpoint of step "
    "5 with `resume_from_checkpoint`."
)
STOP, SAVED, STEPS = 8, 5, 12


def main() -> int:
    made = parser("Runs of training that are killed and go on.", rounds=1)
    made.add_argument("--kills", type=int, default=10, help="how often each run is killed")
    options = made.parse_args()
    with workplace(options.work) as work:
        store = training_runs.conversations(work / "resume-data")
        folders = {"Qwen2-Audio": tiny_models.qwen2_audio(work / "resume-qwen2-audio"),
                   "Qwen3-Omni": tiny_models.qwen3_omni_thinker(work / "resume-qwen3-omni")}  # fmt: skip
        found, notes = [], []
        for name, folder in folders.items():
            for mode, sections in training_runs.MODES.items():
                tell(f"{name}, {mode}")
                found.append(_killed(f"{name}, {mode}", folder, store, work, sections, options.kills))
                if mode != "staged":  # the Trainer knows no stages
                    is_same = _plain(folder, store, work / f"plain-{name}-{mode}", sections)
                    how = "the same weights" if is_same else "**other weights** than without the stop"
                    notes.append(f"transformers.Trainer alone, {name}, {mode}: {how}")
        found.append(_phones(work, options.kills))
        section = Section("resume", "runs of training that are killed and go on", SETTING, [], found, notes=notes)
    return publish(section)


def _phones(work: Path, kills: int) -> Requirement:
    """Phones with a tiny Whisper and a tiny Qwen3, with a CTC head and what the encoder makes kept in memory."""
    tell("phones, lora")
    store = training_runs.phones(work / "resume-phones")
    model = tiny_models.qwen3(work / "resume-qwen3", tied=True)
    whisper = tiny_models.whisper(work / "resume-whisper")
    own = {"phoneme": {"ctc_weight": 0.5, "keep_states": 0.1}, "training": {"max_steps": STEPS, "epochs": 6}}
    whole, parts = (
        training_runs.phoneme_config(model, whisper, work / f"resume-phones-{part}", **own)
        for part in ("whole", "parts")
    )
    return _compared("phones, LoRA, CTC", whole, parts, store, kills)


def _killed(name: str, model: Path, store: Path, work: Path, sections: dict[str, Any], kills: int) -> Requirement:
    slug = name.replace(", ", "-")
    whole, parts = (
        training_runs.config_of(model, work / f"resume-{slug}-{part}", **sections) for part in ("whole", "parts")
    )
    return _compared(name, whole, parts, store, kills)


def _compared(name: str, whole: Any, parts: Any, store: Path, kills: int) -> Requirement:
    """Run once to the end, and once through kills."""
    training_runs.train(whole, store)
    counts = training_runs.killed(parts, store, kills=kills, seed=1)
    one, two = training_runs.weights_of(whole, store), training_runs.weights_of(parts, store)
    how = f"{counts['in a save']} in a save and {counts['elsewhere']} elsewhere"
    return Requirement(
        f"{name}: the same weights after {kills} kills ({how})", f"{two[:12]} and {one[:12]}", one == two
    )


def _plain(model: Path, store: Path, out: Path, sections: dict[str, Any]) -> bool:
    """Whether `transformers.Trainer` alone goes on to the weights of a run that was not stopped."""
    from triptych.trainers.models.weights import weights_sha256

    whole = _trainer(model, store, out / "whole", sections)
    whole.train()
    stopped = _trainer(model, store, out / "parts", sections)  # not earlier: making one seeds dropout
    stopped.add_callback(_stop_at(STOP))
    stopped.train()
    again = _trainer(model, store, out / "parts", sections)
    again.train(resume_from_checkpoint=str(out / "parts" / f"checkpoint-{SAVED}"))
    return weights_sha256(again.model) == weights_sha256(whole.model)


def _trainer(model: Path, store: Path, out: Path, sections: dict[str, Any]) -> Any:
    import torch
    from transformers import Trainer, TrainingArguments
    from transformers.trainer_callback import PrinterCallback
    from triptych.shards.store.store import Store
    from triptych.trainers.runs.prepare import prepare
    from triptych.trainers.sft.train import SFT

    config = training_runs.config_of(model, out, **sections)
    made = prepare(config, SFT, store=Store.open(store), folder=out)
    batches = [batch.inputs for epoch in range(4) for batch in made.data.loader.epoch(epoch)]
    torch.manual_seed(0)
    arguments = TrainingArguments(
        output_dir=str(out), max_steps=STEPS, save_steps=SAVED, per_device_train_batch_size=1, learning_rate=1e-2,
        gradient_accumulation_steps=2, report_to="none", use_cpu=True, remove_unused_columns=False, disable_tqdm=True,
        seed=0, logging_steps=100,
    )  # fmt: skip
    trainer = Trainer(made.model, arguments, train_dataset=batches, data_collator=lambda each: each[0])
    trainer.remove_callback(PrinterCallback)
    return trainer


def _stop_at(step: int) -> Any:
    from transformers import TrainerCallback

    class Stop(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            control.should_training_stop = state.global_step >= step
            if control.should_training_stop:
                control.should_save = False

    return Stop()


if __name__ == "__main__":
    sys.exit(main())
