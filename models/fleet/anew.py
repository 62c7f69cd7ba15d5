"""Signals whose past is gone: a part was replaced, or they come in another unit now."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fleet.lanes import forget
from models.fleet.layout import ONSET, REFERENCE
from models.fleet.lives import begin_past
from models.fleet.terms import Terms

Table = NDArray[Any]


def begin_anew(
    which: Iterable[int],
    lanes: Table,
    watched: tuple[Table, Table],
    terms: Terms,
    histories: Table,
) -> None:
    """Forget what these lanes have learned. `watched`: onsets and references."""
    onsets, references = watched
    for lane in which:
        forget(lanes[lane])
        terms.forget(lanes[lane])
        if (onset := lanes[lane]["onset"]) >= 0:
            onsets[onset] = np.zeros((), ONSET)
            references[onset] = np.zeros((), REFERENCE)
        if (history := int(lanes[lane]["history"])) >= 0:
            begin_past(histories[history])
