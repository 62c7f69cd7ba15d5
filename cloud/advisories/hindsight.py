"""What became of earlier forecasts: of this part, and of parts of its kind. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from cloud.ledger.records import Ended, Verdict
from models.assessment import Assessment, Life
from models.figures import span

NS: Final = 1_000_000_000
RENEWED: Final = 0.3  #: a share of life that rises by so much belongs to a new part
SAMPLES: Final = 20  #: earlier forecasts that are looked at, evenly over their time

_OWN: Final = {
    "en": "{held} of {count} earlier forecasts of this part, the first {ago} ago, held the end "
    "that is expected now; the first said {low} to {high}",
    "zh": "该部件此前{count}次预测（最早为{ago}前）中，{held}次包含当前预计的寿命终点；"
    "最早一次预测为{low}至{high}",
}
_NO_OWN: Final = {
    "en": "there is no earlier forecast of this part to compare with",
    "zh": "该部件暂无更早的预测可供比较",
}
_KIND: Final = {
    "en": "such parts replaced before: {count}, found worn: {confirmed}; the work came {low} to "
    "{high} after the ticket",
    "zh": "此前更换过{count}个同类部件，其中{confirmed}个确认磨损；工单发出后{low}至{high}完成更换",
}
_KIND_SAID: Final = {
    "en": ", when {low} to {high} had been forecast",
    "zh": "，当时预测为{low}至{high}",
}
_NO_KIND: Final = {
    "en": "no such part was replaced by a work order yet",
    "zh": "尚无同类部件通过工单更换",
}


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """Earlier forecasts of a part beside what is expected now.

    `held` of `count` bands hold the present end; the first was `ago_s` ago and is `first`.
    """

    count: int
    held: int
    ago_s: float
    first: Life


def own(component: str, assessments: Sequence[Assessment]) -> Own | None:
    """Compare the newest forecast of a component with earlier ones of the same part.

    `assessments`: of one machine, newest first. None: there is nothing to compare.
    """
    seen = [(a.at_ns, life) for a in assessments if (life := _of(component, a)) is not None]
    part = _same_part(seen)
    if len(part) < 2:
        return None
    newest_ns, newest = part[0]
    end_ns = newest_ns + int((newest.p50_s or 0.0) * NS)
    if newest.p50_s == 0.0:  # it was reached: when that was first said
        end_ns = min(at for at, life in part if life.p50_s == 0.0)
    earlier = [(at, life) for at, life in part[1:] if life.p50_s]
    if not earlier:
        return None
    step = max((newest_ns - earlier[-1][0]) // SAMPLES, 1)
    chosen: list[tuple[int, Life]] = []
    for at, life in reversed(earlier):
        if not chosen or at - chosen[-1][0] >= step:
            chosen.append((at, life))
    return Own(
        count=len(chosen),
        held=sum(_holds(at, life, end_ns) for at, life in chosen),
        ago_s=(newest_ns - chosen[0][0]) / NS,
        first=chosen[0][1],
    )


def sentences(found: Own | None, ended: Sequence[Ended], language: str) -> list[str]:
    """Return what earlier forecasts came to, one sentence without a full stop each."""
    if found is None:
        said = [_NO_OWN[language]]
    else:
        low, high = found.first.p10_s or 0.0, found.first.p90_s or 0.0
        said = [
            _OWN[language].format(
                held=found.held,
                count=found.count,
                ago=span(found.ago_s, language),
                low=span(low, language),
                high=span(high, language),
            )
        ]
    if not ended:
        return [*said, _NO_KIND[language]]
    waits = [max(one.resolved_ns - one.opened_ns, 0) / NS for one in ended]
    text = _KIND[language].format(
        count=len(ended),
        confirmed=sum(one.verdict is Verdict.CONFIRMED for one in ended),
        low=span(min(waits), language),
        high=span(max(waits), language),
    )
    lives = [one.life for one in ended if one.life is not None and one.life.p10_s is not None]
    if lives:
        text += _KIND_SAID[language].format(
            low=span(min(life.p10_s or 0.0 for life in lives), language),
            high=span(max(life.p90_s or 0.0 for life in lives), language),
        )
    return [*said, text]


def _of(component: str, assessment: Assessment) -> Life | None:
    known = (one for one in assessment.lives if one.component == component)
    return next((one for one in known if one.p50_s is not None), None)


def _same_part(seen: Sequence[tuple[int, Life]]) -> list[tuple[int, Life]]:
    """Return the forecasts since the part was new."""
    part: list[tuple[int, Life]] = []
    for at, life in seen:
        newer = part[-1][1].fraction if part else None
        if newer is not None and life.fraction is not None and newer - life.fraction > RENEWED:
            break
        part.append((at, life))
    return part


def _holds(at_ns: int, life: Life, end_ns: int) -> bool:
    left_s = (end_ns - at_ns) / NS
    return (life.p10_s or 0.0) <= left_s <= (life.p90_s or 0.0)
