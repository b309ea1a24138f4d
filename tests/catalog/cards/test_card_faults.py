"""A card that cannot be right is told of by `catalog lint`: the file, the line, the key and what is expected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.stores import cli
from triptych.catalog.schema.lint import check_card

HEAD = """name: x
title: X
panel: S1
modality: audio
tasks: [asr]
languages: [en]
license: CC0-1.0
splits: {train: train, test: test}
"""
SUM = "a" * 64
WRONG = {
    # what YAML makes of words and numbers
    "archive: {on: https://h/a.zip}": (10, "sources.0.archive: True is not the name of a split or configuration"),
    "archive: {2024: https://h/a.zip}": (10, "sources.0.archive: 2024 is not the name"),
    "hub: a/b\n    files: a.zip\n    revision: 1234567": (12, "sources.0.revision: .*a number .*put it in quotes"),
    f"archive: https://h/a.zip\n    md5: {'1' * 32}": (11, "sources.0.md5: .*a number .*put it in quotes"),
    # files
    "archive: {}": (10, "no file is named"),
    "archive: []": (10, "no file is named"),
    "archive:": (10, "sources.0: set exactly one of hub, archive"),
    "archive: 5": (10, "5 is not a file: give a path or URL"),
    "archive: {train: }": (10, "None is not a file"),
    "archive: {a: {train: {x: https://h/a}}}": (10, "is not a file"),
    "archive: {join: [https://h/a.1]}": (10, "join takes paths, and `as` the name"),
    "archive: {join: [https://h/a.1], as: 3}": (10, "join takes paths, and `as` the name"),
    "archive: {join: [], as: a.zip}": (10, "join takes paths"),
    "archive: {join: [https://h/a.1], as: ../a.zip}": (10, "as: expected a file name, got '../a.zip'"),
    "archive: {list: [https://h/a.txt]}": (10, "list and base each take one URL"),
    "archive: {list: https://h/a.txt, join: [a]}": (10, "unknown key"),
    "archive: {list: https://h/a.txt, base: 'ftp://x/'}": (10, "base: expected a URL"),
    "archive: {list: https://h/a.txt, matching: 'a*'}": (10, "matching needs base"),
    "archive: ftp://h/a.zip": (10, "need https:// URLs"),
    "archive: http://h/a.zip": (10, "need https:// URLs"),
    'archive: "https://[x/a.zip"': (10, "'https://.x/a.zip': not a URL .Invalid IPv6 URL."),
    "archive: https://h:99999/a.zip": (10, "not a URL .Port out of range"),
    "archive: https:///a.zip": (10, "the URL names no host"),
    "archive: https://h/{spilt}.zip": (10, "{spilt} is not a placeholder"),
    "archive: https://h/{config}.zip": (10, "the card has no configs"),
    "archive: {trian: https://h/a.zip}": (10, ": unknown split.* trian; the card has train, test"),
    "archive: {en: {train: https://h/a.zip}}": (10, ": unknown configuration.* en; the card has none"),
    # the hub
    "hub: a/b\n    files: a.zip": (10, "a hub source needs `revision` and `files`"),
    "hub: b\n    revision: main\n    files: a.zip": (10, "sources.0.hub: expected owner/name"),
    "hub: a/b\n    revision: main\n    files: ../../x.zip": (12, "a path inside the repository"),
    "hub: a/b\n    revision: main\n    files: http://h/a.zip": (12, "need an https:// URL"),
    "hub: a/b\n    revision: main\n    files: {list: lists/a.txt}": (12, "need an https:// URL"),
    # sums
    f"archive: https://h/a.zip\n    sha256: {'A' * 64}": (11, "lower-case hexadecimal"),
    f"archive: [https://h/a.csv, https://h/a.zip]\n    sha256: {SUM}": (11, "give one per file"),
    f"archive: {{train: [https://h/a.csv, https://h/a.zip]}}\n    sha256: {{train: {SUM}}}": (11, "give one per file"),
    f"archive: https://h/{{split}}.zip\n    sha256: {{tarin: {SUM}}}": (11, "'tarin' is neither a split nor a file"),
    f"archive: [https://h/a.csv, http://h/b.zip]\n    sha256: {{a.csv: {SUM}}}": (10, "needs its own checksum"),
}
WRONG_HEADS = {
    "splits: {2024: train}": (8, "splits.2024: .*YAML reads it as a number .*put it in quotes"),
    "splits: {street: foo}": (8, "splits.street: .*'train', 'validation' or 'test'"),
    "splits: {train: train}\nconfigs:\n  en: {}\n  no: {language: nb}": (11, "configs.no: .*put it in quotes"),
    "splits: {train: train}\nconfigs:\n  nn: {language: no}": (10, "configs.nn.language: .*put it in quotes"),
    "splits: {train: train}\npromises: [txt]": (9, "promises: 'txt' cannot be promised; fields: text, translation"),
    "splits: {train: train}\npromises: text": (9, "promises: expected a list of fields, got 'text'"),
    "splits: {train: train}\npromises: {train: [text, text]}": (9, "promises: train: a field is listed twice"),
    "splits: {train: train}\npromises: {trian: [text]}": (9, r"promises: unknown split\(s\) trian; the card has train"),
    "splits: {train: train}\npromises: {2024: [text]}": (
        9,
        "promises: 2024 is not the name of a split",
    ),
    "splits: {train: train}\nconfigs:\n  en: {defualt: yes}": (10, "configs.en.defualt: unknown key"),
    "splits: {train: train}\nseen:\n  licence: a page": (10, "seen.licence: not a fact: use license, "),
    "splits: {train: train}\nseen:\n  sources.1.files: a page": (10, "seen.sources.1.files: not a fact"),
    "splits: {train: train}\nseen:\n  checksums: a page": (10, "seen.checksums: the card states no checksums"),
    "splits: {train: train}\nseen:\n  sources.0.checksums: a page": (10, "the card states no checksums"),
    "splits: {train: train}\nseen: {gate: a page}": (9, "seen.gate: the card states no gate"),
    "splits: {train: train}\nseen: {scale: ''}": (9, "seen.scale: .*at least 1 character"),
}


MEDIA = "media: {audio: a.wav}\n        "
TABLE = f"{MEDIA}tables:\n          - "
READERS = {
    'media: "{file}"': (13, "reader: media: expected an object {name: value}, got '{file}'"),
    "media: {audio: 5}": (13, "reader: media.audio: expected text, or a list of texts, got '5'"),
    f"{MEDIA}tables: t.csv": (14, "tables: expected a list, got 't.csv'"),
    f"{TABLE}{{file: [t.csv, 3]}}": (15, "tables.0.file: expected text"),
    f"{TABLE}file: t.csv\n            encoding: utf-88": (16, "there is no text encoding 'utf-88'"),
    f"{TABLE}file: t.csv\n            delimiter: ', '": (16, "expected one character"),
    f"{MEDIA}columns:\n          text: {{column: 5}}": (15, "columns.text.column: expected text, got '5'"),
    f"{MEDIA}columns: [text]": (14, "columns: expected an object"),
    f"{MEDIA}reject: {{column: text}}": (14, "reject: expected a list"),
}  # fmt: skip
"""Options of a reader, below its id."""


@pytest.mark.parametrize("option", READERS)
def test_a_wrong_option_of_a_reader_is_told_with_its_own_line(option: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    source = f'archive: https://h/a.zip\n    reader:\n      annotated:\n        {option}\n        id: "{{id}}"\n'
    path.write_text(f"{HEAD}sources:\n  - {source}")
    line, said = READERS[option]
    problem = only_problem(path)
    assert problem.startswith(f"{path}:{line}: sources.0.reader: ")
    assert said in problem


def only_problem(path: Path) -> str:
    problems, card = check_card(path)
    assert card is None
    return problems[0]


@pytest.mark.parametrize("source", WRONG)
def test_a_wrong_source_is_told_with_its_line(source: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"{HEAD}sources:\n  - {source}\n    reader: sidecar\n")
    line, said = WRONG[source]
    problem = only_problem(path)
    assert problem.startswith(f"{path}:{line}: ")
    assert re.search(said.replace("{", r"\{"), problem)


@pytest.mark.parametrize("head", WRONG_HEADS)
def test_a_wrong_word_of_yaml_is_told_with_its_line(head: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    text = HEAD.replace("splits: {train: train, test: test}", head)
    path.write_text(f"{text}sources:\n  - archive: https://h/a.zip\n    reader: sidecar\n")
    line, said = WRONG_HEADS[head]
    problem = only_problem(path)
    assert problem.startswith(f"{path}:{line}: ")
    assert re.search(said, problem)


def test_a_configuration_that_no_source_has_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    configs = "configs:\n  en: {default: true}\n  de: {}\n"
    path.write_text(f"{HEAD}{configs}sources:\n  - archive: {{en: {{train: https://h/a}}}}\n    reader: sidecar\n")
    assert only_problem(path) == f"{path}:9: configs: no source has de"


def test_the_command_tells_every_problem_and_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"{HEAD}sources:\n  - archive: {{}}\n    reader: sidecar\n")
    done = cli("catalog", "lint", tmp_path)
    assert done.returncode == 1
    assert "sources.0.archive: no file is named" in done.stdout
    assert done.stdout.endswith("1 card, 1 problem\n")
