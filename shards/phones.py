"""Phone sets: TIMIT's 61 labels, and their folding to 48 for training and 39 for scoring.

The table is Kaldi's `phones.60-48-39.map`, which is Lee and Hon's (1989): `q` is left out, closures and pauses become
silence. Labels of other sources are read as ARPABET: in lower case, without stress (`AH0`) and position (`AH0_B`);
their silence is `sil`, which TIMIT's own 61 labels do not have.
"""

from __future__ import annotations

from ..errors import UsageError

SETS = ("39", "48", "61")
OWN = "own"
"""The labels of the corpus, as they are."""
BOUNDARY = "|"
"""Stands between words; no set has it."""


def _phones(names: str) -> frozenset[str]:
    return frozenset(names.split())


_SAME = _phones("aa ae ah aw ay b ch d dh dx eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z")
_TO_48 = {
    "ax-h": "ax", "axr": "er", "bcl": "vcl", "dcl": "vcl", "gcl": "vcl", "pcl": "cl", "tcl": "cl", "kcl": "cl",
    "em": "m", "eng": "ng", "nx": "n", "hv": "hh", "ux": "uw", "h#": "sil", "pau": "sil",
}  # fmt: skip
_TO_39 = {
    "ao": "aa", "ax": "ah", "ix": "ih", "el": "l", "en": "n", "zh": "sh", "cl": "sil", "vcl": "sil", "epi": "sil",
}  # fmt: skip
LEFT_OUT = "q"
_SILENCES = ("", "sp", "silence", "<sil>", "<eps>")
"""What aligners write for silence, beside `sil`."""

PHONES = {
    "61": frozenset([*_SAME, *_TO_48, "ao", "ax", "ix", "el", "en", "zh", "epi", LEFT_OUT]),
    "48": frozenset([*_SAME, "sil", *_TO_39]),
    "39": frozenset([*_SAME, "sil"]),
}
SILENCE = {
    "61": frozenset({"h#", "pau", "epi", "bcl", "dcl", "gcl", "pcl", "tcl", "kcl"}),
    "48": frozenset({"sil", "epi", "cl", "vcl"}),
    "39": frozenset({"sil"}),
    OWN: frozenset({"sil"}),
}
"""What is silence or a closure in each set, and silence when it is folded to 39."""


def fold(phone: str, to: str) -> str | None:
    """A phone of TIMIT's 61, of the 48 or of the 39 in a smaller set; None for `q`, which these leave out.

    Raises:
        UsageError: There is no such set.
    """
    if to not in SETS:
        raise UsageError(f"There is no phone set {to!r}: {', '.join(SETS)}.")
    if to == "61":
        return phone
    if phone == LEFT_OUT:
        return None
    folded = _TO_48.get(phone, phone)
    return folded if to == "48" else _TO_39.get(folded, folded)


def labels(to: str, *, drop_silence: bool = False) -> dict[str, str]:
    """Every label that can be read, as a corpus or an aligner writes it -> its phone in a set; empty if left out.

    Raises:
        UsageError: There is no such set.
    """
    found = {phone: fold(phone, to) or "" for phone in PHONES["61"]}
    if to != "61":
        found |= {phone: fold(phone, to) or "" for phone in PHONES["48"]} | dict.fromkeys(_SILENCES, "sil")
    return {label: "" if drop_silence and phone in SILENCE[to] else phone for label, phone in found.items()}
