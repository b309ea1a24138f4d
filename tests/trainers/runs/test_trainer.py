"""The loop of a run: whole steps, exact resume, scores meanwhile, and what ends it."""

from __future__ import annotations

import errno
import json
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import loops

pytest.importorskip("torch")
pytest.importorskip("transformers")

from triptych.errors import DamagedError, UsageError
from triptych.trainers.data.bad_rows import LeftOut
from triptych.trainers.runs.config.sections import RunConfig
from triptych.trainers.runs.loop.arguments import check_reports
from triptych.trainers.runs.loop.number_guard import Diverged
from triptych.trainers.runs.loop.progress import read_state
from triptych.trainers.runs.loop.rates import schedule_of
from triptych.trainers.runs.loop.steps import Hooks
from triptych.trainers.runs.processes.parts import part_by_layer
from triptych.trainers.runs.processes.ranks import ranks_here
from triptych.trainers.runs.scores.evaluations import Evaluations, Measurement

pytestmark = pytest.mark.usefixtures("one_thread")


def weights_after(folder: Path, batches: list[loops.Batch]) -> Any:
    import torch

    made = loops.loop(folder, 1, make=lambda number: batches, model=loops.tiny_text_model(attention_dropout=0.0))
    made.run()
    return torch.cat([value.detach().flatten() for value in made.trainer.model.parameters()]), made.told.lines[0]


def test_a_step_is_the_same_however_its_rows_are_parted_into_batches(tmp_path: Path) -> None:
    import torch

    rows = loops.batch(1, [5, 20, 9, 14])
    assert rows.inputs is not None
    parts = [
        loops.Batch(rows.ids[start:end], {name: value[start:end] for name, value in rows.inputs.items()})
        for start, end in ((0, 1), (1, 4))
    ]
    whole, line = weights_after(tmp_path / "whole", [rows])
    parted, of_parts = weights_after(tmp_path / "parts", parts)
    assert torch.allclose(whole, parted, atol=1e-6, rtol=0)
    assert line["loss"] == pytest.approx(of_parts["loss"], abs=1e-6)
    assert line["grad_norm"] == pytest.approx(of_parts["grad_norm"], rel=1e-5)
    assert (line["rows"], line["tokens"], line["items"]) == (4, 48, 36)
    assert line["padding"] == pytest.approx(1 - 48 / 80)


def test_models_are_parted_in_one_way_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def plugin(policy: str = "transformer_auto_wrap_policy", **changes: Any) -> Any:
        found = {"fsdp_version": 2, "auto_wrap_policy": SimpleNamespace(__name__=policy),
                 "cpu_ram_efficient_loading": False}  # fmt: skip
        return SimpleNamespace(**found | changes)

    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UsageError, match="FSDP: accelerate parts no model on cpu, and would train the whole one"):
        part_by_layer(SimpleNamespace(distributed_type="DistributedType.MULTI_CPU", device="cpu"), None)
    for refused, told in (
        (plugin(fsdp_version=1), "fsdp_version: 1"),
        (plugin("size_based_auto_wrap_policy"), "by its layers only"),
        (plugin(cpu_ram_efficient_loading=True), "fsdp_cpu_ram_efficient_loading"),
    ):
        state = SimpleNamespace(fsdp_plugin=refused)
        with pytest.raises(UsageError, match=told):
            part_by_layer(SimpleNamespace(distributed_type="DistributedType.FSDP", device="cuda", state=state), None)
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(UsageError, match="DeepSpeed is not supported"):
        ranks_here()


class AtStep(Hooks):
    """Does something within a step."""

    def __init__(self, step: int, what: Callable[[], Any]) -> None:
        self.step, self.what = step, what

    def before_step(self, number: int) -> None:
        if number == self.step:
            self.what()


def test_a_run_that_a_signal_ended_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole = loops.loop(tmp_path / "whole")
    expected = whole.run()
    assert whole.told.checkpoints == ["step-000003", "step-000006"]

    first = loops.loop(tmp_path / "parts")
    first.trainer.hooks = AtStep(4, lambda: first.stop.ask(signal.SIGTERM))
    assert first.run() != expected
    assert first.trainer.stopped_by == signal.SIGTERM
    assert first.told.steps == [1, 2, 3, 4]
    second = loops.loop(tmp_path / "parts")
    assert second.run(resume=True) == expected
    assert second.told.steps == [5, 6]
    assert second.trainer.progress.document() == whole.trainer.progress.document()
    lines = {line["step"]: line for line in whole.told.lines}
    assert second.told.lines[-1]["lr"] == lines[6]["lr"]
    assert loops.loop(tmp_path / "parts").run(resume=True) == expected  # a run that is over stays as it is


def test_checkpoints_are_read_as_weights_only(tmp_path: Path) -> None:
    import torch

    made = loops.loop(tmp_path, 3)
    made.run()
    [folder] = [each.path for each in made.checkpoints.all()]
    files = {path.name for path in folder.iterdir()}
    assert files == {"w.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json",
                     "run_state.json"}  # fmt: skip
    for name in ("optimizer.pt", "scheduler.pt"):
        torch.load(folder / name, weights_only=True)
    assert json.loads((folder / "run_state.json").read_text())["progress"]["rows"] == 9


def test_a_checkpoint_with_a_missing_or_changed_file_is_not_gone_on_from(tmp_path: Path) -> None:
    """transformers begins optimizer, schedule and random numbers anew where their files are missing."""
    made = loops.loop(tmp_path, 2, save_steps=1)
    made.run()
    folder = made.checkpoints.at(1).path
    names = {"w.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"}
    assert set(read_state(made.checkpoints.at(1))["files"]) == names
    for name in sorted(names):
        whole = (folder / name).read_bytes()
        flipped = bytes([*whole[:-1], whole[-1] ^ 1])
        for broken, told in ((None, "missing"), (whole[:-1], "changed"), (flipped, "changed")):
            (folder / name).unlink()
            if broken is not None:
                (folder / name).write_bytes(broken)
            with pytest.raises(DamagedError, match=f"{name}: {told}"):
                made.trainer.restore(made.checkpoints.at(1))
            (folder / name).write_bytes(whole)
    made.trainer.restore(made.checkpoints.at(1))
    state = json.loads((folder / "run_state.json").read_text())
    for changed in ({**state, "step": 2}, {**state, "progress": {"bets": 1}}, {"progress": {}}, []):
        (folder / "run_state.json").write_text(json.dumps(changed))
        with pytest.raises(DamagedError, match=r"run_state\.json"):
            read_state(made.checkpoints.at(1))


def test_a_run_that_goes_on_saves_and_tells_as_often_as_it_is_now_asked(tmp_path: Path) -> None:
    first = loops.loop(tmp_path, 6, save_steps=1, keep=9)
    first.trainer.hooks = AtStep(1, lambda: first.stop.ask(signal.SIGTERM))
    first.run()
    second = loops.loop(tmp_path, 6, save_steps=4, keep=9)
    second.run(resume=True)
    assert second.told.checkpoints == ["step-000004", "step-000006"]


class Broken:
    """A loss that is no number in one step."""

    def __init__(self, step: int) -> None:
        from triptych.trainers.sft.cross_entropy import CrossEntropy

        self.step, self.count, self.within = step, 0, CrossEntropy()
        self.measures = self.within.measures

    def items(self, inputs: Any) -> int:
        return self.within.items(inputs)

    def losses(self, model: Any, inputs: Any) -> dict[str, Any]:
        found = self.within.losses(model, inputs)
        self.count += 1
        return {name: value * float("nan") for name, value in found.items()} if self.count == 2 * self.step else found


def test_a_loss_that_is_no_number_ends_the_run_and_spoils_no_checkpoint(tmp_path: Path) -> None:
    made = loops.loop(tmp_path, objective=Broken(4))
    with pytest.raises(
        Diverged, match=r"step 4: the loss of these rows is not finite: 1004.0, 1004.1 \(nan\)"
    ) as found:
        made.run()
    assert "step-000003 is as it was" in found.value.message
    assert "training.lr" in str(found.value.hint)
    assert made.told.checkpoints == ["step-000003"]
    assert loops.loop(tmp_path).run(resume=True) == loops.loop(tmp_path / "whole").run()


@pytest.mark.parametrize("is_large", [False, True])
def test_a_full_disk_leaves_the_checkpoint_before_intact(is_large: bool, tmp_path: Path) -> None:
    """The limit on the size of files stands for the disk: in the weights, or in the state of the optimizer."""
    made = loops.loop(tmp_path, save_steps=2, weights=Full(0 if is_large else 10_000))
    with pytest.raises(DamagedError, match="the checkpoint of step 4 cannot be written") as found:
        made.run()
    assert "step-000002 is as it was" in found.value.message
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-000002"]


class Full(loops.Weights):
    """Weights after whose second save no file may be longer than this."""

    def __init__(self, most: int) -> None:
        self.most, self.count = most, 0

    def save(self, model: Any, folder: Path) -> None:
        self.count += 1
        if self.count == 2 and not self.most:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().save(model, folder)
        if self.count == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.most, resource.RLIM_INFINITY))


@pytest.fixture(autouse=True)
def _files_of_any_length() -> Any:
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def scores(values: list[float]) -> Any:
    """A measure that draws random numbers and turns dropout off, and tells these scores."""
    left = iter(values)

    def measure(model: Any) -> list[Measurement]:
        import torch

        assert not model.training
        torch.rand(3)
        return [Measurement("wer", next(left), selects=True), Measurement("loss", 1.0)]

    return measure


def test_scores_meanwhile_choose_the_best_checkpoint_and_change_no_weight(tmp_path: Path) -> None:
    plain = loops.loop(tmp_path / "plain").run()
    evaluations = Evaluations(measures=[scores([0.9, 0.2, 0.5])], steps=2)
    made = loops.loop(tmp_path / "scored", evaluations=evaluations, keep=1)
    assert made.run() == plain
    assert (made.trainer.progress.best, made.trainer.progress.best_step) == (0.2, 4)
    assert [each.name for each in made.checkpoints.all()] == ["step-000004", "step-000006"]
    told = [(line["step"], line["scores"]["wer"]) for line in made.told.lines if "scores" in line]
    assert told == [(2, 0.9), (4, 0.2), (6, 0.5)]


class Asked:
    """A measure that asks a model three times, and does something within one of its passes."""

    def __init__(self, evaluation: int = 0, what: Callable[[], Any] = lambda: None) -> None:
        self.evaluation, self.what, self.count, self.passes = evaluation, what, 0, 0

    def __call__(self, model: Any) -> list[Measurement]:
        self.count += 1
        for _ in range(3):
            total = float(model(**loops.batch(7, [9]).inputs).loss)
            self.passes += 1
            if self.count == self.evaluation:
                self.what()
        return [Measurement("loss", total, selects=True)]


def scored(folder: Path, asked: Asked, **options: Any) -> Any:
    return loops.loop(folder, evaluations=Evaluations(measures=[asked], steps=2, patience=9), keep=9, **options)


@pytest.fixture(scope="module")
def whole_run(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run that nothing ended, and the hash of its weights."""
    made = scored(tmp_path_factory.mktemp("whole"), Asked())
    return made, made.run()


def told_scores(made: Any) -> list[Any]:
    return [(line["step"], line["scores"]["loss"]) for line in made.told.lines if "scores" in line]


@pytest.mark.parametrize(("evaluation", "step"), [(1, 2), (3, 6)])
def test_a_signal_ends_an_evaluation_and_the_run_that_goes_on_makes_it(
    evaluation: int, step: int, whole_run: Any, tmp_path: Path
) -> None:
    whole, expected = whole_run
    asked = Asked()
    first = scored(tmp_path / "parts", asked)
    asked.evaluation, asked.what = evaluation, lambda: first.stop.ask(signal.SIGTERM)
    first.run()
    assert (asked.count, asked.passes) == (evaluation, 3 * evaluation - 2)
    assert first.told.steps[-1] == step and first.trainer.stopped_by == signal.SIGTERM
    assert first.checkpoints.latest == first.checkpoints.at(step) and first.trainer.progress.awaits_scores
    second = scored(tmp_path / "parts", Asked())
    assert second.run(resume=True) == expected
    assert told_scores(first) + told_scores(second) == told_scores(whole)
    assert second.trainer.progress.document() == whole.trainer.progress.document()
    assert read_state(second.checkpoints.at(step))["progress"] == read_state(whole.checkpoints.at(step))["progress"]


def test_a_step_that_a_signal_ends_is_saved_without_its_evaluation(whole_run: Any, tmp_path: Path) -> None:
    whole, expected = whole_run
    asked = Asked()
    first = scored(tmp_path / "parts", asked)
    first.trainer.hooks = AtStep(4, lambda: first.stop.ask(signal.SIGTERM))
    first.run()
    assert asked.count == 1 and first.checkpoints.latest == first.checkpoints.at(4)
    again = scored(tmp_path / "parts", asked)  # a signal in the evaluation that is made up for
    asked.evaluation, asked.what = 2, lambda: again.stop.ask(signal.SIGTERM)
    again.run(resume=True)
    assert not again.told.steps and again.trainer.progress.awaits_scores
    last = scored(tmp_path / "parts", Asked())
    assert last.run(resume=True) == expected
    assert told_scores(first) + told_scores(again) + told_scores(last) == told_scores(whole)


def test_what_is_due_is_saved_before_an_evaluation(whole_run: Any, tmp_path: Path) -> None:
    """A process that is killed in an evaluation, or after it, has lost no step."""
    whole, expected = whole_run
    asked = Asked(2, lambda: 1 / 0)
    first = scored(tmp_path / "parts", asked, save_steps=2)
    with pytest.raises(ZeroDivisionError):
        first.run()
    assert first.checkpoints.latest == first.checkpoints.at(4)
    second = scored(tmp_path / "parts", Asked(), save_steps=2)
    assert second.run(resume=True) == expected
    assert second.told.steps == [5, 6]
    assert told_scores(first) + told_scores(second) == told_scores(whole)


def test_too_many_scores_without_a_better_one_end_the_run(tmp_path: Path) -> None:
    evaluations = Evaluations(measures=[scores([0.5, 0.4, 0.6, 0.6])], steps=1, base=True, patience=2)
    made = loops.loop(tmp_path, evaluations=evaluations)
    made.run()
    assert made.told.steps == [1, 2, 3]
    assert made.trainer.progress.is_stopped_early
    assert made.checkpoints.latest == made.checkpoints.at(3)
    again = loops.loop(tmp_path, evaluations=evaluations)
    again.run(resume=True)
    assert not again.told.steps


def test_rows_that_were_left_out_are_told_with_their_step(tmp_path: Path) -> None:
    bad = LeftOut("1.0", "no_sound", "the file is empty")

    def make(number: int) -> list[loops.Batch]:
        if number == 2:
            return [loops.Batch((), None, (bad,)), loops.batch(2, [8])]
        return [loops.Batch((), None)] if number == 3 else [loops.batch(number, [8])]

    made = loops.loop(tmp_path, 4, make=make)
    made.run()
    assert made.told.rows == [(2, bad)]
    assert made.trainer.progress.reasons == {"no_sound": 1}
    assert made.trainer.progress.rows == 3


def test_a_run_of_one_step_has_a_rate() -> None:
    config = RunConfig.model_validate({"model": {"base_model": "tiny"}, "data": {"train": "made"}})
    assert [schedule_of(config, steps)(0) for steps in (1, 2, 100)] == [1.0, 0.0, 0.0]


def test_places_of_metrics_that_are_not_there_are_named() -> None:
    check_reports(("all", "none"))
    with pytest.raises(UsageError, match=r"logging\.report_to: nowhere: nowhere is not supported"):
        check_reports(("nowhere",))


def test_a_run_computes_in_its_own_number_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`accelerate launch` hands its own on in the environment."""
    expected = loops.loop(tmp_path / "plain", 1).run()
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    made = loops.loop(tmp_path / "launched", 1)
    assert made.trainer.accelerator.mixed_precision == "no"
    assert made.run() == expected
