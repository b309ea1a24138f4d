"""How conversations are written for models, where training and inference must write the same.

Models without a chat template read a raw form: the sound and then the prompt, as in Qwen2-Audio's own evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..data.turns import ASSISTANT, Turn


def raw_form(turns: Sequence[Turn], sound: str) -> str:
    """The turns as they are; turns of examples follow one another line by line.

    Args:
        sound: What stands for a clip.
    """
    texts = []
    for turn in turns:
        text = "".join(part if isinstance(part, str) else sound for part in turn.parts)
        texts.append(f"{text}\n" if turn.role == ASSISTANT else text)
    return "\n".join(texts[:-1]) + ("\n" if texts[:-1] else "") + texts[-1]


def takes_special_tokens(tokenizer: Any, text: str) -> bool:
    """Whether a tokenizer is to put its own tokens around a text: not where the text begins with them already."""
    bos = getattr(tokenizer, "bos_token", None)
    return not (bos and text.startswith(bos))
