"""The list of readers: what is registered is a reader, contexts do not change, and other packages can add readers."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.raws import Stream, read
from triptych.converters.candidate import ReadContext, Reader
from triptych.converters.readers import READERS, check_options, get_reader, has_reader, reader_names
from triptych.errors import UsageError

PLUGIN = '''
from triptych.converters.candidate import Candidate, Reader

class LineReader(Reader):
    """A line, a sample."""

    def check(self, options):
        from triptych.errors import UsageError
        if set(options) - {"task"}:
            raise UsageError("reader lines: only `task`")

    def accepts(self, name):
        return name.endswith(".lines")

    def read(self, files, context):
        for file in files:
            if self.accepts(file.name):
                for number, line in enumerate(file.read().decode().splitlines(), 1):
                    yield Candidate(f"{file.name}:{number}", None, {"text": line, **context.options})

def not_a_reader():
    return 42
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package as pip leaves it: a module and a dist-info folder with entry points."""
    (tmp_path / "lines_plugin.py").write_text(PLUGIN)
    info = tmp_path / "lines_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lines-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[triptych.readers]\nlines = lines_plugin:LineReader\nwrong = lines_plugin:not_a_reader\n"
        "absent = lines_plugin:Nothing\ntable = lines_plugin:LineReader\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("lines_plugin", None)


@pytest.mark.parametrize("name", READERS)
def test_every_registered_reader_is_one(name: str) -> None:
    assert isinstance(get_reader(name), Reader)
    assert get_reader(name) is not get_reader(name)


def test_a_context_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ReadContext("d").dataset = "other"  # type: ignore[misc]


def test_another_package_adds_a_reader_that_cards_can_name(installed: Path) -> None:
    assert has_reader("lines") and "lines" in reader_names()
    found, rejections = read("lines", Stream({"a.lines": "one\ntwo\n", "b.txt": "no"}), {"task": "asr"})
    assert [(c.source_id, c.fields) for c in found] == [
        ("a.lines:1", {"text": "one", "task": "asr"}),
        ("a.lines:2", {"text": "two", "task": "asr"}),
    ]
    assert rejections == []
    with pytest.raises(UsageError, match="only `task`"):
        check_options("lines", {"colour": "red"})


def test_our_own_readers_cannot_be_replaced(installed: Path) -> None:
    assert type(get_reader("table")).__module__.startswith("triptych.")
    assert reader_names().count("table") == 1


@pytest.mark.parametrize(("name", "said"), [("wrong", "is a int"), ("absent", "cannot be loaded")])
def test_what_is_no_reader_is_refused_with_its_package(installed: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"lines-plugin.*{said}"):
        get_reader(name)


def test_two_packages_with_one_name_are_refused(installed: Path) -> None:
    info = installed / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[triptych.readers]\nlines = other:Reader\n")
    with pytest.raises(UsageError, match=r"Several packages provide a reader 'lines': .*lines-plugin.*other"):
        get_reader("lines")


def test_without_the_package_the_reader_is_unknown() -> None:
    assert not has_reader("lines")
    with pytest.raises(UsageError, match=r"no reader 'lines'. Readers: annotated, columns"):
        get_reader("lines")


def test_options_that_a_reader_does_not_have_are_refused() -> None:
    for name in ("sidecar", "folder"):
        with pytest.raises(UsageError, match=r"takes no options|unknown option colour"):
            check_options(name, {"colour": "red"})
    with pytest.raises(UsageError, match="unknown option colour"):
        check_options("timit", {"colour": "red"})
    with pytest.raises(UsageError, match="`lists` must be an object"):
        check_options("lipreading", {"lists": "train"})
