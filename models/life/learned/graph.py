"""One ONNX graph of everything that was fitted: filling, scaling, trees and surface."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.life.learned.kernel import Single, Surface
from models.life.learned.runs import Floats
from models.life.learned.trees import Forest

CLIP: Final = 5.0  #: standard deviations that an input may lie off
OPSET: Final = 17
ML_OPSET: Final = 3
IR_VERSION: Final = 8


def scaled(x: Floats, middle: Floats, spread: Floats) -> Single:
    """Return features (n, p) as the models take them: standardised, missing ones at the mean."""
    z = (x.astype(np.float32) - middle.astype(np.float32)) * (1.0 / spread).astype(np.float32)
    z = np.clip(z, np.float32(-CLIP), np.float32(CLIP))
    return np.where(np.isnan(z), np.float32(0.0), z)


def life(root: Floats, top: float) -> Floats:
    """Return remaining lives of what the members say: square roots of shares of `top`, (n,)."""
    return np.asarray(np.clip(root, 0.0, 1.0) ** 2 * top)


def assembled(
    forest: Forest, trees: int, surface: Surface, middle: Floats, spread: Floats
) -> bytes:
    """Return the graph: `features` (n, p), NaN where missing, to `trees` and `surface` (n, 1).

    Args:
        forest: the trees of all members.
        trees: number of members whose sum the forest is.
        surface: the mean of the members' surfaces.
        middle: mean of each feature, (p,).
        spread: standard deviation of each feature, (p,).
    """
    import onnx  # noqa: PLC0415  only where models are fitted
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    scaling, scales = _scaling(middle, spread)
    bumps, bump_constants = _surface(surface)
    constants = bump_constants | scales | {"count": np.array(trees, np.float32)}
    node, shape = helper.make_node, helper.make_tensor_value_info
    nodes = [
        *scaling,
        node("TreeEnsembleRegressor", ["input"], ["sum"], domain="ai.onnx.ml", **_trees(forest)),
        node("Div", ["sum", "count"], ["trees"]),
        *bumps,
    ]
    graph = helper.make_graph(
        nodes,
        "remaining-life",
        [shape("features", TensorProto.FLOAT, ["rows", len(middle)])],
        [
            shape("trees", TensorProto.FLOAT, ["rows", 1]),
            shape("surface", TensorProto.DOUBLE, ["rows", 1]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _scaling(middle: Floats, spread: Floats) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """Return nodes and constants of what `scaled` does."""
    from onnx import helper  # noqa: PLC0415  only where models are fitted

    constants: dict[str, NDArray[Any]] = {
        "middle": middle.astype(np.float32),
        "inverse": (1.0 / spread).astype(np.float32),
        "most": np.array(CLIP, np.float32),
        "least": np.array(-CLIP, np.float32),
        "zero": np.array(0.0, np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Sub", ["features", "middle"], ["off"]),
        node("Mul", ["off", "inverse"], ["scaled"]),
        node("Clip", ["scaled", "least", "most"], ["clipped"]),
        node("IsNaN", ["features"], ["missing"]),
        node("Where", ["missing", "zero", "clipped"], ["input"]),
    ]
    return nodes, constants


def _surface(surface: Surface) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """Return nodes and constants of a surface, in double precision: its heights nearly cancel."""
    from onnx import TensorProto, helper  # noqa: PLC0415  only where models are fitted

    centres = surface.centres
    constants: dict[str, NDArray[Any]] = {
        "centres": np.ascontiguousarray(-2.0 * centres.T),
        "sizes": (centres**2).sum(axis=1)[None, :],
        "nothing": np.array(0.0),
        "width": np.array(-surface.width),
        "heights": surface.heights[:, None],
        "slopes": surface.slopes[:, None],
        "offset": np.array([[surface.offset]]),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["input"], ["wide"], to=TensorProto.DOUBLE),
        node("ReduceSumSquare", ["wide"], ["size"], axes=[1], keepdims=1),
        node("MatMul", ["wide", "centres"], ["toward"]),
        node("Add", ["toward", "size"], ["half"]),
        node("Add", ["half", "sizes"], ["apart"]),
        node("Max", ["apart", "nothing"], ["gap"]),
        node("Div", ["gap", "width"], ["power"]),
        node("Exp", ["power"], ["bumps"]),
        node("MatMul", ["bumps", "heights"], ["bent"]),
        node("MatMul", ["wide", "slopes"], ["tilted"]),
        node("Add", ["bent", "tilted"], ["based"]),
        node("Add", ["based", "offset"], ["surface"]),
    ]
    return nodes, constants


def _trees(forest: Forest) -> dict[str, Any]:
    leaf = forest.feature < 0
    return {
        "n_targets": 1,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "nodes_treeids": forest.tree.tolist(),
        "nodes_nodeids": forest.node.tolist(),
        "nodes_featureids": np.where(leaf, 0, forest.feature).tolist(),
        "nodes_modes": ["LEAF" if end else "BRANCH_LEQ" for end in leaf],
        "nodes_values": forest.threshold.tolist(),
        "nodes_truenodeids": forest.left.tolist(),
        "nodes_falsenodeids": forest.right.tolist(),
        "target_treeids": forest.tree[leaf].tolist(),
        "target_nodeids": forest.node[leaf].tolist(),
        "target_ids": [0] * int(leaf.sum()),
        "target_weights": forest.value[leaf].tolist(),
    }
