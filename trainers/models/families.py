"""Families of models that are trained here, and the parts of each by name.

A component is a part that is trained or kept as a whole: the audio tower, the projector behind it, the language model.
Each parameter belongs to one. Adapters, learning rates and stages are told by these names, and what was done is held
against them afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ...errors import DamagedError, UsageError
from .model_loading import TEXT as TEXT_KIND
from .model_loading import kind_of

AUDIO_TOWER, PROJECTOR, VISUAL, VISUAL_PROJECTOR = "audio_tower", "projector", "visual", "visual_projector"
LANGUAGE_MODEL, EXPERTS, ROUTER, LM_HEAD = "language_model", "experts", "router", "lm_head"
NEW_TOKENS, CTC_HEAD = "new_tokens", "ctc_head"

_SEEN = frozenset({"image", "video"})
REACHED_BY = {
    AUDIO_TOWER: frozenset({"audio"}), PROJECTOR: frozenset({"audio"}), VISUAL: _SEEN, VISUAL_PROJECTOR: _SEEN,
}  # fmt: skip
"""The modalities that reach a component; those that are not named here are reached by every row."""

_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
_FEED_FORWARD = ("gate_proj", "up_proj", "down_proj")

_WRAPPED = re.compile(
    r"^(?:module\.|_fsdp_wrapped_module\.|_orig_mod\.)*(?:base_model\.model\.)?"
    r"|\.(?:base_layer|modules_to_save\.\w+|original_module|lora_[AB]\.\w+|lora_embedding_[AB]\.\w+)(?=\.|$)"
    r"|(?<=\.)(?:_fsdp_wrapped_module|_orig_mod|_checkpoint_wrapped_module)\."
)
_ADAPTER = re.compile(r"\.lora_(?:embedding_)?[AB]\.")


@dataclass(frozen=True, slots=True)
class Family:
    """Models with the same parts.

    Attributes:
        name: `qwen2-audio`, `qwen3-omni`, `phoneme` or `text`.
        model_types: As their `config.json` says; empty: any that answers in text.
        components: Names of components, and patterns of the parameters and modules in each; the first that matches.
        adapted: Layers that LoRA adapts unless others are named, by the last part of their names.
        placeholder: What stands for one sound in a prompt, with the tokens around it.
        placeholders: Tokens that stand for media and around it; none of them is ever an answer.
        fixed: A pattern of parameters that are never trained: tables of numbers, encoders that stay as they are.
        layers: Of the audio tower: where its layers are, and the pattern of what follows them.
    """

    name: str
    model_types: frozenset[str]
    components: tuple[tuple[str, str], ...]
    adapted: tuple[str, ...]
    placeholder: str = ""
    placeholders: tuple[str, ...] = ()
    fixed: str | None = None
    layers: tuple[str, str] | None = None
    modules: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def component_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name, _ in self.components))

    def component_of(self, name: str) -> str:
        """The component of a parameter or module, whatever it is wrapped in.

        Raises:
            DamagedError: It belongs to none.
        """
        plain = plain_name(name)
        for component, pattern in self.components:
            if re.match(pattern, plain):
                return component
        raise DamagedError(f"{name} is in no component of {self.name}; this model has parts that are not known here.")

    def is_fixed(self, name: str) -> bool:
        return self.fixed is not None and re.match(self.fixed, plain_name(name)) is not None

    def module(self, model: Any, component: str) -> Any:
        """The module of a component that is one module, in a model that may be wrapped; None: there is none."""
        path = self.modules.get(component)
        return None if path is None else base_model(model).get_submodule(path)

    def check_components(self, names: Iterable[str], *, option: str) -> None:
        """Raise UsageError if one of these names is no component."""
        known = self.component_names
        for name in names:
            if name not in known:
                raise UsageError(f"{option}: {self.name} has no {name!r}.", hint=f"one of {', '.join(known)}")


def plain_name(name: str) -> str:
    """The name of a parameter or module in the model as it was loaded: without what adapters and wrappers add."""
    return _WRAPPED.sub("", name)


def is_adapter(name: str) -> bool:
    """Whether a parameter was added by LoRA."""
    return _ADAPTER.search(name) is not None


def base_model(model: Any) -> Any:
    """The model inside adapters and wrappers."""
    while True:
        if hasattr(model, "get_base_model"):
            model = model.get_base_model()
        elif hasattr(model, "module") and not hasattr(model, "config"):
            model = model.module
        else:
            return model


_LANGUAGE = (
    (EXPERTS, r"(?:.*\.)?mlp\.experts(?:\.|$)"),
    (ROUTER, r"(?:.*\.)?mlp\.(?:gate|router)(?:\.|$)"),
)

QWEN2_AUDIO = Family(
    name="qwen2-audio",
    model_types=frozenset({"qwen2_audio"}),
    components=(
        (AUDIO_TOWER, r"model\.audio_tower(?:\.|$)"),
        (PROJECTOR, r"model\.multi_modal_projector(?:\.|$)"),
        (LANGUAGE_MODEL, r"model\.language_model(?:\.|$)"),
        (LM_HEAD, r"lm_head(?:\.|$)"),
    ),
    adapted=(*_ATTENTION, *_FEED_FORWARD),
    placeholder="<|audio_bos|><|AUDIO|><|audio_eos|>",
    placeholders=("<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"),
    fixed=r"model\.audio_tower\.embed_positions\.",
    layers=("model.audio_tower.layers", r"model\.audio_tower\.layer_norm\."),
    modules={AUDIO_TOWER: "model.audio_tower", PROJECTOR: "model.multi_modal_projector"},
)

QWEN3_OMNI = Family(
    name="qwen3-omni",
    model_types=frozenset({"qwen3_omni_moe", "qwen3_omni_moe_thinker"}),
    components=(
        (PROJECTOR, r"model\.audio_tower\.proj[12](?:\.|$)"),
        (AUDIO_TOWER, r"model\.audio_tower(?:\.|$)"),
        (VISUAL_PROJECTOR, r"model\.visual\.merger(?:_list)?(?:\.|$)"),
        (VISUAL, r"model\.visual(?:\.|$)"),
        *_LANGUAGE,
        (LANGUAGE_MODEL, r"model\.language_model(?:\.|$)"),
        (LM_HEAD, r"lm_head(?:\.|$)"),
    ),
    adapted=_ATTENTION,
    placeholder="<|audio_start|><|audio_pad|><|audio_end|>",
    placeholders=(
        "<|audio_start|>", "<|audio_pad|>", "<|audio_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
        "<|video_pad|>",
    ),
    layers=("model.audio_tower.layers", r"model\.audio_tower\.ln_post\."),
    modules={AUDIO_TOWER: "model.audio_tower", VISUAL: "model.visual"},
)  # fmt: skip
"""The thinker: the part that answers in text. Its projector is the last two layers of its audio tower."""

TEXT = Family(
    name="text",
    model_types=frozenset(),
    components=(*_LANGUAGE, (LM_HEAD, r"(?:lm_head|embed_out|output_layer)(?:\.|$)"), (LANGUAGE_MODEL, r".")),
    adapted=(*_ATTENTION, *_FEED_FORWARD),
)

PHONEME = Family(
    name="phoneme",
    model_types=frozenset({"triptych_phoneme"}),
    components=(
        (AUDIO_TOWER, r"audio_tower(?:\.|$)"),
        (PROJECTOR, r"projector(?:\.|$)"),
        (NEW_TOKENS, r"new_tokens(?:\.|$)"),
        (CTC_HEAD, r"ctc_head(?:\.|$)"),
        *_LANGUAGE,
        (LM_HEAD, r"language_model\.(?:lm_head|embed_out|output_layer)(?:\.|$)"),
        (LANGUAGE_MODEL, r"language_model(?:\.|$)"),
    ),
    adapted=(*_ATTENTION, *_FEED_FORWARD),
    placeholder="<PH_SOUND>",
    placeholders=("<PH_SOUND>",),
    fixed=r"audio_tower\.",
    modules={AUDIO_TOWER: "audio_tower", PROJECTOR: "projector"},
)
"""A speech encoder that stays as it is, a projector, and a language model with tokens for phones."""

FAMILIES = (QWEN2_AUDIO, QWEN3_OMNI, PHONEME, TEXT)


def check_known(names: Iterable[str], *, option: str) -> None:
    """Raise UsageError if one of these names is a component of no family."""
    known = sorted({each for family in FAMILIES for each in family.component_names})
    for name in names:
        if name not in known:
            raise UsageError(f"{option}: no model has {name!r}.", hint=f"one of {', '.join(known)}")


def family_of(config: Any) -> Family:
    """The family of a model, by its configuration.

    Raises:
        UsageError: It is of none that can be trained here.
    """
    for family in FAMILIES:
        if config.model_type in family.model_types:
            return family
    if kind_of(config) == TEXT_KIND:
        return TEXT
    named = ", ".join(sorted({each for family in FAMILIES if family is not PHONEME for each in family.model_types}))
    raise UsageError(
        f"models of the type {config.model_type!r} cannot be trained here.",
        hint=f"models of sound: {named}; and models of text alone that transformers has a class for",
    )


def has_fused_experts(config: Any) -> bool:
    """Whether the weights of all experts of a layer are one tensor, as transformers holds them."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return any(getattr(text, name, None) for name in ("num_experts", "num_local_experts", "n_routed_experts"))
