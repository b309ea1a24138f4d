"""A tiny Qwen3-Omni pruned to half on real calibration exports: sound, silent videos, videos with sound."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import triptych
from triptych.shards.care.trainings import trainings_of
from triptych.shards.store.store import Store
from triptych.trainers.reap import criteria
from triptych.trainers.reap.scores.expert_sums import State

pytest.importorskip("torch")
pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store") / "store"
    for name in ("demo-speech", "demo-video", "demo-av"):
        triptych.pull(name, store=root, samples=30)
    triptych.export("calibration", split="train", store=root)
    return root


@pytest.fixture(scope="module")
def asked(omni: Path, store: Path) -> dict[str, Any]:
    sources = dict.fromkeys(("audio", "video", "mixed"), "calibration")
    return {"model": omni, "store": store, "calibration_samples": 12, "cost_samples": 6, **sources}


@pytest.fixture(scope="module")
def whole(asked: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    triptych.export("evaluation", split="train", dataset="demo-speech", samples=3, store=asked["store"])
    return triptych.prune(output=tmp_path_factory.mktemp("pruned") / "half", layout="vllm", eval=["evaluation-list"],
                          max_new_tokens=4, **asked)  # fmt: skip


def test_it_loads_answers_and_names_what_each_modality_needs(whole: Any, store: Path, tmp_path: Path) -> None:
    assert whole.rows == {"audio": 12, "video": 12, "mixed": 12}
    assert whole.difference == 0
    assert {need.modality for need in whole.coverage.needs} == {"audio", "video", "mixed"}
    assert trainings_of(Store.open(store), ["calibration@v1"]) == {str(whole.output): ["calibration@v1"]}
    assert {each.modality: each.rows for each in whole.cost.perplexities} == {"audio": 6, "video": 6, "mixed": 6}
    asked = triptych.infer("evaluation-list", store=store, model=whole.output, max_new_tokens=4, out=tmp_path / "said")
    assert asked.passed and asked.counts.rows == 3
    # The score that was measured with masks is that of the folder that was written.
    (measured,) = whole.cost.exports
    found = triptych.evaluate("evaluation-list", store=store, pred=tmp_path / "said", resamples=0)
    assert measured.values["reap"] == pytest.approx(found.scores[0].value)


def test_calibration_without_video_loses_the_experts_of_video(
    whole: Any, asked: dict[str, Any], tmp_path: Path
) -> None:
    told: list[str] = []
    alone = triptych.prune(
        **(asked | {"video": None, "mixed": None, "report": tmp_path / "report", "tell": told.append})
    )
    assert any("no calibration row has pictures" in each for each in told)
    needed = next(need.kept for need in whole.coverage.needs if need.modality == "video")
    gone = sum(map(len, criteria.lost(needed, alone.kept)))
    assert gone > sum(map(len, criteria.lost(needed, whole.kept)))


def test_a_process_that_is_killed_goes_on_to_the_same_scores(whole: Any, asked: dict[str, Any], tmp_path: Path) -> None:
    options = {name: str(value) for name, value in asked.items()} | {"report": str(tmp_path / "report")}
    program = (
        "import json, sys, torch, triptych\n"
        "from triptych.trainers.reap.scores import measure\n"
        "torch.set_num_threads(1)\n"
        "measure.PassSettings.__init__.__kwdefaults__['save_seconds'] = 0.0\n"
        "options = json.loads(sys.argv[1])\n"
        "options |= {name: int(options[name]) for name in ('calibration_samples', 'cost_samples')}\n"
        "triptych.prune(progress=lambda done, of: print(done, flush=True), batch_tokens=600, **options)\n"
    )
    command = [sys.executable, "-c", program, json.dumps(options)]
    for rows in (3, 17, 30):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= rows:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not State.load(tmp_path / "report" / "scores.npz").is_complete
    subprocess.run(command, check=True, capture_output=True)
    once = triptych.prune(**(asked | {"report": tmp_path / "once", "batch_tokens": 600}))
    killed, unharmed = (State.load(each / "scores.npz").sums for each in (tmp_path / "report", once.report))
    assert killed.sha256 == unharmed.sha256
