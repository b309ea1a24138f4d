"""Files that rows name by path: inside the input, outside it, and names that are spelled otherwise on disk."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.stores import check_accounts, select
from triptych.converters.candidate import RowError
from triptych.converters.files.inside import Inside
from triptych.converters.files.named_files import NamedFiles
from triptych.errors import UsageError

Tone = Callable[..., bytes]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`in/` with media and texts, and `out/` beside it with the same."""
    for place in ("in/wav", "out"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.wav").write_bytes(b"x")
        (tmp_path / place / "a.txt").write_text(f"of {place}\n")
    (tmp_path / "in/linked").symlink_to("../out")
    (tmp_path / "in/one.wav").symlink_to(tmp_path / "out/a.wav")
    return tmp_path / "in"


def outcome(take: Callable[[str, str], str], value: str) -> str:
    """What is taken, or the reason of its refusal."""
    try:
        return take("column", value)
    except RowError as error:
        return error.reason


def test_media_by_a_relative_path_stays_inside_and_by_an_absolute_one_is_the_users_own(folder: Path) -> None:
    files = NamedFiles(folder, Inside.of(folder))
    for name in ("wav/a.wav", "wav/../wav/a.wav", "gone.wav", "wav/gone.wav"):
        assert outcome(files.media, name) == f"{folder}/{name}"
    for name in ("../out/a.wav", "linked/a.wav", "one.wav", "../out/gone.wav", "wav/../../out/a.wav"):
        assert outcome(files.media, name) == "outside", name
    own = str(folder.parent / "out/a.wav")
    assert outcome(files.media, own) == own
    wide = NamedFiles(folder, Inside.of(folder, allowed=[folder.parent / "out"]))
    for name in ("../out/a.wav", "linked/a.wav", "one.wav", "wav/a.wav"):
        assert outcome(wide.media, name) == f"{folder}/{name}"


def test_texts_stay_inside_by_any_path(folder: Path) -> None:
    os.mkfifo(folder / "pipe.txt")
    (folder / "big.txt").write_bytes(b"x" * (1024 * 1024 + 1))
    (folder / "latin.txt").write_bytes(b"\xe9")
    (folder / "lfs.txt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    files = NamedFiles(folder, Inside.of(folder))
    refused = {
        "../out/a.txt": "outside", "linked/a.txt": "outside", str(folder.parent / "out/a.txt"): "outside",
        "/etc/passwd": "outside", "/dev/zero": "outside", "pipe.txt": "special_file", "wav": "special_file",
        "gone.txt": "bad_value", "big.txt": "too_large", "latin.txt": "not_utf8", "lfs.txt": "pointer",
    }  # fmt: skip
    assert {value: outcome(files.text, value) for value in refused} == refused
    assert outcome(files.text, "wav/a.txt") == outcome(files.text, str(folder / "wav/a.txt")) == "of in/wav"
    wide = NamedFiles(folder, Inside.of(folder, allowed=[folder.parent / "out"]))
    assert outcome(wide.text, "../out/a.txt") == "of out"


def test_names_that_differ_only_by_normalisation_are_equal(tmp_path: Path) -> None:
    decomposed, composed = (unicodedata.normalize(form, "\u00e9t\u00e9") for form in ("NFD", "NFC"))
    for name in (f"{decomposed}/{decomposed}.wav", f"both/{decomposed}.wav", f"both/{composed}.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    files = NamedFiles(tmp_path, Inside.of(tmp_path))
    assert outcome(files.media, f"{composed}/{composed}.wav") == f"{tmp_path}/{decomposed}/{decomposed}.wav"
    for name in (f"both/{decomposed}.wav", f"both/{composed}.wav", "both/ete.wav", f"{composed}/x.wav"):
        assert outcome(files.media, name) == f"{tmp_path}/{name}"


FORMATS: dict[str, Callable[[str, str], str]] = {
    "csv": lambda path, text: f"path,text\n{path},hello\n",
    "jsonl": lambda path, text: json.dumps({"audio": path, "text": "hello"}) + "\n",
    "nemo": lambda path, text: json.dumps({"audio_filepath": path, "text_filepath": text}) + "\n",
    "msswift": lambda path, text: json.dumps(
        {"audios": [path], "messages": [{"role": "user", "content": "<audio>?"}, {"role": "assistant", "content": "y"}]}
    ) + "\n",
}  # fmt: skip


def convert(format: str, table: Path, **options: Any) -> list[str]:
    """The reasons of the rows that are not converted."""
    out = table.parent / "out.jsonl"
    done = triptych.convert(format, table, out, force=True, to="unified", files=False, **options)
    return [problem.reason for problem in done.problems]


@pytest.mark.parametrize("format", FORMATS)
def test_no_manifest_reads_outside_its_folder_unless_it_is_allowed(format: str, folder: Path) -> None:
    table = folder / "t.jsonl"
    for path in ("../out/a.wav", "linked/a.wav"):
        table.write_text(FORMATS[format](path, "wav/a.txt"))
        assert convert(format, table) == ["outside"]
        assert convert(format, table, allow_outside=folder.parent / "out") == []
    table.write_text(FORMATS[format]("wav/a.wav", "wav/a.txt"))
    assert convert(format, table) == []
    if format == "nemo":
        table.write_text(FORMATS[format]("wav/a.wav", "/etc/passwd"))
        assert convert(format, table) == ["outside"]
    with pytest.raises(UsageError, match="no such file or folder"):
        convert(format, table, allow_outside=folder / "nowhere")


def test_a_folder_whose_files_belong_together_is_read_whole_or_not_at_all(tmp_path: Path, tone: Tone) -> None:
    folder = tmp_path / "k"
    folder.mkdir()
    (tmp_path / "a.wav").write_bytes(tone(300, format="WAV"))
    (tmp_path / "secret").write_text("u1 a secret\nu2 a secret\n")
    (folder / "wav.scp").write_text(f"u1 ../a.wav\nu2 {tmp_path}/a.wav\n")
    (folder / "text").symlink_to("../secret")
    with pytest.raises(UsageError, match="text: it leads outside the input"):
        triptych.import_data("kaldi", folder, name="k", store=tmp_path / "store")
    (folder / "text").unlink()
    (folder / "text").write_text("u1 one\nu2 two\n")
    triptych.import_data("kaldi", folder, name="k", store=tmp_path / "store")
    check_accounts(tmp_path / "store")
    assert select(tmp_path / "store", "select id, text from samples") == [{"id": "k/all/u2", "text": "two"}]
    assert [row["reason"] for row in select(tmp_path / "store", "select reason from events")] == ["outside"]
