"""BERTScore: how near each token of a text is to the nearest of another, by a model's embeddings (Zhang et al., 2020).

Embeddings are those of one layer, normalized. P is the mean over the tokens of the hypothesis of the largest cosine to
a token of the reference, R the same the other way, F1 = 2 P R / (P + R), mean over the rows; the model's own first and
last token are compared with, and not counted. Scores of different models, layers and versions cannot be compared: the
model and layer must be named, and are recorded. With a baseline B the score is (F1 - B) / (1 - B).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import UsageError
from .metric import Counted, Metric, Pair

FIELDS = ("f1", "rows", "precision", "recall")
_EXTRA = "pip install 'triptych[infer]'"

Embed = Callable[[str], tuple[Any, Any]]
"""A text -> the normalized embedding of each token, and which of them count."""


def bert_score(*, model: str | None, layer: int | None, baseline: float | None = None) -> Metric:
    """BERTScore by a model: a name on the hub or a folder, and the number of its layer.

    Raises:
        UsageError: No model or layer is named, the model cannot be read or has no such layer, or torch is missing.
    """
    if model is None or layer is None:
        raise UsageError(
            "BERTScore needs a model and one of its layers, on which the score depends.",
            hint="--bert-model microsoft/deberta-xlarge-mnli --bert-layer 40",
        )
    embed, version = _embedder(model, layer)

    def count(pair: Pair) -> Counted:
        precision, recall = (0.0, 0.0) if pair.hypothesis is None else _nearness(embed, pair.reference, pair.hypothesis)
        f1 = 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
        return Counted((f1, 1, precision, recall), "tokens", pair.reference, pair.hypothesis or "")

    def rate(counts: Any) -> float | None:
        if not counts[1]:
            return None
        mean = float(counts[0] / counts[1])
        return mean if baseline is None else (mean - baseline) / (1 - baseline)

    details = {"model": model, "layer": str(layer), "baseline": "none" if baseline is None else f"{baseline:g}",
               "transformers": version}  # fmt: skip
    return Metric(name="bertscore", about="BERTScore, F1", fields=FIELDS, count=count, rate=rate, of="chain",
                  details=details)  # fmt: skip


def _nearness(embed: Embed, reference: str, hypothesis: str) -> tuple[float, float]:
    (wanted, wanted_counts), (had, had_counts) = embed(reference), embed(hypothesis)
    if not bool(wanted_counts.any()) or not bool(had_counts.any()):
        return 0.0, 0.0
    cosines = had @ wanted.T
    return float(cosines.max(dim=1).values[had_counts].mean()), float(cosines.max(dim=0).values[wanted_counts].mean())


def _embedder(model: str, layer: int) -> tuple[Embed, str]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise UsageError(f"BERTScore needs {error.name}, which is not installed.", hint=_EXTRA) from error
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        network = transformers.AutoModel.from_pretrained(model, use_safetensors=True).eval()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--bert-model {model}: it cannot be read: {str(error).splitlines()[0]}",
            hint="name the folder of a model, or a model of the hub with weights in safetensors",
        ) from error
    layers = int(network.config.num_hidden_layers)
    if not 0 <= layer <= layers:
        raise UsageError(f"--bert-layer {layer}: {model} has the layers 0 to {layers}.")
    longest = min(int(tokenizer.model_max_length), int(getattr(network.config, "max_position_embeddings", 512)))

    def embed(text: str) -> tuple[Any, Any]:
        told = tokenizer(text.strip(), return_tensors="pt", return_special_tokens_mask=True, truncation=True,
                         max_length=longest)  # fmt: skip
        special = told.pop("special_tokens_mask")[0].bool()
        with torch.inference_mode():
            hidden = network(**told, output_hidden_states=True).hidden_states[layer][0]
        return torch.nn.functional.normalize(hidden, dim=-1), ~special

    return embed, str(transformers.__version__)
