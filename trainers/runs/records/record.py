"""The record of a run: `run.json`, written at its start, after each checkpoint and at its end.

    run.json             what it was asked, on what, with what, and how far it came
    config.yaml          the configuration with every key
    metrics.jsonl        a line for every few steps, and for each evaluation
    rows_left_out.jsonl  rows that could not be trained on
    log.txt              what was told
    requirements.txt     the versions of packages
    curves.html          the metrics drawn
    README.md            the model card

`run.json` is replaced as a whole: whoever reads it finds one state or the next. It names no machine and no path outside
the configuration.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ....errors import StoreReadOnly, amount
from ....shards.care.trainings import register_training
from ....shards.pace import Pace
from ..options import CONFIG_FILE
from .card import write_card
from .curves import write_curves
from .facts import RunFacts, export_facts, model_facts, tokenizer_facts
from .requirements import REQUIREMENTS, device_of, own_source, packages, requirements_text
from .run_json import FORMAT, RECORD, read_record
from .run_line import Lines, RunLine, score_line, step_line
from .run_log import LEFT_OUT, LOG, METRICS, LogFile, StepLines

if TYPE_CHECKING:
    from ..config.sections import RunConfig

log = logging.getLogger("triptych")

RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
_PAGE_EVERY_S = 60.0


class RunRecord:
    """Writes what a run leaves behind; an observer of its loop, and a context in which it goes on.

        with RunRecord(folder, facts, from_step=0) as record:
            ...

    Leaving the context writes how it ended: finished, stopped by a signal, or failed and why.

    Args:
        lines: Called with what the log says of its start, of steps and of scores.
    """

    def __init__(self, folder: Path, facts: RunFacts, *, from_step: int = 0, lines: Lines | None = None) -> None:
        self.folder = folder
        self.facts = facts
        self.from_step = from_step
        self.metrics = StepLines(folder / METRICS)
        self.rows_left_out = StepLines(folder / LEFT_OUT)
        self.log = LogFile(folder / LOG)
        self.document: dict[str, Any] = {}
        self._lines = lines
        self._pace = Pace()
        self._page_at = 0.0

    # ---- from its start to its end

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.document = self._begun()
        for lines in (self.metrics, self.rows_left_out):
            lines.take_back(self.from_step if self.from_step else -1)
        if not self.from_step:
            for row in self.facts.left_out:
                self.rows_left_out.add({"step": 0, **row})
        (self.folder / CONFIG_FILE).write_text(_config_text(self.facts.config), encoding="utf-8")
        (self.folder / REQUIREMENTS).write_text(requirements_text(self.document["software"]), encoding="utf-8")
        self.log.begin()
        self._register()
        self.write()
        what = f"goes on after step {self.from_step:,}" if self.from_step else "begins"
        on = f"{self.document['exports']['train']['reference']}, {self.document['model']['name']}"
        self._tell(RunLine(f"train {self.facts.trainer} {what}", f"{on}, {amount(self.facts.steps, 'step')}"))
        for text in self.facts.warnings:
            self._tell(RunLine("warning", text))
        return self

    def _register(self) -> None:
        """Tell the store, so that whoever withdraws samples learns of this run; once for all its sessions."""
        store = self.facts.store
        if store is None or self.document.get("store_run"):
            return
        exports = self.facts.exports
        try:
            self.document["store_run"] = register_training(
                store, trainer=self.facts.trainer, folder=self.folder,
                exports=sorted({version.reference for version in exports.values()}),
                datasets={name for version in exports.values() for name in version.manifest["datasets"]},
                rows=self.facts.rows, left_out=Counter(str(row["reason"]) for row in self.facts.left_out),
            )  # fmt: skip
        except StoreReadOnly as error:
            log.warning("The store does not know of this run, and `store remove` cannot name it: %s", error.message)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._ended(error)
        finally:
            self.log.end()

    def _ended(self, error: BaseException | None) -> None:
        status, message = _end_of(error)
        now = _now()
        self.document |= {"status": status, "message": message, "ended_at": now}
        self.document["sessions"][-1] |= {"ended_at": now, "to_step": self.document["step"], "status": status}
        self.document["software"]["packages"] = packages()
        self.log.say(f"{status}{f': {message}' if message else ''}", level="info" if error is None else "error")
        self.write()
        (self.folder / REQUIREMENTS).write_text(requirements_text(self.document["software"]), encoding="utf-8")
        write_curves(self.folder)
        write_card(self.folder)

    # ---- what the loop tells

    def stepped(self, step: int, of: int) -> None:
        """A step is over."""
        self.document["step"] = step
        self._pace.stepped(step)

    def logged(self, line: dict[str, Any]) -> None:
        """A line of metrics, or scores of an evaluation."""
        if "scores" in line and line["step"] == self.from_step > 0:  # a run that was killed may have told them too
            self.metrics.take_back(
                self.from_step, without=lambda told: "scores" in told and told["step"] == line["step"]
            )
        self.metrics.add(line)
        if "scores" in line:
            self.document["scores" if line["step"] else "base_scores"] = _scored(line)
            self._tell(score_line(line))
            self.write()
            return
        self.document |= {"step": line["step"], "epoch": line.get("epoch"), "loss": line.get("loss")}
        for name in ("rows", "tokens"):
            self.document[f"{name}_read"] += line.get(name, 0)
        self._tell(step_line(line, self.facts.steps, self._pace.left_s(line["step"], self.facts.steps)))

    def _tell(self, line: RunLine) -> None:
        self.log.say(line.logged)
        if self._lines is not None:
            self._lines(line)

    def saved(self, checkpoint: Any, progress: Any) -> None:
        """A checkpoint stands."""
        best = progress.best_step
        self.document |= {
            "checkpoints": sorted(path.name for path in checkpoint.path.parent.glob("step-??????*") if _is_whole(path)),
            "last": checkpoint.name,
            "best": None if best is None else {"checkpoint": _name_of(best), "step": best, "score": progress.best},
            "stopped_early": progress.is_stopped_early,
        }  # fmt: skip
        self.write()
        if time.monotonic() - self._page_at > _PAGE_EVERY_S:
            write_curves(self.folder)
            self._page_at = time.monotonic()
        self.log.say(f"checkpoint {checkpoint.name}")

    def measured_gap(self, when: str, gap: Mapping[str, Any]) -> None:
        """The audio gap of the base model (`base`) or of the model as it is at the end (`last`)."""
        self.document["audio_gap"] = {**(self.document["audio_gap"] or {}), when: dict(gap)}
        self.log.say(f"audio gap, {when}: {gap['gap']:+.4f} on {gap['rows']} rows")
        if not gap["is_heard"]:
            log.warning("The loss does not depend on what is in the sound: the model does not hear.")
        self.write()

    def left_out(self, rows: Sequence[tuple[int, Any]]) -> None:
        """Rows that could not be trained on, each with its step."""
        for step, row in rows:
            found = {"step": step, **row.record()}
            self.rows_left_out.add(found)
            log.warning("step %s: row %s is left out: %s: %s", step, found["id"], found["reason"], found["detail"])
        self.document["left_out"] += len(rows)

    def write(self) -> None:
        """Replace `run.json`."""
        self.document["written_at"] = _now()
        scratch = self.folder / f".{RECORD}.{os.getpid()}"
        text = json.dumps(self.document, indent=2, ensure_ascii=False, default=str) + "\n"
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(self.folder / RECORD)

    # ---- what is known at its start

    def _begun(self) -> dict[str, Any]:
        facts, config = self.facts, self.facts.config
        is_known = self.from_step and (self.folder / RECORD).is_file()
        before = read_record(self.folder) if is_known else {}
        first = {
            "format": FORMAT, "trainer": facts.trainer, "status": RUNNING, "message": None, "started_at": _now(),
            "exports": {part: export_facts(version, facts.store) for part, version in facts.exports.items()},
            "model": {"revision": facts.revision, "family": facts.family, **model_facts(config, facts.model_folder)},
            "tokenizer": tokenizer_facts(facts.tokenizer),
            "trained": [dict(each) for each in facts.components],
            "learning_rates": {part: list(rates) for part, rates in facts.rates.items()},
            "seed": config.training.seed, "configuration": config.model_dump(mode="json"),
            "device": device_of(facts.device, facts.ranks),
            "software": {"triptych": own_source(), "python": platform.python_version(), "packages": packages()},
            "about_rows": dict(facts.about), "warnings": list(facts.warnings),
            "rows": facts.rows, "steps": facts.steps, "step": self.from_step, "epoch": None, "loss": None,
            "rows_read": 0, "tokens_read": 0, "left_out": len(facts.left_out), "base_scores": None, "scores": None,
            "audio_gap": None, "best": None, "last": None, "checkpoints": [], "stopped_early": False,
        }  # fmt: skip
        kept = ("started_at", "base_scores", "scores", "audio_gap", "best", "last", "checkpoints", "store_run")
        first |= {name: before[name] for name in kept if name in before}
        if self.from_step:
            first |= self._so_far()
        sessions: list[dict[str, Any]] = before.get("sessions", [])
        return first | {"sessions": [*sessions, {"started_at": _now(), "from_step": self.from_step}]}

    def _so_far(self) -> dict[str, Any]:
        """What the lines up to the step add up to, from which the run goes on."""
        from .run_log import read_lines

        found: dict[str, Any] = {"rows_read": 0, "tokens_read": 0, "scores": None, "base_scores": None}
        for line in read_lines(self.metrics.path):
            if line["step"] > self.from_step:
                continue
            if "scores" in line:
                found["scores" if line["step"] else "base_scores"] = _scored(line)
            else:
                found |= {"epoch": line.get("epoch"), "loss": line.get("loss")}
                found["rows_read"] += line.get("rows", 0)
                found["tokens_read"] += line.get("tokens", 0)
        found["left_out"] = sum(line["step"] <= self.from_step for line in read_lines(self.rows_left_out.path))
        return found


def _scored(line: Mapping[str, Any]) -> dict[str, Any]:
    """The scores of an evaluation, and what each was taken over."""
    return {"step": line["step"], "values": dict(line["scores"]), "counts": dict(line.get("counts", {}))}


def _config_text(config: RunConfig) -> str:
    from ..config.read import config_text

    return config_text(config)


def _end_of(error: BaseException | None) -> tuple[str, str | None]:
    from ..loop.stop_signals import Stopped

    if error is None:
        return FINISHED, None
    if isinstance(error, Stopped | KeyboardInterrupt):
        return STOPPED, str(error) or "SIGINT"
    return FAILED, f"{type(error).__name__}: {error}"


def _is_whole(path: Path) -> bool:
    return path.is_dir() and path.name.removeprefix("step-").isdecimal()


def _name_of(step: int) -> str:
    return f"step-{step:06d}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
