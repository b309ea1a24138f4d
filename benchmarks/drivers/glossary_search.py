"""glossary_search.py build|search flat|ivf FOLDER TERMS QUERIES: a glossary of so many terms, searched clip by clip.

`build` makes the index of vectors that lie in groups, as terms of one subject do, and saves it; `search` loads it and
searches with noisy vectors of some terms, one after the other, on two threads. Prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import faiss
import numpy as np
from triptych.trainers.retrieval.search.glossary_index import INDEX, GlossaryIndex

WIDTH, GROUP, TOP = 512, 50, 10
NEAR, HEARD = 0.6, 0.7
"""Cosines of a term and the middle of its group, and of a term and a clip that names it."""
NEAREST = "nearest.npy"


def near(vectors: np.ndarray, cosine: float, draw: np.random.Generator) -> np.ndarray:
    """Vectors of length 1 at this cosine, to within some hundredths, of those given."""
    noise = draw.standard_normal(vectors.shape, np.float32) / np.float32(WIDTH**0.5)
    found = np.float32(cosine) * vectors + np.float32((1 - cosine**2) ** 0.5) * noise
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def vectors_of(terms: int) -> np.ndarray:
    draw = np.random.default_rng(0)
    middles = draw.standard_normal((-(-terms // GROUP), WIDTH), np.float32)
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    found = np.empty((terms, WIDTH), np.float32)
    for start in range(0, terms, 50_000):
        numbers = np.arange(start, min(start + 50_000, terms))
        found[numbers] = near(middles[numbers // GROUP], NEAR, draw)
    return found


def build(kind: str, folder: Path, terms: int, queries: int) -> dict[str, float]:
    vectors = vectors_of(terms)
    draw = np.random.default_rng(1)
    numbers = draw.choice(terms, queries, replace=False)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder.parent / "queries.npz", numbers=numbers, vectors=near(vectors[numbers], HEARD, draw))
    begun = time.perf_counter()
    GlossaryIndex.of([f"term {number}" for number in range(terms)], vectors, kind=kind).save(folder)
    return {"build": time.perf_counter() - begun, "bytes": (folder / INDEX).stat().st_size}


def search(kind: str, folder: Path, terms: int, queries: int) -> dict[str, float]:
    faiss.omp_set_num_threads(2)
    index = GlossaryIndex.load(folder)
    given = np.load(folder.parent / "queries.npz")
    clips, numbers = given["vectors"], given["numbers"]
    index.nearest(clips[:1], TOP)
    found, times, worked = [], [], []
    for clip in clips:
        begun, at_work = time.perf_counter(), time.process_time()
        places, _ = index.nearest(clip[None], TOP)
        times.append(time.perf_counter() - begun)
        worked.append(time.process_time() - at_work)
        found.append(places[0])
    nearest = np.stack(found)
    if kind == "flat":
        np.save(folder.parent / NEAREST, nearest)
    exact = np.load(folder.parent / NEAREST)
    shared = [len(set(own) & set(of)) / TOP for own, of in zip(nearest.tolist(), exact.tolist(), strict=True)]
    return {
        "seconds": float(np.median(times)),
        "slowest": float(np.quantile(times, 0.95)),
        "processor": float(np.median(worked)),
        "recall": float(np.mean(shared)),
        "same_first": float((nearest[:, 0] == exact[:, 0]).mean()),
        "right": float((nearest[:, 0] == numbers).mean()),
    }


if __name__ == "__main__":
    what, kind, folder, terms, queries = sys.argv[1:]
    print(json.dumps({"build": build, "search": search}[what](kind, Path(folder), int(terms), int(queries))))
