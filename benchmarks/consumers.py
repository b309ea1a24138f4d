"""Every view, of real media, loaded by the program that reads it: rewrites the table of docs/explanation/consumers.md.

    python -m benchmarks.consumers [--only VIEW...] [--work DIR]

Needs the real media beside the repository, and the environments of the consumers (`make clients`). A further view is a
further line of `CASES`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import triptych
from triptych.converters.views import get_view
from triptych.validators.consumers.version_check import verified

from .real_media import fill

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared/data"
PAGE = ROOT / "docs/explanation/consumers.md"
BEGIN, END = "<!-- made by make consumers -->\n", "<!-- to here -->\n"


class Case(NamedTuple):
    """A view of datasets, with the options of its export."""

    view: str
    datasets: tuple[str, ...]
    what: str
    options: dict[str, Any]


def _case(view: str, datasets: str, what: str, **options: Any) -> Case:
    return Case(view, tuple(datasets.split()), what, options)


_ALL = "librispeech aishell1 sounds loud mute talks"
_SOUNDS = "librispeech aishell1 sounds talks"

CASES = (
    _case("unified", _ALL, "everything"),
    _case("msswift", "librispeech", "LibriSpeech", task="sft"),
    _case("msswift", "aishell1", "AISHELL-1", task="sft"),
    _case("msswift", "sounds", "Clotho, five captions", task="sft", captions="all"),
    _case("msswift", "loud", "videos with sound, the picture alone", task="sft"),
    _case("msswift", "loud", "videos with sound, in the video", task="sft", av="in-video"),
    _case("msswift", "mute", "videos without sound", task="sft"),
    _case("msswift", "librispeech sounds loud mute", "speech, sounds and videos in one file", task="sft"),
    _case("msswift", "talks", "conversations with one or two sounds, or none", task="sft"),
    _case("msswift", "reasoned", "Clotho, questions with chains", task="sft"),
    _case("msswift", "librispeech", "LibriSpeech", task="grpo"),
    _case("msswift", "aishell1 sounds loud", "AISHELL-1, Clotho, videos", task="grpo"),
    _case("msswift", "librispeech aishell1", "LibriSpeech, AISHELL-1, pairs", task="dpo"),
    _case("msswift", "aishell1 sounds loud", "AISHELL-1, Clotho, videos, pairs", task="dpo"),
    _case("msswift", "librispeech sounds", "LibriSpeech, Clotho, pairs", task="kto"),
    _case("msswift", "sounds loud", "Clotho, videos, pairs", task="kto"),
    _case("msswift", "librispeech aishell1", "LibriSpeech, AISHELL-1", task="pretrain"),
    _case("msswift", "sounds loud mute", "Clotho, videos", task="pretrain"),
    _case("conversation", _SOUNDS, "speech, sounds, conversations", style="qwen2-audio"),
    _case("conversation", "librispeech aishell1 sounds", "speech and sounds", style="inline"),
    _case("conversation", _ALL, "everything", style="sharegpt"),
    _case("llamafactory", _SOUNDS, "speech, sounds, conversations", style="sharegpt"),
    _case("llamafactory", "sounds loud mute", "Clotho, videos", style="sharegpt"),
    _case("llamafactory", _SOUNDS, "speech, sounds, conversations", style="alpaca"),
    _case("llamafactory", "librispeech sounds", "LibriSpeech, Clotho, pairs", style="ranking"),
    _case("llamafactory", "librispeech sounds", "LibriSpeech, Clotho, pairs", style="kto"),
    _case("messages", _ALL, "everything", style="openai"),
    _case("messages", _ALL, "everything", style="hf"),
    _case("messages", _SOUNDS, "speech, sounds, conversations", style="trl", task="sft"),
    _case("messages", "librispeech sounds", "LibriSpeech, Clotho", style="trl", task="completion"),
    _case("messages", "librispeech sounds", "LibriSpeech, Clotho", style="trl", task="grpo"),
    _case("messages", "librispeech sounds", "LibriSpeech, Clotho, pairs", style="trl", task="dpo"),
    _case("messages", "librispeech sounds", "LibriSpeech, Clotho, pairs", style="trl", task="kto"),
    _case("preference", "librispeech sounds", "LibriSpeech, Clotho, pairs", dimension="factuality"),
    _case("cot", "reasoned", "Clotho, chains of four sections", style="messages", structure=True),
    _case("cot", "reasoned", "Clotho, chains of four sections", style="json"),
    _case("evaluation", "librispeech aishell1", "LibriSpeech, AISHELL-1", style="list"),
    _case("evaluation", "reasoned", "Clotho, questions with choices", style="items"),
    _case("evaluation", "reasoned", "Clotho, questions", style="chat"),
    _case("phoneme", "librivox", "LibriVox, phones of PocketSphinx", style="qwen2-audio"),
    _case("phoneme", "librivox", "LibriVox, phones of PocketSphinx", style="inline", word_boundaries=True),
    _case("term-chunks", "librivox", "LibriVox, words of PocketSphinx", glossary="{}/terms.txt"),
    _case("calibration", "librispeech aishell1 sounds loud mute", "speech, sounds, videos"),
    _case("features", "librispeech aishell1 librivox", "LibriSpeech, AISHELL-1, LibriVox"),
    _case("nemo", "librispeech aishell1 librivox", "LibriSpeech, AISHELL-1, LibriVox"),
    _case("kaldi", "librispeech aishell1 librivox", "LibriSpeech, AISHELL-1, LibriVox"),
    _case("lhotse", "librispeech aishell1 librivox", "LibriSpeech, AISHELL-1, LibriVox"),
    _case("lhotse", "librispeech aishell1 librivox", "LibriSpeech, AISHELL-1, LibriVox", style="shar"),
    _case("webdataset", "librispeech sounds loud mute", "speech, sounds, videos"),
    _case("hf", "librispeech sounds loud mute", "speech, sounds, videos"),
    _case("croissant", _ALL, "everything"),
)


def main() -> int:
    """Make the table; 1 if a consumer does not take a row as it is."""
    parser = argparse.ArgumentParser(description="Views of real media, loaded by the programs that read them.")
    parser.add_argument("--only", nargs="+", metavar="VIEW", help="these views; the lines of others stay as they are")
    parser.add_argument("--work", type=Path, help="a folder for the store, which is kept; default: a temporary one")
    options = parser.parse_args()
    made = _written()
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        store = work / "store" if (work / "store").exists() else fill(work, DATA)
        for case in CASES:
            if options.only is None or case.view in options.only:
                made[_title(case)] = list(_verified(case, store))
                print("\n".join(made[_title(case)]), flush=True)
                _write([line for each in CASES for line in made.get(_title(each), ())])
    return int(any(not line.endswith(" 0 |") for lines in made.values() for line in lines))


def _title(case: Case) -> str:
    """The first cells of the lines of a case."""
    flags = "".join(_flag(name, value) for name, value in case.options.items())
    return f"| `{case.view}{flags}` | {case.what} |"


def _verified(case: Case, store: Path) -> Iterator[str]:
    """The lines of a case; a version that is there and was loaded by its consumers is not loaded again."""
    options = {name: _placed(value, store.parent) for name, value in case.options.items()}
    made = triptych.export(case.view, store=store, dataset=case.datasets, **options)
    wanted = {"datasets", get_view(case.view, case.options.get("style")).consumer or "datasets"}
    if {each["consumer"] for each in verified(made.version).values()} != wanted:
        triptych.exports.load_with_client(made.version.reference, store=store)
    for each in sorted(verified(made.version).values(), key=lambda each: each["consumer"] != "datasets"):
        media = ", ".join(f"{heard} of {named} {kind}" for kind, (named, heard) in each["media"].items())
        seconds = "" if each["seconds"] is None else f"{each['seconds'][1]:,.1f} of {each['seconds'][0]:,.1f}"
        model = f", {each['model']}" if each["model"] else ""
        yield (
            f"{_title(case)} {each['consumer']} {each['version']}{model} | {each['rows']} | "
            f"{each['loaded']} | {media} | {seconds} | {sum(each['differences'].values())} |"
        )


def _placed(value: Any, work: Path) -> Any:
    return value.replace("{}", str(work)) if isinstance(value, str) else value


def _flag(name: str, value: Any) -> str:
    flag = f" --{name.replace('_', '-')}"
    return flag if value is True else f"{flag} {str(value).removeprefix('{}/')}"


def _written() -> dict[str, list[str]]:
    """The lines of the page, by the first cells of their case."""
    found: dict[str, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].splitlines()[2:]:
        view, what = line.split(" | ")[:2]
        found.setdefault(f"{view} | {what} |", []).append(line)
    return found


def _write(lines: list[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    titles = "| view | data | loaded by | rows | loaded | media | seconds heard | differences |\n"
    table = titles + "| --- | --- | --- | --- | --- | --- | --- | --- |\n" + "".join(f"{line}\n" for line in lines)
    PAGE.write_text(f"{head}{BEGIN}{table}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
