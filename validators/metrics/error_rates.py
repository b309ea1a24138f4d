"""Error rates: words, characters and phones that were substituted, deleted and inserted, over those of the references.

Rates are of a corpus: the edits of all rows over the units of all references, never a mean of rates. A row without a
prediction has all of its units deleted; one whose reference is empty, too, has one insertion.

    wer     words as Qwen2-Audio's script compares them, which are characters in Chinese and Cantonese
    cer     the characters of these words; spaces count where words have them
    per     phones, folded to a smaller set and without silence if asked (Lee and Hon, 1989)

`position_accuracy` is what an older script calls phone accuracy: equal labels at equal positions, up to the end of the
shorter sequence. One deletion makes all that follows wrong, and a tail that is missing costs nothing; it is here for
comparison with figures that were made so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import UsageError
from ...shards.phones import BOUNDARY, OWN, SETS, SILENCE, labels
from .edits import count_edits, is_unspaced
from .metric import Counted, Metric, Pair, share
from .qwen2_audio import BY_CHARACTERS, rules_of, words

FIELDS = ("substitutions", "deletions", "insertions", "units")


def word_error_rate() -> Metric:
    """WER as Qwen2-Audio's script has it: characters in Chinese and Cantonese."""

    def count(pair: Pair) -> Counted:
        unit = "characters" if rules_of(pair.language) in BY_CHARACTERS else "words"
        return _count(pair, unit, lambda text: words(text, pair.language), "" if unit == "characters" else " ")

    return Metric(name="wer", about="word error rate; characters in Chinese and Cantonese", fields=FIELDS, count=count,
                  rate=error_rate, better="low", details={"text": "as Qwen2-Audio's evaluate_asr.py"})  # fmt: skip


def character_error_rate() -> Metric:
    """CER of the same texts."""

    def count(pair: Pair) -> Counted:
        space = "" if is_unspaced(pair.language) else " "
        return _count(pair, "characters", lambda text: [*space.join(words(text, pair.language))], "")

    return Metric(name="cer", about="character error rate", fields=FIELDS, count=count, rate=error_rate, better="low",
                  details={"text": "as Qwen2-Audio's evaluate_asr.py"})  # fmt: skip


def phone_error_rate(*, fold: str = OWN, ignore_silence: bool = False) -> Metric:
    """PER of phones separated by blanks."""
    read = phone_reader(fold=fold, ignore_silence=ignore_silence)

    def count(pair: Pair) -> Counted:
        return _count(pair, "phones", lambda text: read(text, pair.where), " ")

    return Metric(name="per", about="phone error rate", fields=FIELDS, count=count, rate=error_rate, better="low",
                  details={"phones": fold, "silence": "left out" if ignore_silence else "kept"})  # fmt: skip


def phone_reader(*, fold: str, ignore_silence: bool) -> Callable[[str, str], list[str]]:
    """Read a line of phones, folded to a set of TIMIT's; `own` keeps the labels. Boundaries of words are left out.

    Raises:
        UsageError: There is no such set; or, when it reads, a label is of none of them.
    """
    if fold == OWN:
        left_out = {BOUNDARY, *(SILENCE[OWN] if ignore_silence else ())}
        return lambda text, where: [label for label in text.split() if label not in left_out]
    if fold not in SETS:
        raise UsageError(f"There is no phone set {fold!r}: {', '.join((OWN, *SETS))}.")
    known = {**labels(fold, drop_silence=ignore_silence), BOUNDARY: ""}

    def read(text: str, where: str) -> list[str]:
        for label in text.split():
            if label not in known:
                raise UsageError(
                    f"{where}: {label!r} is no phone of TIMIT's sets, so it cannot be folded to {fold}.",
                    hint="--phones own compares the labels as they are",
                )
        return [phone for label in text.split() if (phone := known[label])]

    return read


def position_accuracy(*, ignore_silence: bool = False) -> Metric:
    """Labels that are equal at equal positions, up to the shorter length; with `ignore_silence` positions at which
    neither label is `sil`."""

    def count(pair: Pair) -> Counted:
        wanted, had = pair.reference.split(), (pair.hypothesis or "").split()
        silence = SILENCE[OWN] if ignore_silence else frozenset()
        if pair.hypothesis is None:
            compared = [label for label in wanted if label not in silence]
            return Counted((0, len(compared)), "positions", " ".join(wanted), "")
        both = [(one, other) for one, other in zip(wanted, had, strict=False) if not {one, other} & silence]
        equal = sum(one == other for one, other in both)
        return Counted((equal, len(both)), "positions", " ".join(wanted), " ".join(had))

    return Metric(name="position_accuracy", about="equal phones at equal positions (no edit distance)",
                  fields=("equal", "positions"), count=count, rate=lambda counts: share(counts) or 0.0,
                  details={"silence": "left out" if ignore_silence else "kept"})  # fmt: skip


def error_rate(counts: Sequence[float]) -> float | None:
    """Edits over units of the reference; None where the references are empty."""
    return sum(counts[:3]) / counts[3] if counts[3] else None


def _count(pair: Pair, unit: str, units_of: Callable[[str], list[str]], joined_by: str) -> Counted:
    wanted = units_of(pair.reference)
    if pair.hypothesis is None:
        counts = (0, len(wanted), 0, len(wanted)) if wanted else (0, 0, 1, 0)
        return Counted(counts, unit, joined_by.join(wanted), "")
    had = units_of(pair.hypothesis)
    edits = count_edits(wanted, had)
    counts = (edits.substitutions, edits.deletions, edits.insertions, edits.length)
    return Counted(counts, unit, joined_by.join(wanted), joined_by.join(had))
