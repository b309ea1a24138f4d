"""Scores of experts: what the capture adds to a forward pass; many rows, in one process that may be killed.

python our_scores.py cost ROUNDS     paired processor times of plain, captured and every-expert passes, as JSON
python our_scores.py model FOLDER    makes a tiny Qwen3-Omni thinker
python our_scores.py measure MODEL ROWS FOLDER SAVE_SECONDS
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

SIZES = {
    "256 wide, 32 experts": (256, 2, 32, 128, 256),
    "512 wide, 64 experts": (512, 2, 64, 192, 256),
    "1,024 wide, 64 experts": (1024, 1, 64, 384, 256),
    "2,048 wide, 128 experts of 768": (2048, 1, 128, 768, 256),
}
"""Width, layers, experts, width of an expert, tokens; eight experts for each token. The last is Qwen3-Omni's layer."""
TOP_K = 8
EVERY = "512 wide, 64 experts"
"""64 experts, 8 for each token: the size at which every expert is run on every token for comparison."""


def cost(rounds: int) -> dict[str, dict[str, list[float]]]:
    import torch

    torch.set_num_threads(1)
    return {name: _paired(size, rounds, has_every=name == EVERY) for name, size in SIZES.items()}


def _paired(size: tuple[int, ...], rounds: int, *, has_every: bool) -> dict[str, list[float]]:
    import torch
    from triptych.trainers.reap.scores.capture import Capture
    from triptych.trainers.reap.scores.moe_layers import moe_layers

    model = _model(size)
    layers = moe_layers(model)
    ids = torch.randint(0, 1000, (1, size[-1]), generator=torch.manual_seed(1))
    groups = torch.zeros_like(ids)

    def plain() -> Any:
        return model.model(input_ids=ids)[0]

    def captured() -> Any:
        with Capture(layers) as capture:
            capture.begin(groups)
            found = plain()
            capture.take()
        return found

    def every() -> Any:
        for layer in layers:
            layer.experts.forward = _every_expert(layer.experts)
        found = plain()
        for layer in layers:
            del layer.experts.forward
        return found

    passes = {"plain": plain, "captured": captured} | ({"every expert": every} if has_every else {})
    times: dict[str, list[float]] = {name: [] for name in passes}
    with torch.inference_mode():
        if not torch.equal(plain(), captured()):
            raise SystemExit("the captured pass differs from the plain one")
        for number in range(rounds + 1):
            for name, one in passes.items():
                began = time.process_time()
                one()
                if number:
                    times[name].append(time.process_time() - began)
    return times


def _model(size: tuple[int, ...]) -> Any:
    import torch
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    width, depth, experts, inner, _ = size
    torch.manual_seed(0)
    config = Qwen3MoeConfig(vocab_size=1000, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=depth,
                            num_attention_heads=8, num_key_value_heads=2, head_dim=width // 8, num_experts=experts,
                            num_experts_per_tok=TOP_K, moe_intermediate_size=inner, norm_topk_prob=True)  # fmt: skip
    model = Qwen3MoeForCausalLM(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("mlp.gate.weight"):
            torch.nn.init.normal_(parameter, std=0.2)
    model.set_experts_implementation("grouped_mm")
    return model


def _every_expert(experts: Any) -> Any:
    """Every expert on every token, masked afterwards, as Cerebras' observer has it."""
    import torch
    from torch.nn.functional import linear

    def forward(hidden: Any, chosen: Any, weights: Any) -> Any:
        gates = torch.zeros(len(hidden), experts.num_experts).scatter_(1, chosen, weights)
        out = torch.zeros_like(hidden)
        for expert in range(experts.num_experts):
            made = linear(experts._apply_gate(linear(hidden, experts.gate_up_proj[expert])), experts.down_proj[expert])
            made.norm(dim=-1)
            out += made * gates[:, expert, None]
        return out

    return forward


def measure(model: Path, rows: Path, folder: Path, save_seconds: float) -> dict[str, Any]:
    import torch
    from triptych.trainers.models.model_files import fingerprint
    from triptych.trainers.models.training_model import Loading, load_for_training
    from triptych.trainers.reap.scores.calibration import Source
    from triptych.trainers.reap.scores.measure import PassSettings
    from triptych.trainers.reap.scores.measure import measure as measure_rows
    from triptych.trainers.reap.scores.moe_layers import moe_layers
    from triptych.trainers.sft.encoders import encoder_of

    torch.set_num_threads(1)
    loaded = load_for_training(model, Loading(), revision=fingerprint(model), device="cpu")
    source = Source.open("audio", str(rows), store=None, allow_held_out=False)
    settings = PassSettings(batch_tokens=1024, workers=1, save_seconds=save_seconds)
    encoder = encoder_of("qwen3-omni", model)
    print("begun", file=sys.stderr, flush=True)
    state = measure_rows(loaded, moe_layers(loaded.model), encoder, [source], settings, folder / "scores.npz")
    return {"rows": sum(state.sums.rows.values()), "sha256": state.sums.sha256}


def main() -> None:
    task, *rest = sys.argv[1:]
    if task == "cost":
        print(json.dumps(cost(int(rest[0]))))
    elif task == "model":
        sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
        from support.tiny_models import qwen3_omni_thinker

        qwen3_omni_thinker(Path(rest[0]), experts=8)
        print("{}")
    else:
        print(json.dumps(measure(Path(rest[0]), Path(rest[1]), Path(rest[2]), float(rest[3]))))


if __name__ == "__main__":
    main()
