"""Boosted trees (Ke et al., LightGBM, NeurIPS 2017) as plain arrays, ready for an ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.life.learned.runs import Floats

ROUNDS: Final = 300
SETTINGS: Final = {
    "objective": "l2",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 127,
    "num_threads": 1,  # more wait for each other longer than they save
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """Nodes of some trees one after another; a leaf has feature -1.

    Attributes:
        tree: index of the node's tree, (m,).
        node: index of the node within its tree, (m,).
        feature: index of the feature that is compared, (m,).
        threshold: go left where the feature is at most this, float32, (m,).
        left, right: node indices within the tree, (m,).
        value: of a leaf, (m,).
    """

    tree: NDArray[np.int64]
    node: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: Floats


def grow(x: NDArray[np.float32], y: Floats, weight: Floats, *, seed: int) -> tuple[Forest, Any]:
    """Return trees fitted to rows (n, p), and the booster that grew them."""
    import lightgbm  # noqa: PLC0415  only where models are fitted

    settings = SETTINGS | {
        "seed": seed,
        "min_data_in_leaf": max(2, min(40, len(x) // 60)),
    }
    data = lightgbm.Dataset(x, y, weight=weight, params={"verbose": -1})
    booster = lightgbm.train(settings, data, ROUNDS)
    return _flattened(booster.dump_model()["tree_info"]), booster


def gains(boosters: list[Any]) -> Floats:
    """Return the share of each feature in the loss that the boosters took away, (p,)."""
    total = np.sum([b.feature_importance("gain") for b in boosters], axis=0, dtype=float)
    return np.asarray(total / max(float(total.sum()), 1e-300))


def joined(forests: list[Forest]) -> Forest:
    """Return all the trees as one forest."""
    first = 0
    trees = []
    for forest in forests:
        trees.append(forest.tree + first)
        first += int(forest.tree.max()) + 1
    rest = {
        name: np.concatenate([getattr(f, name) for f in forests])
        for name in ("node", "feature", "threshold", "left", "right", "value")
    }
    return Forest(tree=np.concatenate(trees), **rest)


def _flattened(trees: list[dict[str, Any]]) -> Forest:
    rows: list[tuple[float, ...]] = []
    for index, tree in enumerate(trees):
        _walk(tree["tree_structure"], index, rows, [0])
    tree, node, feature, threshold, left, right, value = np.array(rows).T
    return Forest(
        tree=tree.astype(np.int64),
        node=node.astype(np.int64),
        feature=feature.astype(np.int64),
        threshold=_down(threshold),
        left=left.astype(np.int64),
        right=right.astype(np.int64),
        value=value,
    )


def _walk(node: dict[str, Any], tree: int, rows: list[tuple[float, ...]], free: list[int]) -> int:
    """Append a node and those under it; return its index within the tree."""
    here = free[0]
    free[0] += 1
    if "split_feature" not in node:
        rows.append((tree, here, -1, 0.0, 0, 0, node["leaf_value"]))
        return here
    at = len(rows)
    rows.append(())
    left = _walk(node["left_child"], tree, rows, free)
    right = _walk(node["right_child"], tree, rows, free)
    rows[at] = (tree, here, node["split_feature"], node["threshold"], left, right, 0.0)
    return here


def _down(threshold: Floats) -> NDArray[np.float32]:
    """Return float32 thresholds that no float32 value between them and the real ones passes."""
    single = threshold.astype(np.float32)
    return np.where(single > threshold, np.nextafter(single, np.float32(-np.inf)), single)
