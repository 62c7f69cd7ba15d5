"""Line protocol from arrays: one compiled pass from columns to the bytes of a request.

No Python object is made for a value. `cells` hold every value's 64 bits (a double's bits, a whole
number, 0 or 1), so that one kernel serves all kinds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloud.telemetry.fresh import MISSING, QUALITY
from cloud.telemetry.influx.digits import MOST, put_digits, put_float, put_int

DOUBLE, SINGLE, WHOLE, TRUTH = range(4)
KINDS: Final = {"d": DOUBLE, "f": SINGLE, "q": WHOLE, "?": TRUTH}
COMMA, EQUALS, SPACE, NEWLINE, INTEGER, TRUE, FALSE = (ord(c) for c in ",= \nitf")
BAD: Final = 2  #: quality of what was infinite
NONE: Final = np.zeros(0, np.int64)


@dataclass(slots=True)
class Texts:
    """Byte strings in one array. Shapes: `data` (bytes,) uint8, `ends` (n + 1,) int64 from 0."""

    data: NDArray[np.uint8]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> "Texts":
        """Join texts."""
        data = np.frombuffer(b"".join(texts) or b"\0", np.uint8)
        ends = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=ends[1:])
        return cls(data, ends)

    @property
    def longest(self) -> int:
        """Bytes of the longest text."""
        return int(np.diff(self.ends).max(initial=0))


@dataclass(slots=True, kw_only=True)
class Fields:
    """The fields of a layout: `name=` of each value and of each state; `row` names the identity."""

    values: Texts
    states: Texts
    kinds: NDArray[np.uint8]
    row: Texts  #: `row=`, and `,at=`


@dataclass(slots=True, kw_only=True)
class Rows:
    """Rows of one layout, n rows of k columns.

    Shapes: `heads` the texts `measurement,tags `; `head` (n,) int32 which of them; `times` (n,)
    int64; `own` (n,) int64 the samples' own times (empty: the same); `ids` (n,) int64 (empty:
    none); `cells` (k, n) int64; `states` (k, n) uint8 or (0, 0) when all is good.
    """

    heads: Texts
    head: NDArray[np.int32]
    times: NDArray[np.int64]
    own: NDArray[np.int64]
    ids: NDArray[np.int64]
    cells: NDArray[np.int64]
    states: NDArray[np.uint8]


@njit(cache=True, nogil=True, inline="always")
def _put_text(out: Any, at: int, data: Any, first: int, behind: int) -> int:
    for i in range(first, behind):
        out[at] = data[i]
        at += 1
    return at


@njit(cache=True, nogil=True)
def _write(  # noqa: PLR0912, PLR0915, PLR0917 (a kernel: one pass, arrays in and out)
    out: Any,
    heads: Any,
    head_ends: Any,
    head: Any,
    times: Any,
    own: Any,
    ids: Any,
    names: Any,
    name_ends: Any,
    state_names: Any,
    state_ends: Any,
    kinds: Any,
    extra: Any,
    extra_ends: Any,
    cells: Any,
    doubles: Any,
    states: Any,
    decimals: Any,
) -> int:
    at = 0
    stated = states.shape[0] > 0
    for r in range(len(times)):
        begin = at
        at = _put_text(out, at, heads, head_ends[head[r]], head_ends[head[r] + 1])
        fields = at
        for j in range(cells.shape[0]):
            state: Any = np.int64(states[j, r]) if stated else 0
            kind = kinds[j]
            gone = state & MISSING
            if kind <= SINGLE and not gone:
                value = doubles[j, r]
                if np.isnan(value):
                    gone = 1
                    state |= MISSING
                elif np.isinf(value):
                    gone = 1
                    state = MISSING | max(state & QUALITY, BAD)
            if not gone:
                if at > fields:
                    out[at] = COMMA
                    at += 1
                at = _put_text(out, at, names, name_ends[j], name_ends[j + 1])
                if kind <= SINGLE:
                    at, decimals[j] = put_float(
                        out, at, value, cells[j, r], decimals[j], kind == SINGLE
                    )
                elif kind == WHOLE:
                    at = put_int(out, at, cells[j, r])
                    out[at] = INTEGER
                    at += 1
                else:
                    out[at] = TRUE if cells[j, r] else FALSE
                    at += 1
            if state and state_ends[j + 1] > state_ends[j]:
                if at > fields:
                    out[at] = COMMA
                    at += 1
                at = _put_text(out, at, state_names, state_ends[j], state_ends[j + 1])
                at = put_digits(out, at, state, 1)
                out[at] = INTEGER
                at += 1
        if len(ids):
            if at > fields:
                out[at] = COMMA
                at += 1
            at = _put_text(out, at, extra, extra_ends[0], extra_ends[1])
            at = put_int(out, at, ids[r])
            out[at] = INTEGER
            at += 1
        if len(own) and own[r] != times[r]:
            at = _put_text(out, at, extra, extra_ends[1], extra_ends[2])
            at = put_int(out, at, own[r])
            out[at] = INTEGER
            at += 1
        if at == fields:
            at = begin
            continue
        out[at] = SPACE
        at = put_int(out, at + 1, times[r])
        out[at] = NEWLINE
        at += 1
    return at


def write(rows: Rows, fields: Fields) -> bytes:
    """Return the lines of these rows; a row without any field has no line."""
    count, columns = len(rows.times), len(fields.kinds)
    names = len(fields.values.data) + len(fields.states.data) + len(fields.row.data)
    most = rows.heads.longest + names + columns * (MOST + 6) + 3 * MOST
    out = np.empty(count * most, np.uint8)
    length = _write(
        out,
        rows.heads.data,
        rows.heads.ends,
        rows.head,
        rows.times,
        rows.own,
        rows.ids,
        fields.values.data,
        fields.values.ends,
        fields.states.data,
        fields.states.ends,
        fields.kinds,
        fields.row.data,
        fields.row.ends,
        rows.cells,
        rows.cells.view(np.float64),
        rows.states,
        np.zeros(columns, np.int64),
    )
    return out[:length].tobytes()
