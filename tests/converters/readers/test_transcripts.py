"""Lines of transcript files: where the id ends and the text begins."""

from __future__ import annotations

from pathlib import Path

from support.corpora import noise
from support.natives import unpacked
from support.pulls import pulled, reasons

LINES = {
    "BAC009S0002W0122": "BAC009S0002W0122 Let It Go",
    "BAC009S0002W0123": "BAC009S0002W0123\tLet It Go",
    "BAC009S0002W0124": "BAC009S0002W0124 \t Let It Go \t",
    "BAC009S0002W0125": "  BAC009S0002W0125\t",
}


def test_any_white_space_parts_the_id_from_a_text_with_spaces(tmp_path: Path) -> None:
    files = {f"data_aishell/wav/train/S0002/{name}.wav": noise(seed) for seed, name in enumerate(LINES)}
    transcript = "".join(f"{line}\r\n" for line in LINES.values()).encode()
    tree = unpacked(tmp_path / "tree", files | {"data_aishell/transcript/aishell_transcript_v0.8.txt": transcript})
    rows = pulled("aishell1", tmp_path / "store", from_path=tree)
    assert reasons(tmp_path / "store") == {}
    assert {name: row["text"] for name, row in rows.items()} == {
        "train/BAC009S0002W0122": "Let It Go",
        "train/BAC009S0002W0123": "Let It Go",
        "train/BAC009S0002W0124": "Let It Go",
        "train/BAC009S0002W0125": "",
    }
