"""Every command that docs/how-to/coming-from-scripts.md offers in the place of an old one is typed here, and works.

The rows of its tables have three cells: what was typed before, what is typed now, and what is different. What is typed
now runs in the document's order, in one folder that holds the files the old scripts had, with a mirror in the place of
the network. Pulls of datasets that the mirror does not hold must at least be understood.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
import shlex
import shutil
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import triptych
import triptych.converters.views.handmade
from support import command_line, imported, tiny_models
from support.places import ROOT, SHARED
from support.stores import cli
from triptych.catalog.pull.batch import preset_items
from triptych.catalog.registry import all_cards

DOCUMENT = ROOT / "docs/how-to/coming-from-scripts.md"
SOURCES = SHARED / "reference/source_documents"
CELL = re.compile(r"(?<!\\)\|")
CODE = re.compile(r"`([^`]+)`")
NOT_RUN = ("pip install .",)
NEEDS_EXPERTS = "triptych prune"
"""What needs a Qwen3-Omni; tests/trainers/reap runs it on a tiny one. Here it must at least be understood."""

OLD_SCRIPTS = (
    "download_datasets.py --list", "download_datasets.py --dataset", "download_datasets.py --modality audio",
    "download_datasets.py --modality video", "download_datasets.py --modality mixed", "extended_datasets",
    "quickstart.py", "convert_utils.py csv", "convert_utils.py json", "convert_utils.py folder",
    "convert_utils.py merge", "convert_utils.py split", "convert_utils.py validate ", "convert_utils.py msswift",
    "convert_utils.py qa-msswift", "convert_utils.py validate-msswift", "convert_unified_to_msswift",
    "convert_qa_to_msswift", "create_msswift_sample", "validate_msswift_format", "qwen3_omni_sft_lora.sh",
    "reap_expert_pruning.py", "test_qwen2_audio.py", "Qwen2_Audio_term_level_pipeline.sh",
    "SONAR_term_level_pipeline_glossary.sh", "build_phoneme_vocab_and_extend.py", "quick_sanity_check.py",
    "train_conversation_lora.sh", "run_infer_conversation.py", "accuracy_eval.py", "scripts/train.py --help",
    "scripts/train.py --config", "accelerate launch", "infer.py", "eval.py", "evaluate_asr.py",
)  # fmt: skip
"""What the old documents tell their readers to run."""


def table_rows() -> list[list[str]]:
    """The cells of every table row of the document, without heads."""
    rows = []
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| ---") and not line.startswith("| before"):
            cells = [cell.strip().replace(r"\|", "|") for cell in CELL.split(line)[1:-1]]
            assert len(cells) == 3, line
            rows.append(cells)
    return rows


def commands() -> list[str]:
    """What is typed now, in order."""
    return [code for row in table_rows() for code in CODE.findall(row[1]) if code not in NOT_RUN]


def flac(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return imported.sound(path, imported.noise(1.0, seed=seed))


def mirror(root: Path) -> Path:
    """LibriSpeech's first archive with six utterances, where a mirror of its host has it."""
    archive = root / "www.openslr.org/resources/12/train-clean-100.tar.gz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        lines = ""
        for n in range(6):
            name = f"19-198-{n:04d}"
            tar.add(flac(root.parent / f"{name}.flac", n), f"LibriSpeech/train-clean-100/19/198/{name}.flac")
            lines += f"{name} THE TEXT OF NUMBER {n}\n"
        info = tarfile.TarInfo("LibriSpeech/train-clean-100/19/198/19-198.trans.txt")
        info.size = len(lines)
        tar.addfile(info, io.BytesIO(lines.encode()))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    key = archive.relative_to(root).as_posix()
    (root / "mirror.yaml").write_text(f"about: a few utterances\nsubset: true\nsha256:\n  {key}: {digest}\n")
    return root


def old_files(folder: Path) -> None:
    """The files that the old commands name."""
    audio = [str(flac(folder / f"wav/{n}.flac", n)) for n in range(6)]
    video = str(imported.video(folder / "clip.mp4", seed=1))

    def unified(name: str, start: int, *, count: int = 2) -> None:
        rows = [{"id": f"r{n}", "text": f"text {n}", "audio": audio[n], "modality": "audio"}
                for n in range(start, start + count)]  # fmt: skip
        (folder / name).parent.mkdir(exist_ok=True)
        imported.table(folder / name, rows)

    for name, start in (("calibration/audio.jsonl", 0), ("audio1.jsonl", 0), ("audio2.jsonl", 2), ("input.jsonl", 0),
                        ("unified_data.jsonl", 4)):  # fmt: skip
        unified(name, start)
    both = [{"id": "v", "video": video, "modality": "video", "text": "x"}, {"id": "a", "audio": audio[0], "text": "y"}]
    imported.table(folder / "all_data.jsonl", both)
    (folder / "input.csv").write_text(f"path,caption\n{audio[0]},a dog\n{audio[1]},a cat\n")
    (folder / "both.csv").write_text(f"id,sound,clip,text\n1,{audio[0]},{video},both\n")
    (folder / "input.json").write_text(json.dumps([{"text": "a clip", "video_path": video}]))
    flac(folder / "my_data/one.flac", 7)
    (folder / "my_data/one.txt").write_text("one")
    imported.table(folder / "qa_data.jsonl", [{"question": "Which?", "answer": "A dog", "audio": audio[0]}])
    (folder / "my-cards").mkdir()
    shutil.copytree(ROOT / "examples", folder / "examples")
    chunk = {"term_chunk_text": "the united nations", "term_chunk_audio_ground_truth_terms": ["united nations"]}
    shards = folder / "data/samples/xl"
    shards.mkdir(parents=True)
    chunks = [{"segment_id": f"S{n}", "term_chunk_audio": audio[n], **chunk} for n in range(4)]
    (shards / "term_level_chunks_0_500000.json").write_text(json.dumps(chunks[:2]))
    (shards / "term_level_chunks_500000_1000000.json").write_text(json.dumps(chunks[2:]))
    (folder / "data/xl_term_level_chunks_merged.json").write_text(json.dumps(chunks))
    spoken = [{"from": "user", "value": f"<audio>{audio[2]}</audio>请你做语音评测"},
              {"from": "assistant", "value": "sil sh iy hh ae"}]  # fmt: skip
    raw = folder / "qwen3_audio_phoneme/data/raw_conversations.json"
    raw.parent.mkdir(parents=True)
    raw.write_text(json.dumps([{"conversations": spoken}]))
    imported.table(folder / "cot.jsonl", [{"id": "1", "audio": audio[0], "question": "Mood?", "cot": "First ...",
                                           "answer": "angry"}])  # fmt: skip
    cota = {"instruction": "Which?", "input": "<audio>", "output": "<think>\nhm\n</think>\nC", "audio_path": audio[1]}
    (folder / "cota.json").write_text(json.dumps([cota]))
    talk = [{"from": "human", "value": "<audio>\nMood?"}, {"from": "gpt", "value": "Calm."}]
    (folder / "qwen2_audio.json").write_text(json.dumps([{"audio": audio[3], "conversations": talk}]))
    asked = [{"role": "user", "content": "<audio>Mood?"}, {"role": "assistant", "content": "Calm."}]
    imported.table(folder / "dpo.jsonl", [{"messages": asked, "audios": [audio[4]], "rejected_response": "Angry."}])
    imported.table(folder / "librispeech_eval.jsonl", [{"audio": audio[5], "prompt": "Recognize the speech:",
                                                        "gt": "hello", "source": "librispeech"}])  # fmt: skip
    results = [{"gt": "hello", "response": " Hello.", "source": "librispeech", "audio_path": audio[5]}]
    (folder / "librispeech_results.json").write_text(json.dumps(results))
    ids = [row["id"] for row in imported.read_lines(folder / "examples/prompt.jsonl")]
    gold = [{"id": name, "question": "Mood?", "cot": "It is loud.", "answer": "angry"} for name in ids]
    imported.table(folder / "data/test.jsonl", gold)
    predictions = [{"id": name, "prediction": "<think>It is loud.</think>angry"} for name in ids]
    imported.table(folder / "predictions.jsonl", predictions)
    (folder / "preds.txt").write_text("sh iy hh ae\n")
    (folder / "refs.txt").write_text("sil sh iy hh ae\n")


def run(command: str) -> tuple[int, str]:
    """Exit code and all that was printed, of a command typed in this process."""
    done = command_line.run(*shlex.split(command))
    return done.code, done.stdout + done.stderr


def is_offline(command: str, cards: dict[str, str]) -> bool | None:
    """Whether the mirror holds all that a command pulls; None where a card for it is still missing."""
    words = shlex.split(command)
    if words[:2] != ["catalog", "pull"]:
        return True
    if "--modality" in words:
        return False if words[words.index("--modality") + 1] in cards.values() else None
    if "--preset" in words:
        names = {item.name for item in preset_items("calibration", samples=100)}
    else:
        names = set(itertools.takewhile(lambda word: not word.startswith("-"), words[2:]))
    return None if names - set(cards) else names == {"librispeech"}


def test_every_line_of_the_document_works_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TRIPTYCH_MIRROR", str(mirror(tmp_path / "mirror")))
    old_files(folder)
    has_models = find_spec("torch") is not None and find_spec("transformers") is not None
    if has_models:
        tiny_models.text_model(folder / "checkpoints/finetuned_cot")
        (folder / "predictions.jsonl").unlink()  # a line of the document makes it
    cards = {card.name: card.modality for card in all_cards() if not card.name.startswith("demo-")}
    # What the first lines leave behind is pulled further down; their order does not matter to a reader.
    # This line is a process of its own; all others run in this one.
    pulled = cli("catalog", "pull", "librispeech", "--samples", "4", "--store", "./reap")
    assert pulled.returncode == 0, pulled.stdout + pulled.stderr
    done = 0
    for command in commands():
        if command.startswith("triptych."):
            result: Any = eval(command, {"triptych": triptych})
            assert getattr(result, "written", 1) and getattr(result, "passed", True), command
            done += 1
            continue
        if command.startswith(NEEDS_EXPERTS):
            assert "there is no such folder" in run(command)[1], command
            continue
        offline = is_offline(command, cards)
        if offline is None or (
            command.startswith(("triptych infer", "triptych train sft --config")) and not has_models
        ):
            continue
        if command.startswith("triptych train sft --config"):
            # Its model is of 30 billion weights: it is asked for only after configuration and export were read.
            code, printed = run(f"{command} --model ./no-model")
            assert (code, "no-model" in printed) == (2, True), printed
            done += 1
            continue
        code, printed = run(command if offline else f"{command} --dry-run")
        assert code == 0 or (not offline and code == 3), f"{command}\nexit {code}\n{printed}"
        done += 1
    assert done >= 40
    assert triptych.query("select count(*) as n from samples", store="reap").to_pylist()[0]["n"] == 6 + 2


def test_what_the_lines_leave_is_what_they_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old_files(tmp_path)
    for command in commands():
        if (
            command.startswith("triptych convert")
            or "import conversation qwen3" in command
            or "import alpaca" in command
        ):
            assert run(command)[0] == 0
    made = {path.name: list(imported.read_lines(path)) for path in tmp_path.glob("*.jsonl")}
    assert made["output_sft.jsonl"][0]["messages"] == [
        {"role": "user", "content": "<audio>Transcribe the speech."}, {"role": "assistant", "content": "text 0"},
    ]  # fmt: skip
    assert made["output_grpo.jsonl"][0]["solution"] == "text 0"
    assert made["phonemes.jsonl"][0]["messages"][0]["content"] == "<audio>请你做语音评测"
    assert [row["id"] for row in made["merged.jsonl"]] == ["r0", "r1", "r2", "r3"]
    assert sorted(path.name for path in (tmp_path / "split_output").iterdir()) == ["audio.jsonl", "video.jsonl"]
    found = triptych.query("select reasoning, answer from samples where dataset = 'cota'", store="store").to_pylist()
    assert found == [{"reasoning": "hm", "answer": "C"}]


@pytest.mark.parametrize("name", OLD_SCRIPTS)
def test_every_old_command_has_its_row(name: str) -> None:
    assert any(name in row[0] for row in table_rows()), name


def test_every_row_has_a_counterpart_or_says_that_there_is_none() -> None:
    for before, now, different in table_rows():
        assert CODE.search(now) or now == "*not yet*" or different, before


@pytest.mark.shared
def test_no_old_script_was_forgotten() -> None:
    if not SOURCES.is_dir():
        pytest.skip(f"needs the old documents in {SOURCES}")
    text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in SOURCES.glob("*.txt"))
    before = " ".join(row[0] for row in table_rows())
    typed = set(re.findall(r"(?:python|bash) (?:\.\./)?(?:[\w/]+/)?(\w+\.(?:py|sh))", text))
    assert len(typed) > 15
    assert {name for name in typed if name not in before} == set()
