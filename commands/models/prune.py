"""`triptych prune`: a model without the experts that do least on calibration rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import amount
from ...trainers.reap.options import PruneOptions
from .. import output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...trainers.reap.prune import PruneResult

EXAMPLES = """
triptych prune --model ./qwen3-omni --audio calibration --video calibration --output pruned --for vllm
triptych prune --model ./model --audio audio.jsonl --criterion joint --retention-rate 0.75 --report coverage
triptych prune --model ./model --scores coverage --compression-ratio 0.25 --output pruned
triptych prune --model ./model --audio calibration --video calibration --eval mmar-eval --output pruned
"""


@takes(PruneOptions)
def prune(options: PruneOptions, store: StoreOption = None, json: JsonOption = False) -> None:
    """Prune the experts of a model that do least on calibration rows (REAP), with a report of what each is for."""
    from ...trainers.reap.calls import prune_with

    with output.progress("measure", total=None, unit="rows") as tell:
        found = prune_with(store, options, lambda done, of: tell(done, of or None), output.note)
    output.emit(found, as_json=json, show=lambda: _show(found))


def _show(found: PruneResult) -> None:
    from ...trainers.reap.report.coverage import label_of

    for modality, rows in found.rows.items():
        output.say(f"{label_of(modality)}: {amount(rows, 'row')}, {amount(found.tokens[modality], 'token')}")
    for reason, count in sorted(found.left_out.items()):
        output.say(f"  {amount(count, 'row')} left out: {reason}")
    if found.coverage is None:
        output.say(f"{found.report}: scores.npz of a part; put the parts together with --scores")
        return
    everything = found.layers * found.experts
    output.say(
        f"{found.kept_experts:,} of {amount(everything, 'expert')} kept in {amount(found.layers, 'layer')}, "
        f"by {found.criterion}"
    )
    output.table(
        ["modality", "would keep", "only its own", "of these pruned"],
        [
            [
                label_of(need.modality),
                sum(map(len, need.kept)),
                sum(map(len, need.alone)) if len(found.coverage.needs) > 1 else "",
                sum(map(len, need.pruned)),
            ]
            for need in found.coverage.needs
        ],
    )
    if found.cost is not None and found.cost.perplexities:
        output.table(
            ["perplexity", "rows", *found.cost.kinds],
            [[label_of(each.modality), each.rows, *(f"{each.values[kind]:.4g}" for kind in found.cost.kinds)]
             for each in found.cost.perplexities],
        )  # fmt: skip
    if found.cost is not None and found.cost.exports:
        output.table(
            ["export", "metric", "rows", *found.cost.kinds],
            [[each.export, each.metric, each.rows, *(f"{each.values[kind]:.4f}" for kind in found.cost.kinds)]
             for each in found.cost.exports],
        )  # fmt: skip
    output.say(f"{found.report}: report.html, report.json, experts.parquet, scores.npz")
    if found.output is not None:
        held = "the same logits" if found.difference == 0 else f"logits to {found.difference:.1g}"
        output.say(f"{found.output}: the pruned model; {held} as the base with the pruned experts masked")
