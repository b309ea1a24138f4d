"""Pulls of archives that need more than opening: volumes on a hub, and passwords."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import triptych
from support.archives import aes_zip, openssl_stream, tar_of
from support.cards import head, put_card
from support.corpora import noise
from support.hub import COMMIT, hub
from support.natives import volumes
from support.stores import check_accounts, check_media, cli, cli_json, media_files, one, select
from triptych.errors import UsageError

SECRET, WRONG = "open sesame 7", "shut sesame 8"
VARIABLE = "SOUNDS_PASSWORD"
SOURCES = """
sources:
  - {source}
    reader:
      annotated:
        tables: [{{file: captions.csv, set: {{split: train}}}}]
        media: {{audio: "{{id}}.wav"}}
        id: id
        columns: {{text: caption}}
"""
COUNT = 12
FILES = {"captions.csv": b"id,caption\n" + b"".join(b"s%d,Sound %d.\n" % (n, n) for n in range(COUNT))}
FILES |= {f"deep/s{n}.wav": noise(n) for n in range(COUNT)}


def card(folder: Path, source: str) -> Path:
    return put_card(folder, "sounds", head("sounds", task="aac") + SOURCES.format(source=source))


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def captions(store: Path) -> dict[str, str]:
    return {row["id"]: row["text"] for row in select(store, "select id, text from samples")}


ALL = {f"sounds/train/s{n}": f"Sound {n}." for n in range(COUNT)}
JOIN = '{join: ["zips/Free.z[0-9][0-9]", zips/Free.zip], as: Free.zip}'


@pytest.mark.parametrize("samples", [[], ["--samples", "3"]], ids=["all", "some"])
def test_volumes_on_a_hub_are_one_archive(samples: list[str], tmp_path: Path) -> None:
    cut = volumes("Free", FILES, size=12_000)
    assert {"Free.z01", "Free.z08", "Free.zip"} <= set(cut)
    write(tmp_path / "hub/team/sounds/zips", cut)
    source = f"hub: team/sounds\n    revision: {COMMIT}\n    files: {{train: [{JOIN}]}}"
    place = ["--store", tmp_path / "store", "--cards", card(tmp_path / "cards", source)]
    with hub(tmp_path / "hub") as server:
        env = {"HF_ENDPOINT": server.url().rstrip("/")}
        cli_json("catalog", "pull", "sounds", *place, *samples, env=env)
    found = captions(tmp_path / "store")
    assert found.items() <= ALL.items() and len(found) == (3 if samples else COUNT)
    check_accounts(tmp_path / "store")
    check_media(tmp_path / "store")


def test_volumes_in_a_folder_are_one_archive_and_a_missing_one_is_named(tmp_path: Path) -> None:
    cut = volumes("Free", FILES, size=12_000)
    folder = write(tmp_path / "downloads/zips", cut).parent
    source = f"hub: team/sounds\n    revision: {COMMIT}\n    files: {{train: [{JOIN}]}}"
    options: dict[str, Any] = {"cards": [card(tmp_path / "cards", source)], "from_path": folder}
    triptych.pull("sounds", store=tmp_path / "store", **options)
    assert captions(tmp_path / "store") == ALL
    (folder / "zips/Free.z04").unlink()
    less = triptych.pull("sounds", store=tmp_path / "less", **options)
    assert less.stored == 0 and less.damaged
    [told] = select(tmp_path / "less", "select * from events where reason = 'truncated_archive'")
    assert "Free.z04 is missing" in str(told)


def locked(kind: str, folder: Path) -> Path:
    """The corpus in an encrypted archive."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "aes.tgz":
        return write(folder, {"a.aes.tgz": openssl_stream(gzip.compress(tar_of(FILES)), SECRET)}) / "a.aes.tgz"
    if kind == "aes.zip":
        return write(folder, {"a.zip": aes_zip(FILES, password=SECRET)}) / "a.zip"
    if kind == "7z":
        py7zr = pytest.importorskip("py7zr")
        with py7zr.SevenZipFile(folder / "a.7z", "w", password=SECRET) as archive:
            for name, data in FILES.items():
                archive.writestr(data, name)
        return folder / "a.7z"
    if shutil.which("zip") is None:
        pytest.skip("needs the zip tool to encrypt")
    for name, data in FILES.items():
        (folder / "plain" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "plain" / name).write_bytes(data)
    subprocess.run(["zip", "-q", "-r", "-P", SECRET, "../a.zip", "."], cwd=folder / "plain", check=True)
    shutil.rmtree(folder / "plain")
    return folder / "a.zip"


KINDS_AND_WAYS = [("aes.tgz", "file"), ("aes.tgz", "folder"), ("aes.tgz", "mirror"), ("aes.zip", "file"),
                  ("7z", "mirror"), ("zip", "file")]  # fmt: skip


@pytest.mark.parametrize(("kind", "way"), KINDS_AND_WAYS)
def test_an_encrypted_archive_is_pulled_by_its_password_and_by_no_other(
    kind: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    archive = locked(kind, tmp_path / "mirror/host.example.org/sets")
    source = f"archive: https://host.example.org/sets/{archive.name}\n    password: {VARIABLE}"
    ways: dict[str, Any] = {"file": {"from_path": archive}, "folder": {"from_path": archive.parent},
                            "mirror": {"mirror": tmp_path / "mirror"}}  # fmt: skip
    options = {"cards": [card(tmp_path / "cards", source)], **ways[way]}

    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UsageError, match=f"{VARIABLE} is not set") as told:
        triptych.pull("sounds", store=tmp_path / "unset", **options)
    assert told.value.hint is not None and VARIABLE in told.value.hint

    monkeypatch.setenv(VARIABLE, WRONG)
    wrong = triptych.pull("sounds", store=tmp_path / "wrong", **options)
    assert wrong.stored == 0
    assert captions(tmp_path / "wrong") == {} and media_files(tmp_path / "wrong") == {}
    assert one(tmp_path / "wrong", "select count(*) from events where reason = 'wrong_password'") > 0
    check_accounts(tmp_path / "wrong")

    monkeypatch.setenv(VARIABLE, SECRET)
    triptych.pull("sounds", store=tmp_path / "right", **options)
    assert captions(tmp_path / "right") == ALL
    check_accounts(tmp_path / "right")
    check_media(tmp_path / "right")

    printed = "".join(capfd.readouterr())
    assert SECRET not in printed and WRONG not in printed
    assert mentions(tmp_path / "wrong", WRONG) == [] and mentions(tmp_path / "right", SECRET) == []


def test_the_command_names_the_variable_that_is_not_set(tmp_path: Path) -> None:
    archive = locked("aes.zip", tmp_path)
    source = f"archive: https://host.example.org/sets/{archive.name}\n    password: {VARIABLE}"
    place = ["--cards", card(tmp_path / "cards", source), "--store", tmp_path / "store"]
    unset = cli("catalog", "pull", "sounds", *place, "--from", archive)
    assert unset.returncode == 2 and f"{VARIABLE} is not set" in unset.stderr
    wrong = cli("catalog", "pull", "sounds", *place, "--from", archive, env={VARIABLE: WRONG})
    # 4: the table of the corpus could not be read either.
    assert wrong.returncode == 4 and "wrong_password" in wrong.stderr + wrong.stdout
    assert WRONG not in wrong.stderr + wrong.stdout


def mentions(store: Path, secret: str) -> list[Path]:
    """Files of the store that contain the secret; compressed columns of tables are decompressed first."""
    found = [path for path in store.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    tables = (
        path for path in store.rglob("*.parquet") if secret in str(pq.read_table(path, partitioning=None).to_pylist())
    )
    return [*found, *tables]
