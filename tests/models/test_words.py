import msgspec
import pytest

from models.assessment import Assessment, Check, Comparison, Condition, Contribution, Life, State
from models.profile import Limits, Norm, Profile, Signal, load_profiles, parse_profile
from models.units import shown
from models.words import drivers, explain
from tests.models.fleet.machines import DAY, PUMP


def condition(check: Check, *, active: bool = True, value: float | None = 7.4) -> Condition:
    return Condition(
        signal="vibration",
        check=check,
        active=active,
        since_ns=0,
        score=0.9,
        severity=2,
        onset=active,
        value=value,
        expected=2.1,
    )


def life(*days: float | None, fraction: float | None = None) -> Life:
    p10, p50, p90 = (None if d is None else d * DAY for d in days)
    return Life(
        component="bearing",
        mode="bearing-wear",
        basis="trend",
        p10_s=p10,
        p50_s=p50,
        p90_s=p90,
        fraction=fraction,
    )


def test_a_contribution_in_both_languages() -> None:
    item = Contribution(
        signal="vibration", check=Check.SHIFT, value=7.4, expected=2.1, unit="mm/s", weight=1.0
    )
    english = "Vibration (RMS) is 7.4 mm/s; expected about 2.1 mm/s"
    assert explain(item, PUMP, "en") == english
    assert explain(item, PUMP, "zh") == "振动（有效值）为7.4 mm/s；正常约为2.1 mm/s"
    assert explain(item, PUMP, "fr") == english


@pytest.mark.parametrize("check", list(Check))
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_check_has_words(check: Check, lang: str) -> None:
    text = explain(condition(check), PUMP, lang)
    assert ("Vibration" in text) == (lang == "en")
    assert "{" not in text
    ended = explain(condition(check, active=False), PUMP, lang)
    assert ended.startswith(text)
    assert ended != text


def test_silence_has_no_value() -> None:
    silent = msgspec.structs.replace(condition(Check.DROPOUT, value=None), expected=None)
    assert explain(silent, PUMP) == "Vibration (RMS) is not heard"


def test_a_sensor_that_is_left_out_is_replaced_by_what_others_say() -> None:
    said = "the other signals say about 2.1 mm/s"
    assert explain(condition(Check.DROPOUT, value=None), PUMP) == (
        f"Vibration (RMS) is not heard; {said}"
    )
    assert explain(condition(Check.STUCK), PUMP) == (
        f"Vibration (RMS) has not changed at all (7.4 mm/s); it is left out of the score; {said}"
    )
    assert explain(condition(Check.STUCK), PUMP, "zh").endswith("；其余信号显示约为2.1 mm/s")


def test_changes_that_come_back_read_unlike_one() -> None:
    one = msgspec.structs.replace(condition(Check.LEVEL), severity=1)
    assert explain(one, PUMP).startswith("Vibration (RMS) has changed to 7.4 mm/s")
    again = explain(condition(Check.LEVEL), PUMP)
    assert again.startswith("Vibration (RMS) keeps changing suddenly, now to 7.4 mm/s")
    assert explain(condition(Check.LEVEL), PUMP, "zh").startswith("振动（有效值）反复突变")


@pytest.mark.parametrize(
    ("severity", "value", "en", "zh"),
    [
        (
            3,
            7.4,
            "is 7.4 mm/s, at or above its limit of 7.1 mm/s",
            "为7.4 mm/s，达到或高于限值（7.1 mm/s）",
        ),
        (
            3,
            5.63,
            "is 5.63 mm/s, at or above its limit of 4.5 mm/s",
            "为5.63 mm/s，达到或高于限值（4.5 mm/s）",
        ),
        (
            2,
            5.63,
            "is 5.63 mm/s, at or above its limit of 4.5 mm/s",
            "为5.63 mm/s，达到或高于限值（4.5 mm/s）",
        ),
        (
            2,
            4.5,
            "is 4.5 mm/s, at or above its limit of 4.5 mm/s",
            "为4.5 mm/s，达到或高于限值（4.5 mm/s）",
        ),
        (
            3,
            4.2,
            "is 4.2 mm/s and was at or above its limit of 7.1 mm/s before",
            "为4.2 mm/s，此前达到或高于限值（7.1 mm/s）",
        ),
        (
            2,
            4.2,
            "is 4.2 mm/s and was at or above its limit of 4.5 mm/s before",
            "为4.2 mm/s，此前达到或高于限值（4.5 mm/s）",
        ),
    ],
)
def test_a_limit_is_named_that_the_value_has_reached(
    severity: int, value: float, en: str, zh: str
) -> None:
    signal = Signal(unit="mm/s", title={"en": "V", "zh": "V"})
    high = msgspec.structs.replace(signal, limits=Limits(alert_high=4.5, alarm_high=7.1))
    low = msgspec.structs.replace(signal, limits=Limits(alert_low=-4.5, alarm_low=-7.1))
    item = msgspec.structs.replace(
        condition(Check.LIMIT_HIGH, value=value), severity=severity, expected=None
    )
    of = Profile(name="p", version=1, title={"en": "P"}, signals={"vibration": high})
    assert explain(item, of) == f"V {en}"
    assert explain(item, of, "zh") == f"V{zh}"
    mirrored = msgspec.structs.replace(item, check=Check.LIMIT_LOW, value=-value)
    of = Profile(name="p", version=1, title={"en": "P"}, signals={"vibration": low})
    turned = en.replace("above", "below").replace("is ", "is -").replace("of ", "of -")
    assert explain(mirrored, of) == f"V {turned}"


def test_a_band_of_life() -> None:
    assert (
        explain(life(6, 9, 14, fraction=0.3), PUMP)
        == "Bearing: limit reached in 6 to 14 days, most likely 9; 30% of its life is left"
    )
    assert explain(life(6, 9, 14), PUMP, "zh") == "Bearing：预计6至14天后达到极限，最可能为9天"
    assert explain(life(12, 14, 17, fraction=0.004), PUMP) == (
        "Bearing: limit reached in 12 to 17 days, most likely 14; less than 1% of its life is left"
    )
    assert explain(life(12, 14, 17, fraction=0.0), PUMP, "zh").endswith("；剩余寿命不足1%")
    assert explain(life(0, 0, 0), PUMP) == "Bearing: limit reached"
    assert explain(life(None, None, None), PUMP) == (
        "Bearing: not enough data yet to say how long it lasts"
    )


@pytest.mark.parametrize(
    ("days", "en", "zh"),
    [
        ((0, 0, 2), "0 to 2 days, most likely 0", "0至2天后达到极限，最可能为0天"),
        (
            (0, 10 / 1440, 20),
            "0 to 20 days, most likely 0",
            "0至20天后达到极限，最可能为0天",
        ),
        (
            (4.3, 4.9, 5.5),
            "4.3 to 5.5 days, most likely 4.9",
            "4.3至5.5天后达到极限，最可能为4.9天",
        ),
        ((0, 0.07, 0.35), "0 to 8 hours, most likely 2", "0至8小时后达到极限，最可能为2小时"),
        (
            (0.01, 0.5 / 24, 3 / 24),
            "0.2 to 3 hours, most likely 0.5",
            "0.2至3小时后达到极限，最可能为0.5小时",
        ),
        ((0, 0.03, 0.06), "0 to 86 minutes, most likely 43", "0至86分钟后达到极限，最可能为43分钟"),
        ((8.6, 9.97, 12.4), "8.6 to 12 days, most likely 10", "8.6至12天后达到极限，最可能为10天"),
    ],
)
def test_a_band_has_one_unit_and_is_as_exact_as_on_the_pages(
    days: tuple[float, ...], en: str, zh: str
) -> None:
    assert explain(life(*days), PUMP) == f"Bearing: limit reached in {en}"
    assert explain(life(*days), PUMP, "zh") == f"Bearing：预计{zh}"


def test_a_contribution_of_a_signal_that_no_profile_knows_has_the_unit_of_its_device() -> None:
    item = Contribution(
        signal="x", check=Check.SHIFT, value=7.4, expected=None, unit=None, weight=1.0
    )
    assert explain(item, shown(PUMP, {"x": "bar"})) == "x is 7.4 bar"


def test_an_assessment_names_the_worst_that_is_active() -> None:
    item = Assessment(
        machine="m",
        at_ns=0,
        n=0,
        state=State.ALERT,
        score=0.9,
        health=52.4,
        coverage=1.0,
        conditions=(condition(Check.SHIFT, active=False), condition(Check.LIMIT_HIGH)),
    )
    assert explain(item, PUMP) == (
        "not as it should be; health 52 of 100; "
        "Vibration (RMS) is 7.4 mm/s, at or above its limit of 4.5 mm/s; expected about 2.1 mm/s"
    )
    assert explain(item, PUMP, "zh").startswith("异常；健康度 52/100；振动")


def test_a_shift_is_told_against_what_load_and_speed_explain() -> None:
    profile = parse_profile(
        """
name = "p"
version = 1
title = { en = "Pump" }

[signals.speed]
role = "context"
title = { en = "Speed", zh = "转速" }

[signals.flow]
role = "context"
title = { en = "Flow", zh = "流量" }

[signals.pressure]
unit = "bar"
title = { en = "Discharge pressure", zh = "出口压力" }
"""
    )
    found = Condition(
        signal="pressure",
        check=Check.SHIFT,
        active=True,
        since_ns=0,
        score=0.9,
        severity=2,
        onset=True,
        value=4.1,
        expected=4.9,
    )
    assert explain(found, profile) == (
        "Discharge pressure is 4.1 bar, 0.8 bar below what speed and flow explain, and stays there"
    )
    assert explain(found, profile, "zh") == (
        "出口压力为4.1 bar，比转速和流量所能解释的低0.8 bar，且持续存在"
    )


@pytest.mark.parametrize(
    ("profile", "fields", "english", "chinese"),
    [
        (
            "air-purifier",
            {
                "component": "filter",
                "basis": "wear",
                "signal": "differential_pressure",
                "rate": 1.4,
            },
            [
                "moves by 0.8 Pa a day towards the limit of 250 Pa",
                "it wears 1.4 times as fast as a usual part",
            ],
            ["每天变化0.8 Pa，极限为250 Pa", "普通部件的1.4倍"],
        ),
        (
            "office-printer",
            {"component": "toner", "basis": "counter", "signal": "toner_pages"},
            [": 0.8 pages a day lately; such a part lasts 16000 pages"],
            ["近期每天0.8页，此类部件寿命约16000页"],
        ),
    ],
)
def test_what_drives_an_estimate(
    profile: str, fields: dict[str, object], english: list[str], chinese: list[str]
) -> None:
    known = msgspec.structs.replace(life(20, 30, 50), slope_per_s=0.8 / DAY, **fields)
    for lang, words in (("en", english), ("zh", chinese)):
        said = drivers(known, load_profiles()[profile], lang)
        assert len(said) == len(words)
        for sentence, word in zip(said, words, strict=True):
            assert word in sentence
    unknown = msgspec.structs.replace(known, p10_s=None, p50_s=None, p90_s=None)
    assert drivers(unknown, load_profiles()[profile]) == []


@pytest.mark.parametrize(
    ("fields", "days", "english", "chinese"),
    [
        ({"rate": 0.02}, (0, 0, 0), ["told by {}; the limit is 250 Pa"], ["依据{}，极限为250 Pa"]),
        (
            {"rate": 0.0201},
            (90, 900, 3000),
            ["told by {}; the limit is 250 Pa", "it hardly wears at present"],
            ["依据{}，极限为250 Pa", "目前几乎没有磨损"],
        ),
    ],
)
def test_no_figure_says_how_fast_a_part_goes_to_a_limit_it_has_reached_or_stands_off(
    fields: dict[str, float], days: tuple[float, ...], english: list[str], chinese: list[str]
) -> None:
    profile = load_profiles()["air-purifier"]
    names = {"component": "filter", "basis": "wear", "signal": "differential_pressure"}
    known = msgspec.structs.replace(life(*days), slope_per_s=1e-9, **names, **fields)
    title = profile.signals["differential_pressure"].title
    for lang, said in (("en", english), ("zh", chinese)):
        name = title[lang][0].lower() + title[lang][1:]
        assert drivers(known, profile, lang) == [one.format(name) for one in said]


def test_a_counter_at_the_end_tells_no_more_of_its_use() -> None:
    names = {"component": "toner", "basis": "counter", "signal": "toner_pages"}
    known = msgspec.structs.replace(life(0, 0, 0), slope_per_s=1e-3, **names)
    [said] = drivers(known, load_profiles()["office-printer"])
    assert said.endswith("; such a part lasts 16000 pages")


def test_an_indicator_that_is_read_as_at_the_nominal_load_says_so() -> None:
    profile = load_profiles()["air-purifier"]
    filter_ = msgspec.structs.replace(
        profile.consumables["filter"], norm=Norm(by="flow", nominal=600.0)
    )
    normed = msgspec.structs.replace(profile, consumables={"filter": filter_})
    names = {"component": "filter", "basis": "wear", "signal": "differential_pressure"}
    known = msgspec.structs.replace(life(20, 30, 50), **names)
    assert "600 m³/h" in drivers(known, normed, "en")[-1]
    assert "600 m³/h" in drivers(known, normed, "zh")[-1]


def test_what_always_wears_away_has_no_normal_value() -> None:
    profile = load_profiles()["office-printer"]
    empty = {"signal": "toner_level", "severity": 3, "value": 0.5, "expected": 62.6}
    low = msgspec.structs.replace(condition(Check.LIMIT_LOW), **empty)
    assert explain(low, profile) == "Toner level is 0.5%, at or below its limit of 1%"
    assert "正常" not in explain(low, profile, "zh")
    pump = load_profiles()["centrifugal-pump"]
    high = msgspec.structs.replace(condition(Check.LIMIT_HIGH), signal="vibration_bearing")
    assert explain(high, pump).endswith("expected about 2.1 mm/s")


def test_within_two_days_of_the_end_wear_is_told_by_the_hour() -> None:
    names = {"component": "filter", "basis": "wear", "signal": "differential_pressure"}
    near = msgspec.structs.replace(life(0.5, 1, 2), slope_per_s=0.3 / 3600, **names)
    said = drivers(near, load_profiles()["air-purifier"])
    assert said[0].endswith("moves by 0.3 Pa an hour towards the limit of 250 Pa")


def test_a_difference_of_shares_is_told_in_points() -> None:
    """40 % is 55 points below 95 %, and not 55 % of it."""
    battery = load_profiles()["battery-pack"]
    item = Comparison(signal="state_of_health", value=40.1, expected=94.8, spread=1.0, sisters=5)
    assert ", 54.7 percentage points below 5 machines like it" in explain(item, battery)
    assert explain(item, battery, "zh").endswith("低54.7个百分点")
