"""Scores are those of a computation that runs every expert on every token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from triptych.errors import DamagedError, ProblemsFound, UsageError
from triptych.trainers.reap import criteria
from triptych.trainers.reap.scores.calibration import Source
from triptych.trainers.reap.scores.expert_sums import ExpertSums, State, Stratum, put_together
from triptych.trainers.reap.scores.masks import pruned_to
from triptych.trainers.reap.scores.measure import PassSettings, measure
from triptych.trainers.reap.scores.moe_layers import moe_layers

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")

Sums = dict[str, Any]


def golden(logits: Any, outputs: Any, *, top_k: int, renormalise: bool) -> ExpertSums:
    """The sums of tokens with these router logits, whose experts give these outputs, through the capture itself."""
    from torch import nn
    from triptych.trainers.reap.scores.capture import Capture
    from triptych.trainers.reap.scores.moe_layers import MoeLayer

    class Experts(nn.Module):
        """Experts that give the outputs of a table, by token; a token's hidden state is its number."""

        def forward(self, hidden: Any, chosen: Any, weights: Any) -> Any:
            found = torch.stack([
                sum(weight * outputs[expert, int(token)] for expert, weight in zip(row, own, strict=True))
                for token, row, own in zip(hidden[:, 0], chosen, weights, strict=True)
            ])  # fmt: skip
            return found

    probabilities = torch.softmax(logits, -1)
    values, chosen = probabilities.topk(top_k, -1)
    if renormalise:
        values = values / values.sum(-1, keepdim=True)
    tokens, count = logits.shape
    experts = Experts()
    layer = MoeLayer(0, None, experts, count, top_k)
    hidden = torch.arange(tokens, dtype=torch.float32)[:, None].expand(-1, outputs.shape[-1])
    with Capture([layer], wants_largest=True) as capture:
        capture.begin(torch.zeros(1, tokens, dtype=torch.long))
        experts(hidden, chosen, values)
        found, largest = capture.take()
    sums = ExpertSums((0,), count, top_k)
    sums.add(Stratum("text", "x", "en", "qa"), found[0], tokens=tokens, rows=1)
    sums.add_largest(largest)
    return sums


LOGITS = [[2.0, 1.0, 0.0], [1.0, 0.0, 2.0]]
OUTPUTS = [[[3.0, 4.0], [8.0, 15.0]], [[0.0, 6.0], [0.0, 1.0]], [[1.0, 0.0], [7.0, 24.0]]]


@pytest.mark.parametrize(
    ("renormalise", "saliency", "weights"),
    [
        (False, [3.743294, 1.468371, 16.631023], None),
        (True, [4.113648, 1.613649, 18.276463], [1.0, 0.268941, 0.731059]),
    ],
)
def test_two_tokens_and_three_experts_score_as_cerebras_code_scores_them(
    renormalise: bool, saliency: list[float], weights: list[float] | None
) -> None:
    made = golden(torch.tensor(LOGITS), torch.tensor(OUTPUTS), top_k=2, renormalise=renormalise)
    total = made.total()[0]
    assert total[:, 0].tolist() == [2, 1, 1]
    assert total[:, 2].tolist() == [22, 6, 25]
    assert (total[:, 2] / total[:, 0]).tolist() == [11, 6, 25]
    assert criteria.scores("reap", made)[0] == pytest.approx(saliency, rel=1e-6)
    assert criteria.scores("frequency", made)[0].tolist() == [2, 1, 1]
    assert criteria.scores("ean", made)[0].tolist() == [22, 6, 25]
    assert made.largest[0].tolist() == [15, 6, 24]
    if weights is not None:
        assert total[:, 1] == pytest.approx(weights, abs=1e-6)


def test_a_mean_is_over_tokens_and_not_over_the_means_of_batches() -> None:
    """Gates of one half: one token of norm 5, then three of norm 1."""
    sums = ExpertSums((0,), 2, 2)
    stratum = Stratum("text", "x", "en", "qa")
    for norms in ([5.0], [1.0, 1.0, 1.0]):
        each = np.array([[[len(norms), 0.5 * len(norms), sum(norms), 0.5 * sum(norms)]] * 2])
        sums.add(stratum, each, tokens=len(norms), rows=1)
    assert criteria.scores("reap", sums)[0].tolist() == [1.0, 1.0]


def test_negative_outputs_have_a_largest_value_of_nought() -> None:
    made = golden(torch.tensor(LOGITS), -torch.tensor(OUTPUTS), top_k=2, renormalise=True)
    assert made.largest[0].tolist() == [0, 0, 0]


# ---- real layers


def direct(model: Any, layers: Any, batches: list[tuple[Any, Any]]) -> list[Sums]:
    """Every expert on every token that is no padding, masked by the router's choice afterwards; in 64 bits."""
    inputs: dict[int, list[Any]] = {layer.index: [] for layer in layers}
    hooks = [
        layer.router.register_forward_pre_hook(lambda _, args, at=layer.index: inputs[at].append(args[0].detach()))
        for layer in layers
    ]
    with torch.inference_mode():
        for ids, mask in batches:
            before = {at: len(each) for at, each in inputs.items()}
            model.model(input_ids=ids, attention_mask=mask)
            for at, each in inputs.items():
                each[before[at]] = each[before[at]].reshape(-1, each[before[at]].shape[-1])[mask.reshape(-1).bool()]
    for hook in hooks:
        hook.remove()
    found = []
    for layer in layers:
        x = torch.cat(inputs[layer.index]).double()
        probabilities = torch.softmax(x @ layer.router.weight.double().T, -1)
        values, chosen = probabilities.topk(layer.top_k, -1)
        gates = probabilities / values.sum(-1, keepdim=True)
        each: Sums = {"reap": [], "ean": [], "frequency": []}
        for expert in range(layer.count):
            gate, up = (x @ layer.experts.gate_up_proj[expert].double().T).chunk(2, -1)
            norms = (torch.nn.functional.silu(gate) * up @ layer.experts.down_proj[expert].double().T).norm(dim=-1)
            is_given = (chosen == expert).any(-1)
            each["frequency"].append(int(is_given.sum()))
            each["ean"].append(float(norms[is_given].sum().detach()))
            each["reap"].append(float((gates[:, expert] * norms)[is_given].mean().detach()) if is_given.any() else 0.0)
        found.append(each)
    return found


@pytest.fixture(scope="module")
def encoder(moe: Path) -> Any:
    from triptych.trainers.sft.encoders import encoder_of

    return encoder_of("text", moe)


@pytest.fixture(scope="module")
def source(text_rows: Callable[..., Path]) -> Source:
    return Source.open("text", str(text_rows()), store=None, allow_held_out=False)


def run(loaded: Any, encoder: Any, sources: list[Source], path: Path, **settings: Any) -> State:
    layers = moe_layers(loaded.model)
    return measure(loaded, layers, encoder, sources, PassSettings(**settings), path / "scores.npz")


@pytest.mark.parametrize("batch_tokens", [1, 300, 100_000], ids=["row by row", "many batches", "one batch"])
def test_scores_are_those_of_every_expert_on_every_token(
    loaded: Any, encoder: Any, source: Source, tmp_path: Path, batch_tokens: int
) -> None:
    sums = run(loaded, encoder, [source], tmp_path, batch_tokens=batch_tokens).sums
    rows = [encoder.join([encoder.encode(each.row)]) for each in source.rows()]
    expected = direct(
        loaded.model, moe_layers(loaded.model), [(each["input_ids"], each["attention_mask"]) for each in rows]
    )
    assert sums.layers == (0, 2)
    for place, each in enumerate(expected):
        for name, values in each.items():
            assert criteria.scores(name, sums)[place] == pytest.approx(values, rel=1e-5), name
    assert sum(sums.tokens.values()) == sum(row["input_ids"].numel() for row in rows)
    assert {stratum.language: rows for stratum, rows in sums.rows.items()} == {"de": 6, "en": 6}


def test_parts_add_up_to_the_whole_and_a_pass_that_was_ended_goes_on_to_the_same_bits(
    loaded: Any, encoder: Any, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(loaded, encoder, [source], tmp_path / "whole", batch_tokens=300)
    parts = [
        run(loaded, encoder, [source], tmp_path / str(part), batch_tokens=300, part=(part, 3)) for part in range(3)
    ]
    together = put_together(parts).sums
    assert together.rows == whole.sums.rows
    np.testing.assert_allclose(together.total(), whole.sums.total(), rtol=1e-6)
    assert criteria.keep(criteria.scores("reap", together), 4) == criteria.keep(criteria.scores("reap", whole.sums), 4)

    from triptych.trainers.reap.scores import measure as module

    passes = module._pass
    count = iter(range(100))

    def failing(*args: Any) -> None:
        if next(count) == 3:
            raise KeyboardInterrupt
        passes(*args)

    monkeypatch.setattr(module, "_pass", failing)
    settings = {"batch_tokens": 300, "save_seconds": 0.0}
    with pytest.raises(KeyboardInterrupt):
        run(loaded, encoder, [source], tmp_path / "ended", **settings)
    assert State.load(tmp_path / "ended" / "scores.npz").row > 0
    monkeypatch.setattr(module, "_pass", passes)
    again = run(loaded, encoder, [source], tmp_path / "ended", **settings)
    assert again.sums.sha256 == whole.sums.sha256
    moved = Path(source.name).with_name("moved.jsonl")
    moved.write_bytes(Path(source.name).read_bytes())
    elsewhere = Source.open("text", str(moved), store=None, allow_held_out=False)
    assert run(loaded, encoder, [elsewhere], tmp_path / "ended", **settings).is_complete
    with pytest.raises(UsageError, match="differs in samples"):
        run(loaded, encoder, [source], tmp_path / "ended", **settings, samples=3)


def test_the_pass_itself_is_the_same_to_the_last_bit(loaded: Any) -> None:
    from triptych.trainers.reap.scores.capture import Capture

    ids = torch.randint(0, 200, (3, 20), generator=torch.manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 12:] = 0
    layers = moe_layers(loaded.model)
    with torch.inference_mode():
        for implementation in ("grouped_mm", "batched_mm"):
            loaded.model.set_experts_implementation(implementation)
            plain = loaded.model(input_ids=ids, attention_mask=mask).logits
            with Capture(layers) as capture:
                capture.begin(torch.where(mask.bool(), 0, -1))
                seen = loaded.model(input_ids=ids, attention_mask=mask).logits
                sums, _ = capture.take()
            assert torch.equal(plain, seen)
            assert sums[0, :, :, 0].sum(1).tolist() == [2 * int(mask.sum())] * 2
            assert torch.equal(plain, loaded.model(input_ids=ids, attention_mask=mask).logits)
    loaded.model.set_experts_implementation("grouped_mm")


def test_masked_routers_choose_among_the_kept(loaded: Any) -> None:
    layers = moe_layers(loaded.model)
    seen: list[Any] = []
    hook = layers[0].router.register_forward_hook(lambda _, __, out: seen.append(out[2]))
    ids = torch.randint(0, 200, (1, 30), generator=torch.manual_seed(2))
    with torch.inference_mode(), pruned_to(layers, ((1, 4, 6), (0, 1, 2))):
        loaded.model(input_ids=ids)
    hook.remove()
    assert set(seen[0].unique().tolist()) <= {1, 4, 6}


# ---- which are kept


def test_the_best_are_kept_in_their_order_and_of_equals_the_first() -> None:
    assert criteria.keep(np.array([[0.5, 0.1, 0.3, 0.9]]), 2) == ((0, 3),)
    assert criteria.keep(np.array([[0.2, 0.7, 0.2, 0.2]]), 2) == ((0, 1),)
    assert criteria.keep(np.zeros((1, 4)), 3) == ((0, 1, 2),)
    with pytest.raises(UsageError, match="finite"):
        criteria.keep(np.array([[np.nan, 1.0]]), 1)


@pytest.mark.parametrize(
    ("experts", "share", "kept"), [(128, 0.5, 64), (128, 0.6, 76), (128, 0.33, 42), (100, 0.29, 29), (10, 0.7, 7)]
)
def test_a_share_that_is_kept_is_rounded_down(experts: int, share: float, kept: int) -> None:
    assert criteria.keep_count(experts, retention=share) == kept


@pytest.mark.parametrize(("experts", "share", "pruned"), [(128, 0.25, 32), (128, 0.5, 64), (10, 0.29, 2)])
def test_a_share_that_is_pruned_is_rounded_down(experts: int, share: float, pruned: int) -> None:
    assert criteria.keep_count(experts, compression=share) == experts - pruned


def test_too_few_and_all_are_refused() -> None:
    with pytest.raises(UsageError, match="7 of 128 experts would be left, and each token is given to 8"):
        criteria.check_count(7, experts=128, top_k=8)
    with pytest.raises(UsageError, match="nothing is pruned"):
        criteria.check_count(8, experts=8, top_k=2)


def test_super_experts_are_those_far_above_all() -> None:
    largest = np.array([[1, 2, 3], [1, 100, 2], [1, 1, 1], [90, 1, 1]], float)
    assert criteria.threshold(largest) == pytest.approx(99.45)
    found = criteria.protected(largest, "super-experts")
    assert np.argwhere(found).tolist() == [[1, 1]]
    kept = criteria.keep(np.array([[3, 2, 1], [3, 0, 2], [1, 2, 3], [1, 2, 3]], float), 1, protect=found)
    assert kept == ((0,), (1,), (2,), (2,))


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ((0.2, 0.5, 0.4), {}, 0.2),
        ((0.2, 0.1, 0.4), {}, 0.5),
        ((0.0, 0.0, 0.7), {}, 0.7),
        ((0.2, 0.1, 0.4), {"weight": 2.0, "beta": 0.5}, 0.9),
    ],
)
def test_joint_affinity_is_the_formula_of_reap_omni(
    values: tuple[float, ...], options: dict[str, float], expected: float
) -> None:
    s1, s2, s3 = (np.array([[value]]) for value in values)
    assert criteria.joint(s1, s2, s3, **options) == pytest.approx(expected)


def test_over_all_layers_the_better_layer_keeps_more_and_each_enough_for_its_router() -> None:
    values = np.array([[9.0, 8.0, 7.0, 6.0], [4.0, 0.01, 0.02, 0.03]])
    kept = criteria.keep_globally(values, 2, top_k=1)
    assert sum(map(len, kept)) == 4
    assert kept == ((0, 1, 2), (0,))


def cerebras(batches: list[tuple[Any, Any, Any]], experts: int) -> list[float]:
    """REAP as Cerebras' observer updates it: the mean of each batch, merged into a running mean by counts, 32 bits.

    mean' = mean + (batch mean - mean) n_batch / (n + n_batch); weights divided by the sum over a token's top k.
    """
    mean, count = torch.zeros(experts), torch.zeros(experts)
    for weights, chosen, norms in batches:
        for expert in range(experts):
            is_given = (chosen == expert).any(-1)
            new = int(is_given.sum())
            if new:
                batch = (weights[is_given, expert] * norms[is_given, expert]).mean()
                mean[expert] += (batch - mean[expert]) * new / (count[expert] + new)
                count[expert] += new
    return [float(each) for each in mean]


def test_the_experts_that_cerebras_update_rule_keeps_are_kept(
    loaded: Any, encoder: Any, source: Source, tmp_path: Path
) -> None:
    state = run(loaded, encoder, [source], tmp_path, batch_tokens=300)
    layers = moe_layers(loaded.model)
    batches: dict[int, list[tuple[Any, Any, Any]]] = {layer.index: [] for layer in layers}

    def note(layer: Any) -> Any:
        def hook(_: Any, args: Any) -> None:
            hidden, chosen, _ = args
            probabilities = torch.softmax(hidden @ layer.router.weight.T, -1)
            gates = probabilities / probabilities.gather(1, chosen).sum(-1, keepdim=True)
            norms = []
            for expert in range(layer.count):
                gate, up = (hidden @ layer.experts.gate_up_proj[expert].T).chunk(2, -1)
                norms.append((torch.nn.functional.silu(gate) * up @ layer.experts.down_proj[expert].T).norm(dim=-1))
            batches[layer.index].append((gates, chosen, torch.stack(norms, -1)))

        return layer.experts.register_forward_pre_hook(hook)

    hooks = [note(layer) for layer in layers]
    with torch.inference_mode():
        for row in source.rows():
            loaded.model.model(input_ids=encoder.encode(row.row).input_ids[None])
    for hook in hooks:
        hook.remove()
    theirs = np.array([cerebras(batches[layer.index], layer.count) for layer in layers])
    ours = criteria.scores("reap", state.sums)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    for count in range(2, 8):
        assert criteria.keep(ours, count) == criteria.keep(theirs, count)


# ---- what is refused


def test_rows_that_cannot_be_read_are_named_or_left_out_and_counted(loaded: Any, encoder: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    good = '{"id": "a", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}\n'
    bad = good.replace('"a"', '"b"').replace('"Hi"', '[{"type": "audio", "audio": "/no/clip.wav"}]')
    path.write_text(good + bad + good.replace('"a"', '"c"'), encoding="utf-8")
    source = Source.open("text", str(path), store=None, allow_held_out=False)
    with pytest.raises(ProblemsFound, match="row b: other_modality: --text is for text alone"):
        run(loaded, encoder, [source], tmp_path / "refused")
    state = run(loaded, encoder, [source], tmp_path / "left_out", bad_rows="leave_out")
    assert sum(state.sums.rows.values()) == 2
    assert [row[:3] for row in state.left_out] == [["text", "b", "other_modality"]]


def test_scores_that_were_cut_short_are_not_read(tmp_path: Path) -> None:
    state = State({"model": "x"}, ExpertSums((0,), 2, 1))
    path = tmp_path / "scores.npz"
    state.save(path)
    assert State.load(path).identity == {"model": "x"}
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DamagedError, match="cannot be read"):
        State.load(path)
    with pytest.raises(DamagedError, match="other experts"):
        put_together([state, replace(state, sums=ExpertSums((0,), 3, 1))])
