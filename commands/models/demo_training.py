"""`triptych demo --train`: a model is trained on spoken digits, scored on voices that it never heard, and merged.

Every line is a command that is typed here through the parser that a user's line goes through, after it was printed.
"""

from __future__ import annotations

import io
import json
import shlex
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ...errors import ProblemsFound, UsageError
from .. import output

if TYPE_CHECKING:
    from collections.abc import Sequence

DATASET = "demo-digits"
TRAIN, TEST = "digits-train", "digits-test"
SETTINGS = (
    "model.dtype=fp32", "model.audio_padding=batch", "data.workers=0", "training.batch_size=16",
    "training.gradient_accumulation_steps=1", "training.epochs=14", "training.lr=2e-3", "logging.logging_steps=10",
)  # fmt: skip
LONGEST_ANSWER = "12"


def train_demo(context: typer.Context, store: Path, *, samples: int, as_json: bool) -> None:
    """Run it in this process: the libraries of models are loaded once.

    Raises:
        UsageError: A run of the demo stands in the store.
        ProblemsFound: One of the commands failed.
    """
    import torch

    torch.set_num_threads(1)  # threads of a model so small cost more than they bring
    folder = store / "training"
    if folder.exists():
        raise UsageError(f"{folder}: a training of the demo stands there.", hint=f"--store OTHER, or remove {folder}")
    demo = _Demo(context.find_root().command, store, is_silent=as_json)
    base, run, merged = folder / "small-model", folder / "run", folder / "merged"

    demo.type("catalog", "pull", DATASET, "--samples", str(samples))
    demo.type("split", DATASET, "--by", "speaker", "--override-splits", "--balance", "rows")
    demo.type("validate", DATASET)
    for name, split in ((TRAIN, "train"), (TEST, "test")):
        demo.type("export", "msswift", "--task", "sft", "--dataset", DATASET, "--split", split, "--name", name)
    demo.say("a small Qwen2-Audio with random weights")
    _make_model(base, demo)
    settings = [part for each in SETTINGS for part in ("--set", each)]
    demo.type("train", "sft", TRAIN, "--model", str(base), "--output-dir", str(run), *settings)
    demo.type("train", "export", str(run), "--merge", "--for", "transformers", "--out", str(merged),
              "--checkpoint", "final")  # fmt: skip

    demo.say("answers about voices that were not trained on: of base and trained model, and with other digits' sound")
    answers = {name: folder / f"{name}.jsonl" for name in ("base", "trained", "other-clip")}
    others = folder / "questions-of-other-clips.jsonl"
    _swap_clips(demo.export_of(TEST), others)
    limits = ("--max-new-tokens", LONGEST_ANSWER)
    demo.type("infer", TEST, "--model", str(base), *limits, "--out", str(answers["base"]))
    demo.type("infer", TEST, "--model", str(merged), *limits, "--out", str(answers["trained"]))
    demo.type("infer", str(others), "--model", str(merged), *limits, "--out", str(answers["other-clip"]))

    scores: dict[str, float] = {}
    pages = {name: folder / f"scores-{name}" for name in answers}
    page = folder / "evaluation.html"
    for name in answers:
        more = ("--page", str(page), "--against", str(answers["base"])) if name == "trained" else ()
        demo.type("evaluate", TEST, "--pred", str(answers[name]), "--out", str(pages[name]), *more)
        scores[name] = _accuracy(pages[name])
    found = {
        "store": store, "scores": scores, "page": page, "curves": run / "curves.html", "model": merged,
        "commands": demo.typed,
    }  # fmt: skip
    output.emit(found, as_json=as_json, show=lambda: _show(found))


class _Demo:
    """Types commands, as a user would."""

    def __init__(self, command: Any, store: Path, *, is_silent: bool) -> None:
        self.command, self.store, self.is_silent = command, store, is_silent
        self.typed: list[str] = []

    def say(self, text: str) -> None:
        if not self.is_silent:
            output.say(f"\n# {text}")

    def type(self, *words: str) -> None:
        takes_store = words[:2] != ("train", "export")
        words = (*words, *(("--store", str(self.store)) if takes_store else ()))
        self.typed.append(shlex.join(["triptych", *words]))
        if not self.is_silent:
            output.say(f"\n$ {self.typed[-1]}")
        with ExitStack() as stack:
            if self.is_silent:
                stack.enter_context(redirect_stdout(io.StringIO()))
            code = self.command.main(args=list(words), prog_name="triptych", standalone_mode=False)
        if code:
            raise ProblemsFound(f"{self.typed[-1]}: it ended with exit code {code}.")

    def export_of(self, name: str) -> Path:
        from ... import api

        return api.open_export(name, store=self.store).version.data


def _make_model(folder: Path, demo: _Demo) -> None:
    from ...trainers.models.demo_model import make_demo_model

    code = f"from triptych.trainers.models.demo_model import make_demo_model; make_demo_model({str(folder)!r})"
    demo.typed.append(f"python -c {_quoted(code)}")
    if not demo.is_silent:
        output.say(f"$ {demo.typed[-1]}")
    make_demo_model(folder)


def _quoted(text: str) -> str:
    """A text as one word of a shell: in double quotes, where nothing in it means anything to the shell."""
    return shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'


def _swap_clips(export: Path, out: Path) -> None:
    """The questions of an export, each beside a clip of another answer: whoever hears must now be wrong."""
    rows = [json.loads(line) for line in export.read_text(encoding="utf-8").splitlines()]
    clips = _clips_of_other_answers([row["messages"][-1]["content"] for row in rows], [row["audios"] for row in rows])
    with out.open("w", encoding="utf-8") as file:
        for row, audios in zip(rows, clips, strict=True):
            file.write(json.dumps({**row, "audios": audios}, ensure_ascii=False) + "\n")


def _clips_of_other_answers(answers: Sequence[str], clips: Sequence[Any]) -> list[Any]:
    count = len(answers)
    found = []
    for number, answer in enumerate(answers):
        other = next((n % count for n in range(number + 1, number + count) if answers[n % count] != answer), None)
        if other is None:
            raise UsageError("All test clips have the same answer.", hint="more --samples")
        found.append(clips[other])
    return found


def _accuracy(folder: Path) -> float:
    document = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    [value] = [each["value"] for each in document["scores"] if each["metric"] == "answer" and not each["by"]]
    return float(value)


def _show(found: dict[str, Any]) -> None:
    scores = found["scores"]
    output.say("\nDigits named rightly, of voices that were not trained on (by chance: about 1 of 10):")
    output.table(
        ["model", "accuracy"],
        [
            ["random weights", f"{scores['base']:.1%}"],
            ["trained", f"{scores['trained']:.1%}"],
            ["trained, each question with another digit's sound", f"{scores['other-clip']:.1%}"],
        ],
    )
    output.say(
        f"\nevaluation page  {found['page']}\ncurves           {found['curves']}\nmodel            {found['model']}"
    )
    output.say("The model names digits and nothing else; docs/how-to/train.md goes on with real ones.")
