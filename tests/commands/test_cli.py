"""The command line as people and scripts meet it: the installed commands, as processes where that can tell."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import triptych
import typer.main
from support import imported
from support.command_line import Shell
from support.command_line import run as run_here
from support.forks import fork, fork_on_terminal
from support.stores import MAIN, cli
from triptych.cli import app
from triptych.commands import table

BIN = Path(sys.executable).parent
HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202e\x7f end"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("TRIPTYCH_STORE", "FORCE_COLOR")}


def run(*words: str | Path, command: str = "triptych", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """One command, as installed."""
    return subprocess.run(
        [BIN / command, *words], cwd=cwd, env=ENVIRONMENT, capture_output=True, encoding="utf-8", timeout=120
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four utterances, one of them with a hostile text and one cut off; validated and exported."""
    folder = tmp_path_factory.mktemp("cli")
    given = imported.speech_rows(folder / "in", 4)
    given[1]["text"] = HOSTILE
    cut_off = Path(given[3]["audio"])
    cut_off.write_bytes(cut_off.read_bytes()[:-1000])
    place = imported.bring_in(folder / "store", "speech", given, folder)
    triptych.validate(store=place)
    triptych.export("msswift", task="sft", store=place)
    return place


# ---- exit codes, and one JSON document

ID = "speech/train/utt000"
COMMANDS: list[tuple[int, list[str]]] = [
    (0, ["query", "select 1 as a"]),
    (0, ["catalog", "list"]),
    (0, ["catalog", "show", "librispeech"]),
    (0, ["catalog", "check", "demo-speech"]),
    (0, ["catalog", "lint"]),
    (0, ["export", "msswift", "--task", "grpo"]),
    (0, ["export", "unified", "--name", "plain", "--split", "train"]),
    (0, ["exports", "list"]),
    (0, ["exports", "show", "msswift-sft"]),
    (0, ["exports", "path", "msswift-sft@v1"]),
    (0, ["exports", "verify"]),
    (0, ["annotate", ID, "review", "fine"]),
    (0, ["explain", ID]),
    (0, ["store", "status"]),
    (0, ["store", "compact"]),
    (0, ["store", "gc", "--dry-run"]),
    (0, ["store", "refresh"]),
    (0, ["store", "remove", "speech", "--dry-run"]),
    (1, ["validate"]),
    (1, ["export", "msswift", "--task", "sft", "--where", "false"]),
    (1, ["exports", "which", sys.executable]),
    (2, ["query", "select nosuch from samples"]),
    (2, ["query"]),
    (2, ["nosuch"]),
    (2, ["query", "select 1", "--nosuch"]),
    (2, ["export", "nosuch"]),
    (2, ["export", "msswift"]),
    (2, ["export", "msswift", "--task", "sft", "--seed", "x"]),
    (2, ["exports", "show", "nosuch"]),
    (2, ["explain", "nosuch"]),
    (2, ["annotate", ID]),
    (2, ["annotate", ID, "start_s", "soon"]),
    (2, ["validate-file", "msswift", "nosuch.jsonl"]),
    (2, ["import", "csv", "nosuch.csv", "--name", "x"]),
    (2, ["catalog", "show", "nosuch"]),
    (2, ["catalog", "pull", "nosuch"]),
    (3, ["catalog", "pull", "librispeech", "--samples", "1", "--mirror", "http://127.0.0.1:9"]),
]
WITHOUT_STORE = ("nosuch", "validate-file", "catalog lint", "catalog check")


@pytest.mark.parametrize(
    ("code", "words"), COMMANDS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_command_has_its_exit_code_and_prints_one_json_document(store: Path, code: int, words: list[str]) -> None:
    takes_store = not " ".join(words).startswith(WITHOUT_STORE)
    done = cli(*words, *(["--store", store] if takes_store else []), "--json")
    assert done.returncode == code, done.stderr
    document = json.loads(done.stdout)
    assert "Traceback" not in done.stderr
    if code > 1 or "error" in document:
        assert set(document["error"]) == {"type", "message", "hint"} and document["error"]["message"]


@pytest.mark.parametrize(("code", "words"), [each for each in COMMANDS if each[0] == 2][::3])
def test_an_error_for_people_goes_to_stderr_alone(store: Path, code: int, words: list[str]) -> None:
    takes_store = not " ".join(words).startswith(WITHOUT_STORE)
    done = cli(*words, *(["--store", store] if takes_store else []))
    assert (done.returncode, done.stdout) == (code, "")
    assert "rror: " in done.stderr and "Traceback" not in done.stderr


def test_tampered_data_exits_4(store: Path, tmp_path: Path) -> None:
    version = triptych.export("unified", store=store, name="tampered").version
    version.data.write_bytes(version.data.read_bytes().replace(b"text", b"taxt"))
    done = cli("exports", "verify", "tampered", "--store", store, "--json")
    assert done.returncode == 4 and "changed since it was published" in json.loads(done.stdout)["tampered@v1"][0]
    (version.path / "manifest.json").write_text("no JSON")
    done = cli("exports", "show", "tampered", "--store", store, "--json")
    assert done.returncode == 4 and json.loads(done.stdout)["error"]["type"] == "DamagedError"
    version.path.rename(tmp_path / "away")


def test_a_bad_file_exits_1_and_a_good_one_0(store: Path, tmp_path: Path) -> None:
    good = triptych.export("msswift", task="sft", store=store).version.data
    assert cli("validate-file", "msswift", good).returncode == 0
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({"messages": [{"role": HOSTILE, "content": "x"}]}) + "\nnot json\n")
    done = cli("validate-file", "msswift", bad)
    assert done.returncode == 1 and "unknown_role" in done.stdout and "invalid_json" in done.stdout
    assert "\x1b" not in done.stdout
    bad.write_text('{"messages": []}\n')
    assert json.loads(cli("validate-file", "msswift", bad, "--json").stdout)["counts"] == {"empty_messages": 1}


def test_an_import_with_rejected_rows_exits_1_and_says_how_many(tmp_path: Path) -> None:
    given = [*imported.speech_rows(tmp_path / "in", 2), {"id": "gone", "audio": "gone.flac", "text": "x"}]
    file = imported.table(tmp_path / "t.jsonl", given)
    done = cli("import", "jsonl", file, "--name", "mine", "--store", tmp_path / "store", "--json")
    account = json.loads(done.stdout)["account"]
    assert done.returncode == 1 and (account["candidates"], account["kept"]) == (3, 2)


def test_the_word_catalog_is_the_same_as_triptych_catalog() -> None:
    for words in (["list"], ["--help"], ["pull", "--nosuch"]):
        short, long = run_here("catalog", *words), run_here("triptych", "catalog", *words)
        assert short.code == long.code
        assert short.stdout.split() == long.stdout.replace("triptych catalog", "catalog").split()
    listed = json.loads(run("list", "--panel", "S1", "--json", command="catalog").stdout)
    assert "librispeech" in [card["name"] for card in listed]


# ---- pipes, signals, terminals


def test_a_reader_that_leaves_early_is_no_error(store: Path) -> None:
    for words in ('query "from range(300000)" --format csv', 'query "select 1"', "--help", "catalog list --json"):
        option = f"--store {store}" if words.startswith("query") else ""
        line = f"set -o pipefail; {BIN}/triptych {words} {option} | true"
        done = subprocess.run(["bash", "-c", line], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), words


def test_ctrl_c_says_that_the_work_can_go_on(tmp_path: Path) -> None:
    place = tmp_path / "store"
    running = subprocess.Popen(
        [BIN / "triptych", "demo", "--samples", "5000", "--store", place], stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list((place / "media").glob("??/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert said == "stopped; run the same command again to continue where it stopped\n"


def test_ctrl_c_stops_a_long_query_at_once(store: Path) -> None:
    sql = "select sum(a.range * b.range) from range(1000000) a, range(10000000) b"
    running = subprocess.Popen([BIN / "triptych", "query", sql, "--store", store], stderr=subprocess.PIPE, text=True)
    used = Path(f"/proc/{running.pid}/stat")
    while running.poll() is None and sum(map(int, used.read_text().split()[13:15])) < 150:  # 1.5 s of processor time
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=30)[1].startswith("stopped") and running.returncode == 130


def on_a_terminal(*words: str | Path) -> str:
    """What a terminal would be sent."""
    master, slave = pty.openpty()
    environment = ENVIRONMENT | {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"}
    process = fork_on_terminal(MAIN, "triptych", *map(str, words), env=environment, terminal=slave)
    received = b"".join(iter(lambda: _read(master), b""))
    os.close(master)
    process.wait(timeout=60)
    return received.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def _with_hostile_text(store: Path) -> Iterator[list[str | Path]]:
    sql = "select id, text, labels from samples where id like '%utt001'"
    for form in ("table", "csv", "json"):
        yield ["query", sql, "--format", form, "--store", store]
    yield ["explain", "speech/train/utt001", "--store", store]
    yield ["explain", HOSTILE, "--store", store]
    yield ["query", f"select '{HOSTILE}", "--store", store]
    yield ["export", "unified", "--name", HOSTILE, "--store", store]
    yield ["annotate", "speech/train/utt001", "start_s", HOSTILE, "--store", store]
    yield ["catalog", "show", HOSTILE, "--json"]


def test_control_characters_of_the_data_never_reach_a_terminal(store: Path) -> None:
    for words in _with_hostile_text(store):
        sent = on_a_terminal(*words)
        assert sent.strip()
        odd = {character for character in sent if not character.isprintable()}
        assert odd <= {"\n", "\r"}, (words[:2], odd)


def test_in_a_file_csv_and_json_hold_the_very_text(store: Path) -> None:
    sql = "select text from samples where id like '%utt001'"
    assert cli("query", sql, "--format", "csv", "--store", store).stdout == f"text\n{HOSTILE}\n"
    assert json.loads(cli("query", sql, "--json", "--store", store).stdout) == [{"text": HOSTILE}]


def test_output_is_utf8_in_every_locale_and_arguments_must_be(store: Path) -> None:
    for locale in ("C", "POSIX", "en_US.ISO-8859-1"):
        environment = ENVIRONMENT | {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        done = subprocess.run(
            [BIN / "triptych", "query", "select chr(20320) as a", "--format", "csv", "--store", store],
            env=environment, capture_output=True, timeout=60,
        )  # fmt: skip
        assert done.stdout.decode() == "a\n\u4f60\n"
    done = subprocess.run([BIN / "triptych", "explain", b"\xff"], env=ENVIRONMENT, capture_output=True, timeout=60)
    assert done.returncode == 2 and b"not UTF-8" in done.stderr


# ---- help, start-up, the demo


def _all_commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from _all_commands(inner, (*words, name))


@pytest.mark.parametrize("words", list(_all_commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...]) -> None:
    done = cli(*words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: " + " ".join(("triptych", *words)) in done.stdout


HEAVY = {
    "pyarrow", "duckdb", "polars", "pandas", "numpy", "deltalake", "pydantic", "datasets", "huggingface_hub", "yaml",
    "great_expectations", "av", "rich", "soundfile", "librosa", "scipy", "httpx", "torch", "transformers", "joblib",
    "isal",
}  # fmt: skip


def loaded_by(code: str, *words: str, **environment: str) -> set[str]:
    """What an interpreter that did nothing else has imported."""
    ends = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    done = subprocess.run(
        [sys.executable, "-c", f"{ends}\nsys.argv[0] = 'triptych'\n{code}", *words],
        env=ENVIRONMENT | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stderr.split())


def run_by(*words: str, **environment: str) -> set[str]:
    return loaded_by("from triptych.cli import main; main()", *words, **environment)


def command_modules(group: table.Group = app) -> set[str]:
    """The modules in which the functions of commands stand."""
    entries = group.entries.values()
    own = {f"triptych.commands.{each.place.rpartition('.')[0]}" for each in entries if isinstance(each, table.Entry)}
    return own.union(*(command_modules(each) for each in entries if isinstance(each, table.Group)))


def test_importing_the_package_loads_almost_nothing() -> None:
    found = loaded_by("import triptych")
    ours = {name for name in found if name.startswith("triptych")}
    assert ours == {"triptych", "triptych.errors", "triptych.version"} and found.isdisjoint({*HEAVY, "typer"})


def test_importing_the_api_loads_nothing_heavy() -> None:
    assert loaded_by("import triptych.api").isdisjoint(HEAVY)


QUERY, EXPORT = "triptych.commands.samples.query", "triptych.commands.files.export"


@pytest.mark.parametrize(
    ("words", "own"),
    [
        (["--version"], set()),
        (["query", "--help"], {QUERY}),
        (["export", "--help"], {EXPORT}),
        (["train", "config", "--json"], {"triptych.commands.models.train_config"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_loads_its_own_module_and_nothing_heavy(words: list[str], own: set[str]) -> None:
    found = run_by(*words)
    assert found & command_modules() == own
    assert found.isdisjoint(HEAVY - {"pydantic"})  # Typer converts values with it


def test_the_help_of_all_commands_loads_nothing_heavy() -> None:
    found = run_by("--help")
    assert {QUERY, EXPORT} < found and found.isdisjoint(HEAVY)


def test_a_shell_completes_the_name_of_a_command_without_the_others() -> None:
    asked = {"_TRIPTYCH_COMPLETE": "complete_bash", "COMP_WORDS": "triptych que", "COMP_CWORD": "1"}
    assert run_by(**asked) & command_modules() == {QUERY}


REPORT = (
    "import sys\nfrom triptych.cli import main\ntry: main()\nfinally: print('pandas' in sys.modules, file=sys.stderr)"
)


def test_the_demo_does_the_whole_job_and_does_it_again_at_once(tmp_path: Path) -> None:
    """And never loads pandas, which takes longer than most of it: pyarrow does where it is given a list."""
    running = fork(REPORT, "triptych", "demo", "--samples", "2", env=ENVIRONMENT, cwd=tmp_path)
    printed, said = running.communicate(timeout=120)
    assert (running.returncode, said.splitlines()[-1]) == (0, "False"), said
    again = cli("demo", "--samples", "2", "--json", cwd=tmp_path)
    assert again.returncode == 0
    document = json.loads(again.stdout)
    assert document["samples"] == {"demo-speech": 2, "demo-video": 2, "demo-av": 2}
    assert set(document["exports"]) == {"unified@v1", "msswift-sft@v1", "msswift-grpo@v1"}
    for path in document["exports"].values():
        assert cli("validate-file", Path(path).parts[-3].partition("-")[0], path, cwd=tmp_path).returncode == 0
    with Shell(tmp_path, env=ENVIRONMENT) as shell:
        for line in printed.split("What to type next:")[1].strip().splitlines():
            if line.strip().startswith(("head", "triptych query", "triptych store")):
                assert shell.run(line.strip()).code == 0, line
