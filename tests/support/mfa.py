"""A stand-in for the Montreal Forced Aligner: a program on PATH."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROGRAM = '''
"""Does what `mfa` does with its corpus: words of equal length, phones of equal length, in TextGrids."""

import os, pathlib, sys, wave

if sys.argv[1:] == ["version"]:
    print(os.environ["FAKE_VERSION"])
    sys.exit()
*options, corpus, dictionary, model, out = sys.argv[1:]
pathlib.Path(os.environ["FAKE_SEEN"]).write_text("\\n".join([*options, dictionary, model]))
if model == "absent":
    sys.exit("PretrainedModelNotFoundError: Could not find a model named absent")
for lab in sorted(pathlib.Path(corpus).rglob("*.lab")):
    words = lab.read_text(encoding="utf-8").replace("-", " ").split()
    if "unheard" in words:
        continue
    with wave.open(str(lab.with_suffix(".wav"))) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (16000, 1)
        end = sound.getnframes() / 16000
    step = end / (len(words) + 1)
    spans = [(word, step * (n + 1), step * (n + 2)) for n, word in enumerate(words)]
    phones = [("spn" if word == "zembla" else word[0].upper(), a, b) for word, a, b in spans]
    target = pathlib.Path(out) / lab.relative_to(corpus).with_suffix(".TextGrid")
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", str(end), "<exists>", "2"]
    for name, tier in (("words", spans), ("phones", phones)):
        tier = [("", 0.0, step), *tier]
        lines += ['"IntervalTier"', f'"{name}"', "0", str(end), str(len(tier))]
        lines += [f'{a} {b} "{text}"' for text, a, b in tier]
    target.write_text("\\n".join(lines), encoding="utf-8")
'''


def stand_in(folder: Path, version: str = "3.2.1") -> dict[str, str]:
    """Write the program below a folder; the environment in which it is found. It notes its options in `seen`."""
    program = folder / "bin" / "mfa"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable} -S\n{PROGRAM}")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "FAKE_VERSION": version, "FAKE_SEEN": str(folder / "seen")}
