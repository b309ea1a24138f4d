"""What consumers make of a version: compared row by row, told, recorded beside the version; exit 1 on a difference."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.command_line import run as run_here
from support.places import ROOT
from support.stores import cli, places_of, select
from triptych.errors import TriptychError, UsageError
from triptych.validators.consumers import CONSUMERS
from triptych.validators.consumers.drivers.media import media_of
from triptych.validators.consumers.said import answer_of, ends_with, rejected_of
from triptych.validators.consumers.verify import Verification, verify_file

SECONDS = 0.1


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with four clips of 0.1 s."""
    folder = tmp_path_factory.mktemp("clips")
    rows = imported.speech_rows(folder, 4, language="en")
    return imported.bring_in(folder / "store", "clips", rows, folder)


def client(folder: Path, *answers: dict[str, Any]) -> Path:
    """A Python that has a consumer with these answers."""
    path = folder / "python"
    lines = "\n".join(json.dumps(each) for each in ({"consumer": "x", "version": "1.0"}, *answers))
    path.write_text(f"#!/bin/sh\ncat > {folder}/request\ncat <<'END'\n{lines}\nEND\n")
    path.chmod(0o755)
    return path


def kept(identity: str, **facts: Any) -> dict[str, Any]:
    heard = {"audio": 1, "video": 0, "image": 0}
    whole = {"heard": heard, "tags": heard, "literal": 0, "seconds": SECONDS, "media_tokens": 3, "learned": 5}
    return {"id": identity, "outcome": "kept", "stage": None, **whole, **facts}


def rows_of(version: Any) -> list[dict[str, Any]]:
    return list(imported.read_lines(version.data))


def test_a_version_is_loaded_with_datasets_and_nothing_of_its_rows_is_recorded(stored: Path) -> None:
    exported = triptych.export("unified", store=stored)
    [found] = triptych.exports.load_with_client("unified", store=stored)
    assert (found.consumer, found.rows, found.loaded, found.encoded) == ("datasets", 4, 4, 4)
    assert found.passed and found.media == {"audio": (4, 4)} and found.outcomes == {"kept": 4}
    beside = exported.version.path.with_name("v1.verified.json")
    assert json.loads(beside.read_text())["datasets"]["loaded"] == 4
    assert places_of(stored / "exports" / "unified", ["utt001"]) != []
    assert "utt001" not in beside.read_text()
    assert triptych.exports.verify("unified", store=stored) == {"unified@v1": []}
    [run] = select(stored, "select kept, status from runs where stage = 'verify'")
    assert run == {"kept": 4, "status": "ok"}


DIFFERENCES = {
    "as it is": ({}, None),
    "no sound": ({"heard": {"audio": 0}}, "audio_lost: has 0 of 1 audio"),
    "no place": ({"tags": {"audio": 2, "video": 0, "image": 0}}, "place: has 2 places for 1 audio"),
    "cut": ({"seconds": 0.05}, "seconds_lost: hears 0.05 of 0.10 s"),
    "text": ({"literal": 1}, "literal_tag: 1 tags of media stay text"),
    "one side": ({"rejected": {"heard": {}}}, "rejected_media: the rejected side has other media than the chosen one"),
    "masked": ({"learned": 0}, "nothing_learned: no token of it has a loss"),
    "another answer": ({"answer": "of another<|im_end|>"}, "other_answer: the answer that is learned is not the row's"),
    "replaced": (
        {"outcome": "replaced", "stage": "S2", "why": "ValueError: x"},
        "replaced: replaced at S2: ValueError: x",
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_what_a_consumer_loses_is_named(stored: Path, tmp_path: Path, name: str) -> None:
    facts, said = DIFFERENCES[name]
    version = triptych.export("msswift", task="sft", store=stored).version
    first, *others = [row["id"] for row in rows_of(version)]
    answers = [kept(first, **facts), *map(kept, others), {"rows": 4, "loaded": 4}]
    found = verify_file(
        version.data, CONSUMERS["ms-swift"], client(tmp_path, *answers), task="sft", model="qwen2-audio"
    )
    assert [f"{each.kind}: {each.why}" for each in found.differences] == ([] if said is None else [said])
    assert found.passed is (said is None)
    request = json.loads((tmp_path / "request").read_text())
    assert (request["task"], request["model"], request["file"]) == ("sft", "qwen2-audio", str(version.data))


def test_what_a_pair_teaches_is_compared(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "q"}]
    rows = [
        {"id": "pair", "conversations": turns, "chosen": said("good"), "rejected": said("bad")},
        {"id": "swapped", "conversations": turns, "chosen": said("good"), "rejected": said("bad")},
        {"id": "liked", "conversations": [*turns, said("good")], "kto_tag": True},
        {"id": "disliked", "conversations": [*turns, said("good")], "kto_tag": False},
        {"id": "rewarded", "messages": [{"role": "user", "content": "q"}], "solution": "5"},
    ]
    nothing: dict[str, int] = {}
    kept = {"outcome": "kept", "heard": nothing}
    answers = [
        {**kept, "id": "pair", "answer": "good<|im_end|>", "rejected": {"heard": nothing, "answer": "bad<|im_end|>"}},
        {**kept, "id": "swapped", "answer": "bad", "rejected": {"heard": nothing, "answer": "good"}},
        {**kept, "id": "liked", "answer": "good", "label": 1},
        {**kept, "id": "disliked", "answer": "good", "label": True},
        {**kept, "id": "rewarded", "solution": "6"},
    ]
    python = client(tmp_path, *answers, {"rows": 5, "loaded": 5})
    data = imported.table(tmp_path / "data.jsonl", rows)
    found = verify_file(data, CONSUMERS["llamafactory"], python, task="dpo", model="qwen2-audio")
    assert [(each.id, each.kind) for each in found.differences] == [
        ("swapped", "other_answer"), ("swapped", "other_answer"), ("disliked", "other_label"),
        ("rewarded", "other_solution"),
    ]  # fmt: skip


PART = {"type": "text", "text": "y"}


def said(text: str) -> dict[str, str]:
    return {"from": "gpt", "value": text}


@pytest.mark.parametrize(
    ("row", "answer", "rejected"),
    [
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "y"}]}, "y", None),
        ({"messages": [{"role": "user", "content": "q"}], "solution": "y"}, None, None),
        ({"messages": '[{"role": "assistant"}]'}, None, None),
        ({"conversations": [said("x"), said("y")], "kto_tag": True}, "y", None),
        ({"instruction": "q", "output": "y"}, "y", None),
        ({"messages": [{"role": "assistant", "content": "y"}], "rejected_response": "n"}, "y", "n"),
        ({"chosen": [{"role": "assistant", "content": [PART]}], "rejected": said("n")}, "y", "n"),
        ({"prompt": [], "completion": [{"role": "assistant", "content": "y"}], "label": False}, "y", None),
    ],
)  # fmt: skip
def test_what_a_row_teaches_is_found_in_every_form(
    row: dict[str, Any], answer: str | None, rejected: str | None
) -> None:
    assert (answer_of(row), rejected_of(row)) == (answer, rejected)


def test_an_answer_is_the_end_of_what_is_learned() -> None:
    assert ends_with("one<|im_end|>\ntwo<|im_end|>\n", "two") and not ends_with("two<|im_end|>one", "two")
    assert ends_with("<|audio_bos|><|AUDIO|><|audio_eos|>said<|endoftext|>", "<audio>said")


def test_a_row_that_is_not_loaded_is_a_difference_on_the_command_line(stored: Path, tmp_path: Path) -> None:
    version = triptych.export("msswift", task="sft", store=stored).version
    ids = [row["id"] for row in rows_of(version)]
    answers = [{"id": ids[0], "outcome": "deleted", "stage": "S1"}, *map(kept, ids[1:]), {"rows": 4, "loaded": 3}]
    python = client(tmp_path, *answers)
    done = cli("export", "msswift", "--task", "sft", "--verify", "--client-python", python, "--store", stored)
    assert done.returncode == 1 and "1 of 4 rows are not loaded" in done.stderr
    assert f"ms-swift: {ids[0]}: deleted at S1" in done.stdout
    assert json.loads((version.path.with_name("v1.verified.json")).read_text())["ms-swift qwen2-audio sft"][
        "differences"
    ] == {"deleted": 1}


def test_tokens_of_media_are_compared_with_the_budget(stored: Path, tmp_path: Path) -> None:
    version = triptych.export("msswift", task="sft", store=stored).version
    ids = [row["id"] for row in rows_of(version)]
    python = client(tmp_path, *map(kept, ids), {"rows": 4, "loaded": 4})
    budgets = dict.fromkeys(ids, 3) | {ids[2]: 4}
    found = verify_file(version.data, CONSUMERS["ms-swift"], python, task="sft", model="qwen2-audio", budgets=budgets)
    assert found.media_tokens == (12, 13)
    assert [(each.id, each.kind) for each in found.differences] == [(ids[2], "budget")]


def test_a_client_that_cannot_be_run_is_told_with_what_it_said(stored: Path, tmp_path: Path) -> None:
    version = triptych.export("msswift", task="sft", store=stored).version
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ModuleNotFoundError: no swift' >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(TriptychError, match="no swift"):
        verify_file(version.data, CONSUMERS["ms-swift"], python, task="sft", model="qwen2-audio")
    with pytest.raises(UsageError, match="not a Python"):
        CONSUMERS["ms-swift"].python(tmp_path / "none")


def test_a_client_that_is_not_installed_is_no_pass(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(stored / "no environments"))  # of this process, in which the commands run
    done = run_here("triptych", "export", "msswift", "--task", "sft", "--verify", "--store", stored)
    assert done.code == 0 and "warning: ms-swift is not installed here, so it was not asked" in done.stderr
    done = run_here("triptych", "exports", "verify", "msswift-sft", "--client", "--store", stored)
    assert done.code == 2 and "datasets" in done.stdout
    for way in ("--client-python PATH", "pip install -r clients/ms-swift.txt", "`make client-ms-swift`"):
        assert way in " ".join(done.stderr.split())
    for consumer in CONSUMERS.values():
        assert consumer.here or (ROOT / f"{consumer.environment or f'clients/{consumer.name}'}.txt").is_file()


def test_media_of_columns_and_of_content_parts() -> None:
    part = {"type": "audio", "audio": "/b.wav"}
    row = {"audios": ["/a.wav"], "video": "/v.mp4", "messages": [{"role": "user", "content": [part]}]}
    assert media_of(row) == {"audio": ["/a.wav", "/b.wav"], "video": ["/v.mp4"], "image": []}
    url = {"type": "video_url", "video_url": {"url": "file:///a%20b.mp4"}}
    said = [{"from": "user", "value": "<audio>/d/a b.wav</audio>q"}]
    assert media_of({"prompt": [{"content": [url]}], "conversations": said, "audio_feat": "/f.wav"}) == {
        "audio": ["/f.wav", "/d/a b.wav"], "video": ["/a b.mp4"], "image": []
    }  # fmt: skip


def test_options_of_clients_are_refused_without_one(stored: Path) -> None:
    assert cli("exports", "verify", "--rows", "3", "--store", stored).returncode == 2
    assert cli("export", "unified", "--client-python", "x", "--store", stored).returncode == 2


@pytest.mark.thorough
def test_ms_swift_takes_an_export_as_it_is(stored: Path) -> None:
    if CONSUMERS["ms-swift"].python() is None:
        pytest.skip("MS-SWIFT is not installed in its own environment: `make client-ms-swift`")
    for task in ("sft", "grpo"):
        exported = triptych.export("msswift", task=task, store=stored, verify=True)
        found: Verification = exported.verified[-1]
        assert found.consumer == "ms-swift" and found.passed, found.differences
        assert found.media == {"audio": (4, 4)}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("view", "client"),
    [("hf", "datasets"), ("lhotse", "lhotse"), ("lhotse/shar", "lhotse"), ("kaldi", "lhotse"),
     ("webdataset", "webdataset"), ("croissant", "mlcroissant")],
)  # fmt: skip
def test_readers_of_formats_have_every_row_and_its_sound(stored: Path, tmp_path: Path, view: str, client: str) -> None:
    consumer = CONSUMERS[client]
    python = consumer.python()
    if python is None:
        pytest.skip(f"{client} is not installed in an environment of its own: `{consumer.make}`")
    name, _, style = view.partition("/")
    version = triptych.export(name, style=style or None, store=stored).version
    found = verify_file(version.data, consumer, python, task=None, model=None)
    assert found.passed and (found.rows, found.media) == (4, {"audio": (4, 4)}), found.differences
    assert found.seconds in (None, (4 * SECONDS, 4 * SECONDS))

    changed = tmp_path / "changed"
    shutil.copytree(version.path, changed)
    lines = version.data.read_text(encoding="utf-8").replace("text number 2", "text number 9")
    (changed / version.data.name).write_text(lines, encoding="utf-8")
    again = verify_file(changed / version.data.name, consumer, python, task=None, model=None)
    assert len(again.differences) == 1, again.differences
    for tar in changed.rglob("*.tar"):  # what is left of a shard is read, and the row that is not there is told
        with tarfile.open(tar) as shard:
            within = shard.getmembers()[-1].offset_data + 1
        tar.chmod(0o644)
        tar.write_bytes(tar.read_bytes()[:within])
        broken = verify_file(changed / version.data.name, consumer, python, task=None, model=None)
        assert not broken.passed and broken.outcomes["crashed"], broken.outcomes
