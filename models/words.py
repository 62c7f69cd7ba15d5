"""Findings in plain words, in English and Chinese: what is seen, what was expected, how long left.

Pure text from values, so that every reader gets the same finding in their language.
"""

from typing import Final

from models.assessment import (
    NOTICE,
    SENSOR_CHECKS,
    Assessment,
    Check,
    Comparison,
    Condition,
    Contribution,
    Life,
    State,
)
from models.figures import DAY, HOUR, figure, quantity, span, span_of
from models.profile import Consumable, Profile, Words

LANGUAGES: Final = ("en", "zh")
STILL: Final = 0.05  #: times the usual rate; below it wear stands still as far as anybody can tell
VAGUE: Final = 0.01  #: of the late end: a middle nearer than it does not choose the unit of a band
SOON: Final = 2.0 * HOUR  #: nor does one before which it would be minutes, if the late end is later
_STATES: Final[dict[State, Words]] = {
    State.UNKNOWN: {"en": "nothing heard yet", "zh": "尚无数据"},
    State.LEARNING: {"en": "learning what is normal", "zh": "正在学习正常状态"},
    State.NORMAL: {"en": "normal", "zh": "正常"},
    State.ALERT: {"en": "not as it should be", "zh": "异常"},
    State.ALARM: {"en": "act now", "zh": "需立即处理"},
    State.SILENT: {"en": "not heard", "zh": "失联"},
}
_FINDINGS: Final[dict[Check, Words]] = {
    Check.LIMIT_HIGH: {
        "en": "{signal} is {value}, at or above its limit{limit}",
        "zh": "{signal}为{value}，达到或高于限值{limit}",
    },
    Check.LIMIT_LOW: {
        "en": "{signal} is {value}, at or below its limit{limit}",
        "zh": "{signal}为{value}，达到或低于限值{limit}",
    },
    Check.RATE: {
        "en": "{signal} changes faster than it can ({value})",
        "zh": "{signal}变化过快（{value}）",
    },
    Check.STUCK: {
        "en": "{signal} has not changed at all ({value})",
        "zh": "{signal}长时间不变（{value}）",
    },
    Check.DROPOUT: {"en": "{signal} is not heard", "zh": "{signal}无数据"},
    Check.LEVEL: {"en": "{signal} has changed to {value}", "zh": "{signal}突变为{value}"},
    Check.SHIFT: {
        "en": "{signal} is {value} and stays away from normal",
        "zh": "{signal}为{value}，持续偏离正常",
    },
    Check.DETECTOR: {
        "en": "the pattern of the signals is unusual ({signal})",
        "zh": "信号组合异常（{signal}）",
    },
}
_PASSED: Final[dict[Check, Words]] = {
    Check.LIMIT_HIGH: {
        "en": "{signal} is {value} and was at or above its limit{limit} before",
        "zh": "{signal}为{value}，此前达到或高于限值{limit}",
    },
    Check.LIMIT_LOW: {
        "en": "{signal} is {value} and was at or below its limit{limit} before",
        "zh": "{signal}为{value}，此前达到或低于限值{limit}",
    },
}
_UNEXPLAINED: Final = {
    "en": "{signal} is {value}, {gap} {side} what {contexts}, and stays there",
    "zh": "{signal}为{value}，比{contexts}所能解释的{side}{gap}，且持续存在",
}
_COMPARED: Final = {"en": "{signal} is {value}, {gap}", "zh": "{signal}为{value}，{gap}"}
_POINTS: Final = {"en": "{gap} percentage point{s}", "zh": "{gap}个百分点"}
_SISTERS: Final = {
    "en": "{gap} {side} {count} machines like it under the same conditions",
    "zh": "比相同工况下{count}台同类设备{side}{gap}",
}
_BESIDE: Final = {
    "en": "{gap} {side} what {beside} explains",
    "zh": "比{beside}所能解释的{side}{gap}",
}
_STOP: Final = {"en": "; ", "zh": "；"}
_AGAIN: Final = {
    "en": "{signal} keeps changing suddenly, now to {value}",
    "zh": "{signal}反复突变，现为{value}",
}
_LEFT_OUT: Final = {"en": "; it is left out of the score", "zh": "；不参与评分"}
_SAID: Final = {
    "en": "; the other signals say about {expected}",
    "zh": "；其余信号显示约为{expected}",
}
_SIDES: Final = {"en": ("below", "above"), "zh": ("低", "高")}
_AND: Final = {"en": (", ", " and "), "zh": ("、", "和")}
_EXPECTED: Final = {"en": "; expected about {expected}", "zh": "；正常约为{expected}"}
_CONTRIBUTION: Final = {"en": "{signal} is {value}{expected}", "zh": "{signal}为{value}{expected}"}
_OF: Final = {"en": " of {limit}", "zh": "（{limit}）"}
_OVER: Final = {"en": " (ended)", "zh": "（已结束）"}
_LIFE: Final = {
    "en": "{part}: limit reached in {low} to {high}, most likely {middle}",
    "zh": "{part}：预计{low}至{high}后达到极限，最可能为{middle}",
}
_REACHED: Final = {"en": "{part}: limit reached", "zh": "{part}：已达到极限"}
_UNKNOWN_LIFE: Final = {
    "en": "{part}: not enough data yet to say how long it lasts",
    "zh": "{part}：数据不足，暂无法估计还能使用多久",
}
_LEFT: Final = {"en": "; {share} of its life is left", "zh": "；剩余寿命{share}"}
_TRACE: Final = {"en": "less than 1%", "zh": "不足1%"}
_WEARS: Final = {
    "en": "{signal} moves by {slope} {unit} towards the limit of {limit}",
    "zh": "{signal}每{unit}变化{slope}，极限为{limit}",
}
_COUNTS: Final = {
    "en": "{signal}: {slope} {unit} lately; such a part lasts {limit}",
    "zh": "{signal}：近期每{unit}{slope}，此类部件寿命约{limit}",
}
_AGES: Final = {
    "en": "nothing measures it: this is what its age says, such a part lasts about {limit}",
    "zh": "无测量信号：按使用时间估计，此类部件寿命约{limit}",
}
_TOLD: Final = {
    "en": "told by {signal}; the limit is {limit}",
    "zh": "依据{signal}，极限为{limit}",
}
_TOLD_COUNT: Final = {
    "en": "told by {signal}; such a part lasts {limit}",
    "zh": "依据{signal}，此类部件寿命约{limit}",
}
_HARDLY: Final = {"en": "it hardly wears at present", "zh": "目前几乎没有磨损"}
_RATES: Final = {
    "en": "it wears {rate} times as fast as a usual part at the same use",
    "zh": "在相同使用强度下，其磨损速度为普通部件的{rate}倍",
}
_USUAL: Final = {
    "en": "it wears as fast as a usual part at the same use",
    "zh": "在相同使用强度下，其磨损速度与普通部件相当",
}
_EACH: Final = ({"en": "an hour", "zh": "小时"}, {"en": "a day", "zh": "天"})
_NORMED: Final = {
    "en": "{signal} is read as at {limit} of {load}",
    "zh": "{signal}已折算到{load}为{limit}时的值",
}
_SUMMARY: Final = {"en": "{state}; health {health} of 100", "zh": "{state}；健康度 {health}/100"}


def explain(
    item: Condition | Contribution | Comparison | Life | Assessment,
    profile: Profile,
    lang: str = "en",
) -> str:
    """Return a finding as one sentence without a full stop. Languages other than zh get English."""
    lang = lang if lang in LANGUAGES else "en"
    if isinstance(item, Condition):
        return _condition(item, profile, lang)
    if isinstance(item, Contribution):
        return _contribution(item, profile, lang)
    if isinstance(item, Comparison):
        return _comparison(item, profile, lang)
    if isinstance(item, Life):
        return _life(item, profile, lang)
    return _assessment(item, profile, lang)


def drivers(life: Life, profile: Profile, lang: str = "en") -> list[str]:
    """Return what an estimate of remaining life stands on, one sentence without a full stop each.

    Empty where there is no estimate.
    """
    part = profile.consumables.get(life.component)
    if part is None or life.p50_s is None:
        return []
    if life.basis in {"hazard", "prior"}:
        usual = span((part.life_d or 0.0) * DAY, lang)
        return [_AGES[lang].format(limit=usual)]
    name, unit = _signal(life.signal or "", profile, lang)
    found = _wear(life, part, (name, unit), lang)
    if part.norm is not None and life.basis == "wear":
        load, load_unit = _signal(part.norm.by, profile, lang)
        nominal = quantity(part.norm.nominal, load_unit, lang)
        found.append(_NORMED[lang].format(signal=name, load=load, limit=nominal))
    return found


def _wear(life: Life, part: Consumable, told_by: tuple[str, str | None], lang: str) -> list[str]:
    """Return how fast a part goes to its limit, by a signal (title, unit); not where it is there.

    Nor a figure of wear that stands still: it would say more than is known.
    """
    name, unit = told_by
    counted = life.basis == "counter"
    limit = quantity(part.rated if counted else part.limit, unit, lang)
    over, still = life.p90_s == 0.0, life.rate is not None and life.rate < STILL
    found = []
    if over or still:
        words = (_TOLD_COUNT if counted else _TOLD)[lang]
        found.append(words.format(signal=_inside(name, lang), limit=limit))
    elif life.slope_per_s is not None:
        by_day = (life.p50_s or 0.0) >= 2.0 * DAY
        slope = quantity(abs(life.slope_per_s) * (DAY if by_day else HOUR), unit, lang)
        words = (_COUNTS if counted else _WEARS)[lang]
        found.append(words.format(signal=name, slope=slope, unit=_EACH[by_day][lang], limit=limit))
    if still and not over:
        found.append(_HARDLY[lang])
    elif life.rate is not None and not over:
        words = (_USUAL if abs(life.rate - 1.0) < 0.1 else _RATES)[lang]
        found.append(words.format(rate=figure(life.rate, 2)))
    return found


def title(words: Words, name: str, lang: str) -> str:
    """Return a title in a language, else in English, else the name itself."""
    return words.get(lang) or words.get("en") or name


def _signal(name: str, profile: Profile, lang: str) -> tuple[str, str | None]:
    signal = profile.said(name)
    return (title(signal.title, name, lang), signal.unit) if signal else (name, None)


def _limit(item: Condition, profile: Profile) -> tuple[float | None, bool]:
    """Return the limit of the profile that a condition names, and whether its value is at it.

    A limit counts as reached at its very value, as in `models.fleet.checks`. N of M holds a
    condition while single values are short of it: where only the milder one is reached at the
    moment, it is named. None where the profile has no limit.
    """
    signal = profile.signals.get(item.signal)
    if signal is None or item.check not in {Check.LIMIT_HIGH, Check.LIMIT_LOW}:
        return None, True
    side, sign = ("high", 1.0) if item.check is Check.LIMIT_HIGH else ("low", -1.0)
    alert = getattr(signal.limits, f"alert_{side}")
    alarm = getattr(signal.limits, f"alarm_{side}")
    both = (alarm, alert) if item.severity > 2 or alert is None else (alert,)
    limits = [limit for limit in both if limit is not None]
    value = item.value
    reached = [one for one in limits if value is None or sign * (value - one) >= 0.0]
    return (*reached, *limits, None)[0], bool(reached) or not limits


def _condition(item: Condition, profile: Profile, lang: str) -> str:
    said = (_seen(item, profile, lang), *(_gap(one, profile, lang) for one in item.witnesses))
    return _STOP[lang].join(said) + ("" if item.active else _OVER[lang])


def _seen(item: Condition, profile: Profile, lang: str) -> str:
    """Return what is seen of a condition and what was expected."""
    name, unit = _signal(item.signal, profile, lang)
    value, expected = quantity(item.value, unit, lang), quantity(item.expected, unit, lang)
    contexts = _contexts(profile, lang) if item.check is Check.SHIFT else ""
    if contexts and item.expected is not None and item.value is not None:
        return _UNEXPLAINED[lang].format(
            signal=name,
            value=value,
            gap=_apart(item.value, item.expected, unit, lang),
            side=_SIDES[lang][item.value > item.expected],
            contexts=contexts,
        )
    again = item.check is Check.LEVEL and item.severity > NOTICE
    limit, reached = _limit(item, profile)
    words = _AGAIN if again else _FINDINGS[item.check] if reached else _PASSED[item.check]
    said = "" if limit is None else _OF[lang].format(limit=quantity(limit, unit, lang))
    text = words[lang].format(signal=name, value=value, limit=said)
    if item.check in SENSOR_CHECKS:
        text += "" if item.check is Check.DROPOUT else _LEFT_OUT[lang]
        text += "" if item.expected is None else _SAID[lang].format(expected=expected)
    elif _steady(item, profile) and item.value is not None and expected != value:
        text += _EXPECTED[lang].format(expected=expected)
    return text


def _steady(item: Condition, profile: Profile) -> bool:
    """Whether a condition's normal value says something: not at a limit of what always wears away.

    That is a signal of which every failure mode leaves out lasting shifts, as `models.fleet.lanes`.
    """
    if item.check not in {Check.LIMIT_HIGH, Check.LIMIT_LOW}:
        return item.expected is not None
    modes = [one for one in profile.failure_modes.values() if item.signal in one.signals]
    moves = bool(modes) and not any("shift" in one.checks for one in modes)
    return item.expected is not None and not moves


def _contexts(profile: Profile, lang: str) -> str:
    """Return which signals explain the others, as people say it; empty without any."""
    names = [
        title(signal.title, name, lang)
        for name, signal in profile.signals.items()
        if signal.role == "context" and signal.worse == "both"
    ]
    names = [_inside(name, lang) for name in names]
    comma, last = _AND[lang]
    text = last.join([comma.join(names[:-1]), names[-1]] if len(names) > 1 else names)
    if lang == "en" and names:
        text += " explain" if len(names) > 1 else " explains"
    return text


def _contribution(item: Contribution, profile: Profile, lang: str) -> str:
    name, unit = _signal(item.signal, profile, lang)
    unit = item.unit or unit  # the device may tell one that no profile knows
    expected = ""
    if item.expected is not None:
        expected = _EXPECTED[lang].format(expected=quantity(item.expected, unit, lang))
    value = quantity(item.value, unit, lang)
    return _CONTRIBUTION[lang].format(signal=name, value=value, expected=expected)


def _comparison(item: Comparison, profile: Profile, lang: str) -> str:
    name, unit = _signal(item.signal, profile, lang)
    gap = _gap(item, profile, lang)
    return _COMPARED[lang].format(signal=name, value=quantity(item.value, unit, lang), gap=gap)


def _gap(item: Comparison, profile: Profile, lang: str) -> str:
    """Return by how much a signal differs from what others show or explain."""
    beside = "" if item.beside is None else _inside(_signal(item.beside, profile, lang)[0], lang)
    words = _SISTERS if item.beside is None else _BESIDE
    return words[lang].format(
        gap=_apart(item.value, item.expected, _signal(item.signal, profile, lang)[1], lang),
        side=_SIDES[lang][item.value > item.expected],
        count=item.sisters,
        beside=beside,
    )


def _apart(one: float, other: float, unit: str | None, lang: str) -> str:
    """Return a difference with its unit; of shares points, because 5 % less is something else."""
    gap = abs(one - other)
    if unit != "%":
        return quantity(gap, unit, lang)
    points = figure(gap, 3)
    return _POINTS[lang].format(gap=points, s="" if points == "1" else "s")


def _inside(title_of: str, lang: str) -> str:
    """Return a title as it is written inside a sentence."""
    return title_of[:1].lower() + title_of[1:] if lang == "en" else title_of


def _life(item: Life, profile: Profile, lang: str) -> str:
    part = profile.consumables.get(item.component)
    name = title(part.title, item.component, lang) if part else item.component
    if item.p10_s is None or item.p50_s is None or item.p90_s is None:
        text = _UNKNOWN_LIFE[lang].format(part=name)
    elif item.p90_s <= 0.0:
        return _REACHED[lang].format(part=name)
    else:
        near = item.p50_s < VAGUE * item.p90_s or item.p50_s < SOON <= item.p90_s
        size = item.p90_s if near else item.p50_s
        low = span_of(item.p10_s, size, lang, bare=True)
        middle = span_of(item.p50_s, size, lang, bare=lang == "en")
        text = _LIFE[lang].format(
            part=name, low=low, high=span_of(item.p90_s, size, lang), middle=middle
        )
    if item.fraction is not None:
        share = f"{100 * item.fraction:.0f}%"
        text += _LEFT[lang].format(share=_TRACE[lang] if share == "0%" else share)
    return text


def _assessment(item: Assessment, profile: Profile, lang: str) -> str:
    text = _SUMMARY[lang].format(state=_STATES[item.state][lang], health=f"{item.health:.0f}")
    active = [c for c in item.conditions if c.active]
    if active:
        worst = max(active, key=lambda c: (c.severity, c.score))
        return f"{text}{'；' if lang == 'zh' else '; '}{_condition(worst, profile, lang)}"
    return text
