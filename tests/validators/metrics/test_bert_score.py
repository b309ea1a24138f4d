"""BERTScore, by a tiny model with random weights: the definition, written out."""

from __future__ import annotations

from pathlib import Path

import pytest
from triptych.errors import UsageError
from triptych.validators.metrics.choice import Settings, metric
from triptych.validators.metrics.metric import Pair

WORDS = ["the", "cat", "dog", "sat", "on", "mat", "angry", "loud"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=13, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                                     intermediate_size=32, max_position_embeddings=32)  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_the_model_and_its_layer_must_be_named() -> None:
    with pytest.raises(UsageError, match="a model and one of its layers"):
        metric("bertscore", Settings())


def test_scores_are_those_of_the_definition(model: Path) -> None:
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    network = transformers.AutoModel.from_pretrained(model).eval()
    texts = ("the cat sat on the mat", "the dog sat")
    with torch.no_grad():
        one, other = (
            network(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states[1][0].numpy()
            for text in texts
        )
    one, other = ([row / (row @ row) ** 0.5 for row in rows] for rows in (one, other))
    recall = sum(max(float(a @ b) for b in other) for a in one[1:-1]) / 6
    precision = sum(max(float(a @ b) for b in one) for a in other[1:-1]) / 3
    used = metric("bertscore", Settings(bert_model=str(model), bert_layer=1))
    found = used.count(Pair(reference=texts[0], hypothesis=texts[1])).counts
    assert found[1:] == pytest.approx((1, precision, recall), abs=1e-5)
    assert found[0] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-5)
    assert used.details["layer"] == "1"
    assert used.count(Pair(reference="the cat", hypothesis=None)).counts == (0, 1, 0, 0)
    assert used.count(Pair(reference="the cat", hypothesis="")).counts == (0, 1, 0, 0)
    rescaled = metric("bertscore", Settings(bert_model=str(model), bert_layer=1, bert_baseline=0.5))
    assert rescaled.rate((0.75, 1, 0, 0)) == pytest.approx(0.5)
    with pytest.raises(UsageError, match="has the layers 0 to 2"):
        metric("bertscore", Settings(bert_model=str(model), bert_layer=3))


def test_a_folder_without_a_model_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it cannot be read"):
        metric("bertscore", Settings(bert_model=str(tmp_path), bert_layer=1))
