"""The kinds of values that keys of a configuration take, each checked where it is read.

YAML 1.1, which Python's loader speaks, reads `2e-5` as text, because its numbers with an exponent need a point and a
sign. Keys for numbers take such text as the number that it is; no other text, and never true or false.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.fields import FieldInfo

from ....validators.metrics.metric import JUDGED, NAMES

_EXPONENT = re.compile(r"[-+]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)[eE][-+]?\d+")
_DTYPES = {"bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float32": "fp32", "float": "fp32"}


def key(text: str, *, source: str = "", **limits: Any) -> FieldInfo:
    """One key: what it means, and where its default comes from."""
    field: FieldInfo = Field(description=text, json_schema_extra={"source": source}, **limits)
    return field


def _number(value: Any) -> Any:
    return float(value.replace("_", "")) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


def _whole(value: Any) -> Any:
    found = _number(value)
    return int(found) if isinstance(found, float) and found.is_integer() else value


def _dtype(value: Any) -> Any:
    return _DTYPES.get(value, value) if isinstance(value, str) else value


def _path(value: Any) -> Any:
    if not isinstance(value, str | Path):
        raise ValueError("a path is expected")
    if not str(value).strip():
        raise ValueError("a path is expected, not an empty text")
    return Path(value).expanduser()


def listed(value: Any) -> Any:
    """A list of YAML as the tuple that a section holds."""
    return tuple(value) if isinstance(value, list) else value


def names(value: Any) -> Any:
    """The same of names; one alone is a list of one."""
    return (value,) if isinstance(value, str) else listed(value)


def _metric(value: Any) -> Any:
    known = [name for name in NAMES if name not in JUDGED]
    if value not in known:
        raise ValueError(f"{value!r} is no metric of answers; metrics: {', '.join(known)}")
    return value


def _two_betas(value: Any) -> Any:
    found = [_number(each) for each in value] if isinstance(value, list | tuple) else []
    is_beta = [isinstance(each, float | int) and not isinstance(each, bool) and 0 <= each < 1 for each in found]
    if len(found) != 2 or not all(is_beta):
        raise ValueError("two numbers from 0 to below 1 are expected, such as [0.9, 0.95]")
    return (float(found[0]), float(found[1]))


def _trained(value: Any) -> Any:
    """`projector`, or `encoder_top: 4` as a mapping."""
    if isinstance(value, Mapping) and list(value) == ["encoder_top"]:
        layers = _whole(value["encoder_top"])
        if isinstance(layers, bool) or not isinstance(layers, int) or layers < 1:
            raise ValueError(f"encoder_top: a number of layers is expected, not {value['encoder_top']!r}")
        return f"encoder_top:{layers}"
    written = value.replace(" ", "") if isinstance(value, str) else value
    if written in (*COMPONENTS, "all") or (isinstance(written, str) and re.fullmatch(r"encoder_top:[1-9]\d*", written)):
        return written
    raise ValueError(f"{value!r} is no part of a model; parts: all, encoder_top: N, {', '.join(COMPONENTS)}")


COMPONENTS = (
    "audio_tower",
    "projector",
    "visual",
    "visual_projector",
    "language_model",
    "experts",
    "router",
    "lm_head",
    "new_tokens",
    "ctc_head",
)
"""The parts of models, by one name for all families."""

Component = Literal[
    "audio_tower", "projector", "visual", "visual_projector", "language_model", "experts", "router", "lm_head",
    "new_tokens", "ctc_head",
]  # fmt: skip
Dtype = Annotated[Literal["auto", "bf16", "fp16", "fp32"], BeforeValidator(_dtype)]

Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_whole)]
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(names)]
Components = Annotated[tuple[Component, ...], BeforeValidator(names)]
Betas = Annotated[tuple[float, float], BeforeValidator(_two_betas)]
Metric = Annotated[str, BeforeValidator(_metric)]
PathValue = Annotated[Path, BeforeValidator(_path)]
Trained = Annotated[str, BeforeValidator(_trained)]
"""A part that a stage trains: a component, `all`, or `encoder_top:N`."""
