"""Growing trees with XGBoost; the only module that imports it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import xgboost

from bigfast.predict.table import FloatArray
from bigfast.predict.trees import Trees

THREADS = 1  # a tree on tens of rows is no work to share: two threads beside a busy neighbour took ten times as long


def grow(
    features: FloatArray,
    target: FloatArray,
    *,
    rounds: int,
    settings: Mapping[str, float],
    increasing: bool = False,
    rng: np.random.Generator,
) -> Trees:
    """Boosts trees for the squared error of ``target``.

    Args:
        features: Shape (rows, columns).
        target: Shape (rows,).
        rounds: How many trees.
        settings: XGBoost's own parameters.
        increasing: Whether the sum may never fall where a feature rises.
        rng: Draws XGBoost's seed.
    """
    return _as_arrays(train(features, target, rounds, settings, increasing, rng), base=float(target.mean()))


def train(
    features: FloatArray,
    target: FloatArray,
    rounds: int,
    settings: Mapping[str, float],
    increasing: bool,
    rng: np.random.Generator,
) -> xgboost.Booster:
    """The same, as XGBoost's object."""
    fixed = {
        "objective": "reg:squarederror",
        "base_score": float(target.mean()),
        "tree_method": "exact",  # tens of rows need no histograms
        "monotone_constraints": (int(increasing),) * features.shape[1],
        "nthread": THREADS,
        "seed": int(rng.integers(2**31)),
        "verbosity": 0,
    }
    matrix = xgboost.DMatrix(features, label=target, nthread=THREADS)
    return xgboost.train({**fixed, **settings}, matrix, num_boost_round=rounds)


def _as_arrays(booster: xgboost.Booster, *, base: float) -> Trees:
    grown = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]["trees"]
    sizes = [len(tree["left_children"]) for tree in grown]
    roots = np.cumsum([0, *sizes[:-1]])
    own = np.arange(sum(sizes))
    start = np.repeat(roots, sizes)
    left, right, column, value = (
        np.concatenate([np.asarray(tree[name]) for tree in grown])
        for name in ("left_children", "right_children", "split_indices", "split_conditions")
    )
    leaf = left == -1  # XGBoost's mark
    return Trees(
        base=np.array([base], dtype=np.float32),
        roots=roots.astype(np.int32),
        left=np.where(leaf, own, left + start).astype(np.int32),
        right=np.where(leaf, own, right + start).astype(np.int32),
        column=np.where(leaf, 0, column).astype(np.int32),
        value=value.astype(np.float32),
    )
