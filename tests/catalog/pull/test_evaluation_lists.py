"""Published evaluation lists: `catalog pull NAME --list LIST` takes their samples and writes their references."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.corpora import noise
from support.natives import on_host, on_hub, packed, parquet
from support.pulls import extra, rows_of
from support.stores import cli, select
from triptych.errors import NetworkError, UsageError

LISTS = "https://qianwen-res.oss-cn-beijing.aliyuncs.com/Qwen2-Audio/evaluation/"
PROMPT = "Detect the language and recognize the speech: <|en|>"


def listed(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def row(audio: str, reference: str, source: str = "librispeech_test_clean", prompt: str = PROMPT) -> dict[str, str]:
    return {"audio": audio, "prompt": prompt, "gt": reference, "source": source}


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Four splits of LibriSpeech of three utterances each; nothing of the training splits."""
    folder = tmp_path / "mirror"
    sums = {}
    for speaker, split in enumerate(("dev-clean", "dev-other", "test-clean", "test-other"), start=1):
        place = f"LibriSpeech/{split}/{speaker}/10"
        names = [f"{speaker}-10-000{n}" for n in range(3)]
        files = {f"{place}/{name}.flac": flac(10 * speaker + n) for n, name in enumerate(names)}
        files[f"{place}/{speaker}-10.trans.txt"] = "".join(f"{name} AS IT STANDS\n" for name in names).encode()
        archive = packed(on_host(folder, f"https://www.openslr.org/resources/12/{split}.tar.gz"), files)
        sums[f"www.openslr.org/resources/12/{split}.tar.gz"] = hashlib.sha256(archive.read_bytes()).hexdigest()
    (folder / "mirror.yaml").write_text(f"sha256: {json.dumps(sums)}\n")
    return folder


def flac(seed: int) -> bytes:
    import io

    import soundfile
    from support.imported import noise as samples

    file = io.BytesIO()
    soundfile.write(file, samples(0.2, seed=seed), 16_000, format="FLAC")
    return file.getvalue()


def published(mirror: Path) -> Path:
    return listed(
        on_host(mirror, f"{LISTS}librispeech_eval.jsonl"),
        [
            row("/data/LibriSpeech/test-clean/3/10/3-10-0001.flac", "as it stands", "librispeech_test_clean"),
            row("https://example.org/ls/dev-other/2-10-0002.flac?signed=yes", "as it's heard", "librispeech_dev_other"),
            row("/data/LibriSpeech/test-clean/9/9/9-9-0009.flac", "gone", "librispeech_test_clean"),
            row("/data/LibriSpeech/readme", "no audio", "librispeech_test_clean"),
        ],
    )


def pull(store: Path, mirror: Path, name: str = "librispeech", **options: Any) -> Any:
    options = {"source": "archive", "evaluation": "qwen2-audio", **options}
    return triptych.pull(name, store=store, mirror=str(mirror), **options)


def test_just_the_samples_of_a_list_are_pulled_and_annotated(mirror: Path, tmp_path: Path) -> None:
    published(mirror)
    result = pull(tmp_path / "store", mirror)
    rows = rows_of("librispeech", tmp_path / "store")
    assert sorted(rows) == ["dev-other/2-10-0002", "test-clean/3-10-0001"]
    heard = rows["dev-other/2-10-0002"]
    assert heard["text"] == "AS IT STANDS"
    assert {key: extra(heard)[key] for key in ("reference", "evaluation_list", "evaluation_prompt")} == {
        "reference": "as it's heard", "evaluation_list": "qwen2-audio", "evaluation_prompt": PROMPT,
    }  # fmt: skip
    assert result.missing == 2
    [told] = [notice for notice in result.notices if "do not match exactly one sample" in notice]
    assert "9-9-0009.flac (no sample)" in told
    assert "librispeech_eval.jsonl:4: /data/LibriSpeech/readme" in told


def test_the_same_list_again_fetches_and_writes_nothing(mirror: Path, tmp_path: Path) -> None:
    published(mirror)
    pull(tmp_path / "store", mirror)
    before = select(tmp_path / "store", "select id, key, value, time from annotations order by all")
    assert len(before) == 6
    again = pull(tmp_path / "store", mirror)
    assert again.source is None
    assert select(tmp_path / "store", "select id, key, value, time from annotations order by all") == before


def test_samples_that_are_stored_already_get_the_annotations_too(mirror: Path, tmp_path: Path) -> None:
    published(mirror)
    triptych.pull("librispeech", store=tmp_path / "store", mirror=str(mirror), source="archive", split="test")
    pull(tmp_path / "store", mirror)
    found = select(tmp_path / "store", "select id, extra['reference'] as said from samples order by id")
    said = {each["id"]: each["said"] for each in found}
    assert len(said) == 7
    assert {identity: text for identity, text in said.items() if text} == {
        "librispeech/dev-other/2-10-0002": "as it's heard",
        "librispeech/test-clean/3-10-0001": "as it stands",
    }


def test_a_list_may_be_a_file_of_the_user(mirror: Path, tmp_path: Path) -> None:
    path = listed(tmp_path / "mine.jsonl", [row("4-10-0000.wav", "mine")])
    result = pull(tmp_path / "store", mirror, list_file=path)
    assert (result.missing, result.stored) == (0, 1)
    [sample] = rows_of("librispeech", tmp_path / "store").values()
    assert (sample["id"], extra(sample)["reference"]) == ("librispeech/test-other/4-10-0000", "mine")


def test_a_list_of_several_directions_is_told_apart_by_source(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"

    def clip(config: str, number: int, translation: str) -> None:
        audio = {"bytes": noise(number), "path": f"common_voice_{number}.mp3"}
        known = {"client_id": "c", "file": "f", "sentence": "s", "translation": translation,
                 "id": f"common_voice_{number}", "audio": audio}  # fmt: skip
        for split in ("train", "validation", "test"):
            parquet(on_hub(mirror, "fixie-ai/covost2", f"{config}/{split}-0.parquet"),
                    [known | {"id": f"common_voice_{number}{'' if split == 'test' else split}"}])  # fmt: skip

    for config, translation in (("en_de", "Tag"), ("en_zh-CN", "天"), ("fr_en", "day")):
        clip(config, 1, translation)
    listed(
        on_host(mirror, f"{LISTS}covost2_eval.jsonl"),
        [
            row("covost/common_voice_1.wav", "Tag!", "covost_v2_en_de_test"),
            row("covost/common_voice_1.wav", "天！", "covost_v2_en_zh_test"),
        ],
    )
    result = pull(tmp_path / "store", mirror, "covost2", source="hub", evaluation="qwen2-audio-en-zh")
    assert result.missing == 0
    [sample] = rows_of("covost2", tmp_path / "store").values()
    assert (sample["id"], extra(sample)["reference"]) == ("covost2/en_zh-CN/test/common_voice_1", "天！")
    assert extra(sample)["evaluation_list"] == "qwen2-audio-en-zh"


def test_a_list_of_a_release_that_the_user_has(tmp_path: Path) -> None:
    release = "cv-corpus-15.0-2023-09-08"
    header = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tvariant\tlocale\tsegment"
    rows = [f"c{n}\tcommon_voice_en_{n}.mp3\tSentence {n}.\t2\t0\t\t\t\t\ten\t" for n in range(3)]
    files = {f"{release}/en/test.tsv": "\n".join([header, *rows, ""]).encode()}
    files |= {f"{release}/en/clips/common_voice_en_{n}.mp3": noise(n) for n in range(3)}
    archive = packed(tmp_path / "cv.tar.gz", files)
    listed(
        on_host(tmp_path / "mirror", f"{LISTS}cv15_asr_en_eval.jsonl"),
        [row("cv15/en/clips/common_voice_en_1.mp3", "sentence one", "cv15_en")],
    )
    result = triptych.pull("common_voice", store=tmp_path / "store", from_path=archive, evaluation="qwen2-audio-en",
                           mirror=str(tmp_path / "mirror"))  # fmt: skip
    assert result.missing == 0
    [sample] = rows_of("common_voice", tmp_path / "store").values()
    assert (sample["id"], sample["text"]) == (f"common_voice/{release}/test/common_voice_en_1", "Sentence 1.")
    assert extra(sample)["reference"] == "sentence one"


def test_a_row_that_names_several_samples_is_not_guessed_at(mirror: Path, tmp_path: Path) -> None:
    place = "LibriSpeech/test-other/3/10"
    files = {f"{place}/3-10-0001.flac": flac(99), f"{place}/3-10.trans.txt": b"3-10-0001 THE SAME ID\n"}
    archive = packed(on_host(mirror, "https://www.openslr.org/resources/12/test-other.tar.gz"), files)
    sums = json.loads((mirror / "mirror.yaml").read_text().removeprefix("sha256: "))
    sums["www.openslr.org/resources/12/test-other.tar.gz"] = hashlib.sha256(archive.read_bytes()).hexdigest()
    (mirror / "mirror.yaml").write_text(f"sha256: {json.dumps(sums)}\n")
    listed(on_host(mirror, f"{LISTS}librispeech_eval.jsonl"), [row("3-10-0001.flac", "which?")])
    triptych.pull("librispeech", store=tmp_path / "store", mirror=str(mirror), source="archive", split="test")
    result = pull(tmp_path / "store", mirror)
    assert result.missing == 1
    assert any("3-10-0001.flac (2 samples)" in notice for notice in result.notices)
    assert not select(tmp_path / "store", "select * from annotations")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{not json}", r"librispeech_eval.jsonl:2: "),
        ('{"audio": "a.flac"}', r"librispeech_eval.jsonl:2: expected an object with the strings `audio` and `gt`"),
        ('["a.flac"]', r"librispeech_eval.jsonl:2: expected an object"),
    ],
)
def test_a_line_that_is_no_row_ends_the_pull_before_it_begins(
    line: str, said: str, mirror: Path, tmp_path: Path
) -> None:
    path = listed(on_host(mirror, f"{LISTS}librispeech_eval.jsonl"), [row("3-10-0001.flac", "x")])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UsageError, match=said):
        pull(tmp_path / "store", mirror)
    assert not (tmp_path / "store").exists()


def test_a_list_that_is_not_there_is_said(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no evaluation list 'qwen3'"):
        pull(tmp_path / "store", mirror, evaluation="qwen3")
    with pytest.raises(UsageError, match="timit has no evaluation list"):
        triptych.pull("timit", store=tmp_path / "store", evaluation="qwen2-audio")
    with pytest.raises(UsageError, match="the list is ambiguous"):
        path = listed(tmp_path / "mine.jsonl", [row("x.mp3", "x")])
        triptych.pull("common_voice", store=tmp_path / "store", from_path=tmp_path, evaluation="qwen2-audio",
                      list_file=path)  # fmt: skip
    with pytest.raises(NetworkError, match="qianwen-res"):
        pull(tmp_path / "store", mirror)
    assert not (tmp_path / "store").exists()


def test_the_command_exits_1_where_rows_have_no_sample(mirror: Path, tmp_path: Path) -> None:
    published(mirror)
    words = ["catalog", "pull", "librispeech", "--list", "qwen2-audio", "--mirror", mirror, "--source", "archive",
             "--store", tmp_path / "store"]  # fmt: skip
    done = cli(*words)
    assert done.returncode == 1
    assert "2 stored of 13 tried" in done.stdout
    assert "2 of 4 rows match a sample; 6 annotations written" in done.stderr
    assert "9-9-0009.flac (no sample)" in done.stderr
