"""A recording as one HTML page without scripts: signals, score, state and alarms with reasons."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.csv_rows import Piece
from models.backtest import Found

BUCKETS: Final = 1600  #: most points of a line; each holds the least and greatest of its rows
WIDTH: Final = 1200
HEIGHT: Final = 110
STYLE: Final = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; color: #1b1f24; max-width: 1240px }
svg { display: block; background: #fff; border: 1px solid #d5d9e0; margin-bottom: .6rem }
path { fill: none; stroke: #2f5fb3; stroke-width: 1; vector-effect: non-scaling-stroke }
.state { fill: #f6c6b8; stroke: none } .alarm { stroke: #c02a1d; stroke-width: 1.4 }
h2 { font-size: 1rem; margin: .8rem 0 .2rem }
td, th { padding: .2rem .8rem .2rem 0; text-align: left }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An alarm on the page."""

    row: int
    timestamp: str
    score: float
    reason: str


class Picture:
    """Lines of bounded size: least and greatest value of buckets of rows, wider as rows come."""

    def __init__(self, signals: Sequence[str]) -> None:
        self.names = (*signals, "score")
        lines = len(self.names) + 1  # the last is the state
        self._low = np.full((lines, BUCKETS), np.inf)
        self._high = np.full((lines, BUCKETS), -np.inf)
        self._wide = 1
        self.rows = 0

    def add(self, piece: Piece, found: Found) -> None:
        """Take a piece's rows."""
        count = len(found.score)
        while self.rows + count > BUCKETS * self._wide:
            for side, join in ((self._low, np.minimum), (self._high, np.maximum)):
                half = join(side[:, ::2], side[:, 1::2])
                side[:, : BUCKETS // 2] = half
                side[:, BUCKETS // 2 :] = np.inf if side is self._low else -np.inf
            self._wide *= 2
        bucket = (self.rows + np.arange(count)) // self._wide
        for i, line in enumerate((*piece.columns, found.score, found.state.astype(float))):
            known = np.isfinite(line)
            np.minimum.at(self._low[i], bucket[known], line[known])
            np.maximum.at(self._high[i], bucket[known], line[known])
        self.rows += count

    def at(self, row: int) -> float:
        """Return where a row is on the page, 0..WIDTH."""
        return WIDTH * (row + 0.5) / max(self.rows, 1)

    def line(self, index: int) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """Return a line's buckets that hold a value, with least and greatest of each."""
        full = np.flatnonzero(self._low[index] <= self._high[index])
        return full, self._low[index, full], self._high[index, full]

    def spans(self) -> Iterator[tuple[float, float]]:
        """Yield where the state holds, as places on the page."""
        full, _, high = self.line(len(self.names))
        for bucket in full[high > 0.0].tolist():
            left = self.at(bucket * self._wide)
            yield left, max(self.at((bucket + 1) * self._wide) - left, 1.0)

    def path(self, index: int) -> tuple[str, float, float]:
        """Return a line as an SVG path of width WIDTH and height HEIGHT, its least and greatest."""
        full, low, high = self.line(index)
        if not len(full):
            return "", np.nan, np.nan
        bottom, top = float(low.min()), float(high.max())
        scale = (HEIGHT - 10) / (top - bottom) if top > bottom else 0.0
        points, last = [], -2
        for bucket, least, most in zip(full.tolist(), low, high, strict=True):
            x = self.at(bucket * self._wide)
            start = "L" if bucket == last + 1 else "M"
            y = (HEIGHT - 5 - scale * (v - bottom) for v in (least, most))
            points.append(f"{start}{x:.1f},{next(y):.1f}L{x:.1f},{next(y):.1f}")
            last = bucket
        return "".join(points), bottom, top


def page(title: str, picture: Picture, alarms: Sequence[Mark]) -> str:
    """Return the page."""
    state = "".join(
        f'<rect class="state" x="{x:.1f}" y="0" width="{w:.1f}" height="{HEIGHT}"/>'
        for x, w in picture.spans()
    )
    marks = "".join(
        f'<path class="alarm" d="M{picture.at(a.row):.1f},0V{HEIGHT}">'
        f"<title>{escape(a.timestamp)} {escape(a.reason)}</title></path>"
        for a in alarms
    )
    parts = []
    for i, name in enumerate(picture.names):
        path, low, high = picture.path(i)
        parts.append(
            f"<h2>{escape(name)} <small>{low:.6g} … {high:.6g}</small></h2>"
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img">{state}'
            f'<path d="{path}"/>{marks}</svg>'
        )
    rows = "".join(
        f"<tr><td>{a.row:,}</td><td>{escape(a.timestamp)}</td><td>{a.score:.3f}</td>"
        f"<td>{escape(a.reason)}</td></tr>"
        for a in alarms
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1>"
        f"<p>{picture.rows:,} rows. Red lines: onset alarms. Shaded: held to be in a state of "
        "fault. A score of 0.5 is the limit of an alarm.</p>"
        f"{''.join(parts)}<table><tr><th>Row</th><th>Time</th><th>Score</th><th>Why</th></tr>"
        f"{rows}</table></html>\n"
    )
