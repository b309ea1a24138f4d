"""Retrieval of terms by real weights from real speech: a speaker never heard, terms never trained on, and a control.

python -m benchmarks.terms [--work DIR] [--data DIR]

Needs `make models` and the real media of `../shared/data`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import soundfile
import triptych
from triptych.shards.store.store import Store
from triptych.shards.terms import is_term
from triptych.trainers.retrieval.term_rows import TEST, TRAIN, TermRows

from tests.support.models import MODELS, SMOLLM, WHISPER

from .consumers import DATA
from .report import Requirement, Section, at_least, at_most, parser, publish, workplace
from .timing import tell

SETTING = (
    "Frozen encoders with real weights, Whisper tiny.en (speech) and SmolLM2-135M-Instruct (text), through `triptych "
    "export term-chunks` and `triptych train contrastive`, with the same run by random weights of the speech encoder "
    "(`retrieval.random_control`). Spoken digits: 80 clips of 4 speakers, of whom one is held out (their labels are "
    "German words, since English number words are never terms). LibriVox: utterances of LibriSpeech, LJSpeech and of "
    "one novel, their words timed by `triptych align` (PocketSphinx), with 29 pronunciations added; three of its "
    "speakers are tests alone. The glossary has 200 words, 40 of which no training clip names; clips have 0.3 s of "
    "context."
)
DIGITS = ("null", "eins", "zwei", "drei", "vier", "fuenf", "sechs", "sieben", "acht", "neun")
HELD_OUT = "yweweler"
TESTED = frozenset({"1688", "2414", "367"})
"""Speakers of tests: of three, those with the most words in common with the others."""
TERMS, UNSEEN = 200, 40
PRONUNCIATIONS = """\
shoppy SH AA P IY
helstone HH EH L S T OW N
workhouse W ER K HH AW S
wot W AA T
seest S IY AH S T
reciter R IH S AY T ER
zau Z AW
makan M AA K AA N
distichs D IH S T IH K S
nuzhat N UW Z HH AA T
whilome W AY L AH M
quickeneth K W IH K AH N EH TH
zarathustra Z AA R AH TH UW S T R AH
kine K AY N
seekest S IY K AH S T
sherburn's SH ER B ER N Z
palings P EY L IH NG Z
darkand D AA R K AE N D
lynches L IH N CH IH Z
pitifulness P IH T IH F AH L N AH S
on't AA N T
withal W IH TH AO L
aggravations AE G R AH V EY SH AH N Z
churchyards CH ER CH Y AA R D Z
avonlea AE V AH N L IY
fringed F R IH N JH D
alders AO L D ER Z
eardrops IH R D R AA P S
woodcutters W UH D K AH T ER Z
"""
Row = dict[str, Any]


def main() -> int:
    made = parser("Terms in real speech.", rounds=1)
    made.add_argument("--data", type=Path, default=DATA / "media")
    options = made.parse_args()
    with workplace(options.work) as work:
        digits = _digits(work / "digits", options.data)
        tell("digits: done")
        terms = _librivox(work / "librivox", options.data)
    at, control = digits.scores["test"], digits.control["test"]
    notes = [_told(f"digits, {HELD_OUT}", digits), *(_told("LibriVox", terms), *_rejection(terms))]
    requirements = [
        at_least("digits of a speaker never heard, Recall@1", at.all.by_clip[1], 0.95),
        at_most("the same by random weights (chance is 0.10)", control.all.by_clip[1], 0.3),
        Requirement("LibriVox: a glossary of 200 terms, 40 of them unseen in training",
                    f"{terms.glossary} and {terms.unseen}", (terms.glossary, terms.unseen) == (TERMS, UNSEEN)),
    ]  # fmt: skip
    title = "terms in real speech, by speakers and terms that training never had"
    return publish(Section("terms", title, SETTING, [], requirements, notes=notes))


def _digits(work: Path, data: Path) -> Any:
    rows = []
    for path in sorted((data / "fsdd/recordings").glob("*.wav")):
        digit, speaker, _ = path.stem.split("_")
        word, end = DIGITS[int(digit)], soundfile.info(path).duration
        rows.append({"id": path.stem, "audio": str(path), "text": word, "language": "de", "speaker": speaker,
                     "split": "test" if speaker == HELD_OUT else "train",
                     "words": [{"text": word, "start_s": 0.0, "end_s": end}]})  # fmt: skip
    _bring_in(work, "digits", rows)
    return _trained(work, DIGITS, context=0.0, epochs=60)


def _librivox(work: Path, data: Path) -> Any:
    rows = list(_utterances(data))
    _bring_in(work, "librivox", rows)
    (work / "names.dict").write_text(PRONUNCIATIONS, encoding="utf-8")
    [aligned] = triptych.align("librivox", store=work / "store", dictionary=str(work / "names.dict"), workers=2)
    tell(f"LibriVox: {aligned.account.kept} of {len(rows)} utterances aligned")
    words = {word for row in rows for word in re.findall(r"[a-z]{4,}", row["text"]) if is_term(word)}
    _exported(work, "words", sorted(words), context=0.3)
    return _trained(work, glossary_of(work), context=0.3, epochs=40)


def _bring_in(work: Path, name: str, rows: list[Row]) -> None:
    work.mkdir(parents=True, exist_ok=True)
    table = work / f"{name}.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    triptych.import_data("jsonl", table, name=name, store=work / "store")


def _exported(work: Path, name: str, terms: Iterable[str], *, context: float) -> None:
    glossary = work / f"{name}.txt"
    glossary.write_text("".join(f"{term}\n" for term in terms), encoding="utf-8")
    triptych.export(
        "term-chunks", glossary=glossary, context=context, store=work / "store", name=name, no_term_share=0.3
    )


def _trained(work: Path, terms: Iterable[str], *, context: float, epochs: int) -> Any:
    """A run, and its control; one of an earlier call with the same folder goes on."""
    _exported(work, "chunks", terms, context=context)
    folder = work / "run"
    begun = time.process_time()
    values = {
        "retrieval.text_model": str(MODELS / SMOLLM), "training.epochs": str(epochs), "training.lr": "3e-3",
        "training.weight_decay": "0.1", "retrieval.random_control": "true", "retrieval.enable_full_eval": "true",
        "retrieval.full_eval_every_n_epochs": "10", "retrieval.enable_hard_neg": "true", "logging.save_steps": "200",
    }  # fmt: skip
    found = triptych.train_contrastive(
        "chunks", store=work / "store", model=MODELS / WHISPER, output_dir=folder, values=values,
        resume=folder.is_dir(),
    )  # fmt: skip
    tell(f"{folder}: {time.process_time() - begun:.0f} s of processor time")
    return found


def _utterances(data: Path) -> Iterator[Row]:
    """Read speech of LibriVox with its texts."""
    for table in sorted((data / "librispeech").rglob("*.trans.txt")):
        for line in table.read_text(encoding="utf-8").splitlines():
            name, _, text = line.partition(" ")
            yield _row(name, table.parent / f"{name}.flac", text, name.partition("-")[0])
    folder = data / "coqui_tts/tests/data/ljspeech"
    for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines():
        name, _, text = line.split("|")
        yield _row(name, folder / "wavs" / f"{name}.wav", text, "ljspeech")
    folder = data / "pocketsphinx/test/data/librivox"
    for line in (folder / "transcription").read_text(encoding="utf-8").splitlines():
        text, name = re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip()).groups()  # type: ignore[union-attr]
        yield _row(name.rpartition("-")[2], folder / f"{name}.wav", text, "austen")


def _row(name: str, path: Path, text: str, speaker: str) -> Row:
    return {"id": name, "audio": str(path), "text": text.lower(), "language": "en", "speaker": speaker,
            "split": "test" if speaker in TESTED else "train"}  # fmt: skip


def glossary_of(work: Path) -> list[str]:
    """200 words that clips can be cut around: 40 that only tests say, and of the others first those that tests say too,
    then by how often."""
    rows = TermRows.open("words", store=Store.open(work / "store")).rows
    trained, tested = (
        Counter(term for row in rows if row.role == role for term in (*row.terms, *row.other_terms))
        for role in (TRAIN, TEST)
    )
    cut = {role: {term for row in rows if row.role == role for term in row.terms} for role in (TRAIN, TEST)}
    unseen = sorted(cut[TEST] - trained.keys(), key=lambda term: (-tested[term], term))
    seen = sorted(cut[TRAIN], key=lambda term: (term not in tested, -trained[term], term))
    return sorted([*unseen[:UNSEEN], *seen[: TERMS - UNSEEN]])


def _told(name: str, found: Any) -> str:
    at, control = found.scores["test"], found.control["test"]

    def recall(what: Any) -> str:
        return f"{what.by_term[1]:.3f}, {what.by_term[5]:.3f}, {what.by_term[10]:.3f} of {what.terms}"

    return (
        f"{name}: {found.clips:,} training clips ({found.clips_without_term:,} without a term), {at.all.clips:,} "
        f"tested; recall of terms among the nearest 1, 5 and 10 of {at.glossary}: seen in training {recall(at.seen)}, "
        f"unseen {recall(at.unseen)}; by random weights {recall(control.seen)} and {recall(control.unseen)}; by "
        f"vectors of other clips (chance) {recall(at.chance)}"
    )


def _rejection(found: Any) -> Iterator[str]:
    for at in found.scores["test"].sweep:
        if at.threshold in (0.15, 0.3, 0.5, 0.7):
            yield (
                f"LibriVox, at a cosine of {at.threshold:g}: {at.rejected:.1%} of the clips without a term are "
                f"rejected; of the others {at.answered:.1%} are answered, and {at.right:.1%} rightly"
            )


if __name__ == "__main__":
    sys.exit(main())
