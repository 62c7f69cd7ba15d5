"""Small networks that learn beside the trees: two hidden layers, dropout, Adam, cosine steps.

Adam: Kingma and Ba, ICLR 2015, with decoupled weight decay (Loshchilov and Hutter, ICLR 2019);
dropout: Srivastava et al., JMLR 15, 2014. A few thousand rows need no training framework.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.life.learned.runs import Floats

Single = NDArray[np.float32]
HIDDEN: Final = (64, 32)
DROPOUT: Final = 0.3
NOISE: Final = 0.03  #: standard deviations that are added to the inputs
BATCH: Final = 256  #: rows
STEPS: Final = (1_500, 6_000)  #: fewest and most
EPOCHS: Final = 40
RATE: Final = 2e-3
DECAY: Final = 1e-3


def train(x: Single, y: Floats, weight: Floats, rng: np.random.Generator) -> list[Single]:
    """Return weights and offsets of each layer, fitted to rows (n, p) by weighted squares."""
    batch = min(BATCH, max(16, len(x) // 8))
    steps = int(np.clip(EPOCHS * len(x) // batch, *STEPS))
    layers = _begin(x.shape[1], float(np.average(y, weights=weight)), rng)
    first = [np.zeros_like(p) for p in layers]
    second = [np.zeros_like(p) for p in layers]
    target = y.astype(np.float32)[:, None]
    scale = (weight / weight.mean()).astype(np.float32)[:, None]
    order = rng.permutation(len(x))
    at = 0
    for step in range(1, steps + 1):
        if at + batch > len(x):
            order, at = rng.permutation(len(x)), 0
        rows = order[at : at + batch]
        at += batch
        slopes = _slopes(layers, x[rows], target[rows], scale[rows], rng)
        rate = np.float32(RATE * 0.5 * (1.0 + np.cos(np.pi * step / steps)))
        for k, slope in enumerate(slopes):
            first[k] += np.float32(0.1) * (slope - first[k])
            second[k] += np.float32(0.001) * (slope * slope - second[k])
            size = np.sqrt(second[k] / np.float32(1.0 - 0.999**step)) + np.float32(1e-8)
            layers[k] -= rate * (first[k] / np.float32(1.0 - 0.9**step) / size)
            if slope.ndim == 2:
                layers[k] *= np.float32(1.0) - rate * np.float32(DECAY)
    return layers


def forward(layers: list[Single], x: Single) -> Floats:
    """Return what a network says of rows (n, p), (n,)."""
    for k in range(0, len(layers) - 2, 2):
        x = np.maximum(x @ layers[k] + layers[k + 1], np.float32(0.0))
    return np.asarray((x @ layers[-2] + layers[-1])[:, 0], np.float64)


def _begin(inputs: int, mean: float, rng: np.random.Generator) -> list[Single]:
    layers: list[Single] = []
    sizes = (inputs, *HIDDEN, 1)
    for n, m in pairwise(sizes):
        layers.append((rng.standard_normal((n, m)) * np.sqrt(2.0 / n)).astype(np.float32))
        layers.append(np.zeros(m, np.float32))
    layers[-2] *= np.float32(0.1)
    layers[-1] += np.float32(mean)
    return layers


def _slopes(
    layers: list[Single], x: Single, y: Single, weight: Single, rng: np.random.Generator
) -> list[Single]:
    """Return the gradient of the weighted mean square error of a batch."""
    x = x + np.float32(NOISE) * rng.standard_normal(x.shape, dtype=np.float32)
    seen, kept = [x], []
    for k in range(0, len(layers) - 2, 2):
        x = np.maximum(x @ layers[k] + layers[k + 1], np.float32(0.0))
        keep = (rng.random(x.shape, dtype=np.float32) >= DROPOUT) / np.float32(1.0 - DROPOUT)
        x = x * keep.astype(np.float32)
        seen.append(x)
        kept.append(keep.astype(np.float32))
    back = (x @ layers[-2] + layers[-1] - y) * weight * np.float32(2.0 / len(y))
    slopes: list[Single] = [np.zeros(0, np.float32)] * len(layers)
    for k in range(len(layers) - 2, -1, -2):
        slopes[k] = seen[k // 2].T @ back
        slopes[k + 1] = back.sum(axis=0)
        if k:
            back = (back @ layers[k].T) * (seen[k // 2] > 0.0) * kept[k // 2 - 1]
    return slopes
