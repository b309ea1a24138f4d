"""Runs of training on tiny models and a small store: in this process, or in forks that are killed.

Each fork is a process like any other, and can be killed; it computes with one thread.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

MODES: dict[str, dict[str, Any]] = {
    "lora": {"lora": {"r": 4, "dropout": 0.1}},
    "staged": {"stages": [{"train": "projector", "steps": 4}, {"train": "encoder_top:1", "steps": 4},
                          {"train": "all"}]},
    "full": {},
}  # fmt: skip
"""How a model is trained, as a configuration says it."""

STEPS = 12


def conversations(folder: Path, *, rows: int = 12, seconds: float = 1.2, name: str = "talk") -> Path:
    """A store with an export of conversations: tones of different lengths, and what is said of each."""
    import triptych

    made = []
    for number in range(rows):
        length = seconds * (number + 2) / (rows + 1)
        times = np.arange(int(length * 16_000)) / 16_000
        path = folder / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * (200 + 40 * number) * times), 16_000)
        made.append({"audio": str(path), "text": f"tone {number} " + "is low " * (number % 3), "language": "en",
                     "task": "asr", "id": f"{number:03d}"})  # fmt: skip
    table = folder / "rows.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    triptych.import_data("jsonl", table, name=name, store=folder / "store")
    triptych.export("conversation", store=folder / "store", name=name)
    return folder / "store"


def mixed(folder: Path, *, rows: int = 6) -> Path:
    """The same store with an export `mixed`: as many conversations of text alone beside them."""
    import triptych

    store = conversations(folder, rows=rows)
    turns = [
        [{"role": "user", "content": f"Say {number} twice."}, {"role": "assistant", "content": f"{number} {number}"}]
        for number in range(rows)
    ]
    table = folder / "said.jsonl"
    table.write_text("".join(json.dumps({"messages": each}) + "\n" for each in turns), encoding="utf-8")
    triptych.import_data("msswift", table, name="said", store=store)
    triptych.export("msswift", task="sft", store=store, name="mixed")
    return store


def phones(folder: Path, *, rows: int = 8) -> Path:
    """A store with exports `phones` and `phones-test`: tones, and one of four words for each tone."""
    import triptych

    said = ["sil sh iy", "hh ae d sil", "sil ah sil", "iy ah sh"]
    made = []
    for number in range(rows + 2):
        length = 0.3 + 0.05 * number
        times = np.arange(int(length * 16_000)) / 16_000
        path = folder / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * (200 + 200 * (number % 4)) * times), 16_000)
        own = said[number % 4].split()
        each = length / len(own)
        made.append({"audio": str(path), "text": "a word", "id": f"{number:03d}",
                     "split": "train" if number < rows else "test",
                     "phones": [{"text": phone, "start_s": place * each, "end_s": (place + 1) * each}
                                for place, phone in enumerate(own)]})  # fmt: skip
    table = folder / "phones.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    store = folder / "store"
    triptych.import_data("jsonl", table, name="tones", store=store)
    triptych.export("phoneme", split="train", name="phones", store=store)
    triptych.export("phoneme", split="test", name="phones-test", store=store)
    return store


def phoneme_config(language_model: Path, whisper: Path, out: Path, **sections: Any) -> Any:
    """The configuration of a short run of phones."""
    from triptych.trainers.phoneme.config import PhonemeConfig

    own = {"model": {"base_model": str(language_model), "gradient_checkpointing": False},
           "lora": {"r": 4, "dropout": 0.1}, **sections}  # fmt: skip
    own["phoneme"] = {"encoder": str(whisper), **own.get("phoneme", {})}
    return _config(PhonemeConfig, language_model, out, "phones", own)


def config_of(model: Path, out: Path, *, train: str = "talk", **sections: Any) -> Any:
    """The configuration of a short run; sections replace those that are here, key by key."""
    from triptych.trainers.runs.config.sections import RunConfig

    return _config(RunConfig, model, out, train, sections)


def _config(kind: Any, model: Path, out: Path, train: str, sections: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {
        "model": {"base_model": str(model)},
        "data": {"train": train, "workers": 0},
        "training": {"lr": 1e-2, "epochs": 4, "batch_size": 2, "gradient_accumulation_steps": 2, "warmup_steps": 2},
        "logging": {"logging_steps": 1, "save_steps": 2},
        "output_dir": out,
    }
    for section, keys in sections.items():
        values[section] = {**values[section], **keys} if isinstance(values.get(section), dict) else keys
    return kind.model_validate(values)


def train(config: Any, store: Path, *, resume: bool = False) -> Any:
    """Run SFT here, or another trainer where the configuration is one of it."""
    from triptych.shards.store.store import Store
    from triptych.trainers.retrieval.config import ContrastiveConfig
    from triptych.trainers.runs.run import train as run

    if isinstance(config, ContrastiveConfig):
        from triptych.trainers.retrieval.train import train as retrieval

        return retrieval(config, store=Store.open(store), resume=resume)
    return run(config, recipe_of(config), store=Store.open(store), resume=resume)


def recipe_of(config: Any) -> Any:
    """The recipe of a configuration."""
    from triptych.trainers.phoneme.config import PhonemeConfig
    from triptych.trainers.phoneme.train import phoneme
    from triptych.trainers.preference.config import DpoConfig
    from triptych.trainers.preference.train import dpo
    from triptych.trainers.sft.train import SFT

    if isinstance(config, PhonemeConfig):
        return phoneme(config)
    return dpo(config) if isinstance(config, DpoConfig) else SFT


def weights_of(config: Any, store: Path) -> str:
    """The SHA-256 of all weights of the model, with those of the run's last checkpoint in it."""
    from triptych.shards.store.store import Store
    from triptych.trainers.models.weights import load_weights, weights_sha256
    from triptych.trainers.runs.loop.checkpoints import Checkpoints
    from triptych.trainers.runs.prepare import prepare

    made = prepare(config, recipe_of(config), store=Store.open(store), folder=config.folder)
    last = Checkpoints(config.folder / "checkpoints").latest
    assert last is not None
    assert last.step == len(made.steps)
    load_weights(made.model, last.path, made.trained.names)
    return weights_sha256(made.model)


def audio_gap(folder: Path, store: Path, *, batch_size: int = 4) -> tuple[float, float]:
    """The loss of a run's last checkpoint on its rows, with their own clips and with those of the next row."""
    import torch
    from triptych.shards.store.store import Store
    from triptych.trainers.models.weights import load_weights
    from triptych.trainers.runs.config.read import read_config
    from triptych.trainers.runs.config.sections import RunConfig
    from triptych.trainers.runs.loop.checkpoints import Checkpoints
    from triptych.trainers.runs.prepare import prepare
    from triptych.trainers.sft.train import SFT

    config = read_config(RunConfig, folder / "config.yaml").config
    made = prepare(config, SFT, store=Store.open(store), folder=folder)
    last = Checkpoints(folder / "checkpoints").latest
    assert last is not None
    load_weights(made.model, last.path, made.trained.names)
    made.model.eval()
    rows = list(made.data.rows)
    swapped = [_with_clips_of(row, rows[(place + 1) % len(rows)]) for place, row in enumerate(rows)]
    found = []
    objective = SFT.objective(None)
    for each in (rows, swapped):
        total, items = 0.0, 0
        for start in range(0, len(each), batch_size):
            inputs = made.encoder.join([made.encoder.encode(row) for row in each[start : start + batch_size]])
            with torch.no_grad():
                total += sum(float(value) for value in objective.losses(made.model, inputs).values())
            items += objective.items(inputs)
        found.append(total / items)
    return found[0], found[1]


def _with_clips_of(row: Any, other: Any) -> Any:
    """A row that hears what another one hears."""
    from triptych.trainers.data.turns import Clip

    clips = iter([part for turn in other.turns for part in turn.parts if isinstance(part, Clip)])
    turns = [
        replace(turn, parts=tuple(next(clips) if isinstance(part, Clip) else part for part in turn.parts))
        for turn in row.turns
    ]
    return replace(row, turns=tuple(turns))


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["torch", "peft", "triptych.trainers.runs.loop.trainer", "triptych.trainers.sft.train"])


class ForkedRun:
    """A run in a process of its own: a fork of one that has loaded torch and has opened no table, whose threads a fork
    would lose."""

    def __init__(
        self, config: Any, store: Path, *, resume: bool = False, settings: Mapping[str, str] | None = None
    ) -> None:
        """Begin it, with these variables of the environment."""
        self.process = FORKS.Process(target=_run, args=(config, store, resume, dict(settings or {})))
        self.process.start()

    def ended(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self.process.exitcode

    def wait(self) -> int:
        self.process.join()
        code = self.process.exitcode
        assert code is not None
        return code

    def kill(self) -> int:
        self.process.kill()
        return self.wait()


def _run(config: Any, store: Path, resume: bool, settings: dict[str, str]) -> None:
    log = os.open(_log_of(config), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    import torch

    torch.set_num_threads(1)
    os.environ.update(settings)
    if "ACCELERATE_USE_FSDP" in settings:
        _part_on_cpu()
    train(config, store, resume=resume)


def _part_on_cpu() -> None:
    """Let accelerate part models on a processor as on GPUs: FSDP can, and accelerate asks it for GPUs only."""
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    begin = PartialState.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        if self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type = DistributedType.MULTI_GPU

    PartialState.__init__ = init


def _log_of(config: Any) -> Path:
    return Path(f"{config.folder}.log")


FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
        "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT", "FSDP_RESHARD_AFTER_FORWARD": "true",
        "FSDP_CPU_RAM_EFFICIENT_LOADING": "false", "FSDP_OFFLOAD_PARAMS": "false",
        "FSDP_ACTIVATION_CHECKPOINTING": "false"}  # fmt: skip
"""What `accelerate launch` tells its processes of `accelerate.yaml`."""


def train_together(
    config: Any, store: Path, *, ranks: int = 2, limit_s: float = 240.0, resume: bool = False, **settings: str
) -> None:
    """Run it in so many processes, as `torchrun` starts them.

    Raises:
        RuntimeError: One failed, or they did not end in time.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = {"WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1", **settings}  # fmt: skip
    runs = [
        ForkedRun(config, store, resume=resume, settings={**together, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(ranks)
    ]
    deadline = time.monotonic() + limit_s
    codes: list[int | None] = [None] * ranks
    while None in codes and time.monotonic() < deadline and not any(codes):
        codes = [run.ended() if code is None else code for run, code in zip(runs, codes, strict=True)]
        time.sleep(0.01)
    for run, code in zip(runs, codes, strict=True):
        if code is None:
            run.kill()
    if any(code != 0 for code in codes):
        raise RuntimeError(f"exit statuses {codes}:\n{_log_of(config).read_text()}")


def killed(config: Any, store: Path, *, kills: int, seed: int) -> dict[str, int]:
    """Run to the end through so many kills, half of them inside a save; how many of each there were.

    Raises:
        RuntimeError: The run failed by itself.
    """
    draw = random.Random(seed)
    counts = {"in a save": 0, "elsewhere": 0}
    folder = config.folder / "checkpoints"
    begun = False
    while sum(counts.values()) < kills:
        run = ForkedRun(config, store, resume=begun)
        in_save = counts["in a save"] * 2 < kills and draw.random() < 0.6
        how = _kill(run, folder, draw, in_save=in_save)
        begun = config.folder.is_dir()
        if how == "over":  # it was too late: the last steps again
            _forget_last(folder)
        elif how == "failed":
            raise RuntimeError(_log_of(config).read_text())
        else:
            counts[how] += 1
    if ForkedRun(config, store, resume=True).wait():
        raise RuntimeError(_log_of(config).read_text())
    return counts


def _kill(run: ForkedRun, folder: Path, draw: random.Random, *, in_save: bool) -> str:
    """Kill a run inside a save, or at a random time."""
    deadline = None if in_save else time.monotonic() + draw.uniform(0.2, 1.2)
    wait = draw.uniform(0, 0.004)
    while True:
        status = run.ended()
        if status is not None:
            return "over" if status == 0 else "failed"
        if in_save and any(folder.glob("*.partial")):
            time.sleep(wait)
            return "in a save" if run.kill() < 0 and any(folder.glob("*.partial")) else "elsewhere"
        if deadline is not None and time.monotonic() > deadline:
            run.kill()
            return "elsewhere"
        time.sleep(0.0005)


def _forget_last(folder: Path) -> None:
    for path in sorted(folder.glob("step-??????"))[-1:]:
        shutil.rmtree(path)
