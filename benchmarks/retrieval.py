"""A glossary of a million terms, searched clip by clip: exactly, and by an inverted file.

python -m benchmarks.retrieval [--work DIR] [--rounds N] [--terms 1000000] [--queries 200]
"""

from __future__ import annotations

import sys

from .report import Section, at_least, at_most, parser, publish, workplace
from .timing import OURS, Contestant, compete, driver, run, tell

KINDS = ("flat", "ivf")
SETTING = (
    "{terms:,} terms of 512 numbers, made in groups of 50 (cosine 0.6 to the middle of the group), and {queries:,} "
    "clips, each at a cosine of 0.7 of one term, searched one after the other for the 10 nearest on two threads. "
    "Seconds are those of one clip: the median, timed inside the process; its projection is not included. `flat` "
    "compares with every term; `ivf` with those of the 256 nearest lists of 2,000, in one thread: faiss "
    "shares out clips, not lists. Made vectors are the worst case for lists: groups are drawn at random, so that lists "
    "part what does not fall into parts. Recall is that of the 10 nearest of `flat`."
)


def main() -> int:
    made = parser("A glossary of a million terms, searched.")
    made.add_argument("--terms", type=int, default=1_000_000)
    made.add_argument("--queries", type=int, default=200)
    options = made.parse_args()
    with workplace(options.work) as work:
        built = {}
        for kind in KINDS:
            place = [kind, work / f"glossary-{options.terms}" / kind, options.terms, options.queries]
            built[kind] = run(driver("glossary_search", "build", *place)).output
            tell(f"{kind}: built in {built[kind]['build']:.0f} s")
        everyone = [
            Contestant(
                kind,
                OURS,
                driver(
                    "glossary_search",
                    "search",
                    kind,
                    work / f"glossary-{options.terms}" / kind,
                    options.terms,
                    options.queries,
                ),
                clock="seconds",
            )
            for kind in KINDS
        ]
        figures = compete(everyone, rounds=options.rounds)
    ivf = figures["ivf"]
    told = [
        f"`{kind}`: built in {built[kind]['build']:,.0f} s, {built[kind]['bytes'] / 1e6:,.0f} MB on disk; while it is "
        f"searched the process takes {found.peak_mb:,.0f} MB; median of a clip {1000 * found.median:.1f} ms, 95 of "
        f"100 within {1000 * float(found.output('slowest')):.1f} ms, "
        f"{1000 * float(found.output('processor')):.1f} ms of processor time; {float(found.output('recall')):.1%} of "
        f"the 10 nearest, {float(found.output('same_first')):.1%} of the nearest as by `flat`, "
        f"{float(found.output('right')):.1%} of the nearest are the clip's term."
        for kind, found in figures.items()
    ]
    return publish(
        Section(
            "retrieval",
            "a glossary of a million terms, searched",
            SETTING.format(terms=options.terms, queries=options.queries),
            list(figures.values()),
            [
                at_most("milliseconds a clip, ivf", 1000 * ivf.median, 20.0),
                at_least("the nearest term as by flat, ivf, percent", 100 * float(ivf.output("same_first")), 95.0),
            ],
            notes=told,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
