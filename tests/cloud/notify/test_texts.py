import msgspec
import pytest

from cloud.ledger import AlertRow, Ledger
from cloud.notify.texts import NAME, TEMPLATES, Language, compose, fill
from models.assessment import Check, State
from models.profile import Profile
from tests.cloud.ledger.made import DAY, T0, Clock, assess, band, high, profiles

INJECTIONS = [
    "{0.__class__}",
    "{machine.__init__.__globals__}",
    "{machine!r}",
    "{machine:>1000000000}",
    "{{7*7}}",
    "{%for x in y%}",
    "${jndi:ldap://x}",
    "%(machine)s",
    "{title}",
    "<script>alert(1)</script>",
    "__import__('os').system('x')",
    "{what}{what}{what}",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_is_filled_in_is_never_read_again(text: str) -> None:
    assert fill("a {machine} b", {"machine": text, "what": "X", "title": "T"}) == f"a {text} b"


@pytest.mark.parametrize("text", INJECTIONS[:4])
def test_a_template_knows_names_only(text: str) -> None:
    assert fill(text, {"machine": "M"}) == text


def test_a_value_cannot_forge_a_line() -> None:
    assert fill("{machine}!", {"machine": "a\r\nTo do: nothing"}) == "a To do: nothing!"


def test_both_languages_have_the_same_templates_with_the_same_names() -> None:
    english, chinese = TEMPLATES["en"], TEMPLATES["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(NAME.findall(text)) == set(NAME.findall(chinese[key])), key


def _alert(ledger: Ledger, clock: Clock) -> AlertRow:
    ledger.file(1, [assess(1, high(), lives=(band(4, 6, 9),))])
    (one,) = ledger.alerts_due(clock())
    return one


@pytest.mark.parametrize(
    ("language", "title", "words"),
    [
        (
            "en",
            "[ALERT] Pump 1: Bearing wear",
            [
                "New ticket #1: Bearing wear (Bearing).",
                "Reason: vibration is 5 mm/s, at or above its limit; expected about 4.5 mm/s.",
                "Reason: Bearing: limit reached in 4 to 9 days, most likely 6",
                "To do: Replace both bearings.",
                "Part: 6309, order by 2023-11-14 UTC (the machine's own clock).",
                " UTC (the machine's own clock).\nConfidence",
                "Confidence: high; 90 % of its signals are heard.",
            ],
        ),
        (
            "zh",
            "【警告】Pump 1：轴承磨损",
            [
                "新工单 #1：轴承磨损（轴承）。",
                "依据：轴承：预计4至9天后达到极限，最可能为6天",
                "处理建议：更换两端轴承。",
                "备件：6309，最晚订货 2023-11-14 UTC（设备时钟）。",
                " UTC（设备时钟）。\n置信度",
            ],
        ),
    ],
)
def test_a_message_says_what_when_how_sure_and_what_to_do(
    ledger: Ledger, clock: Clock, language: Language, title: str, words: list[str]
) -> None:
    text = compose([_alert(ledger, clock)], language, profiles()["pump"])
    assert text.title == title
    for line in words:
        assert line in text.body
    assert "{" not in text.body


def test_a_signals_name_cannot_forge_a_line(ledger: Ledger, clock: Clock) -> None:
    evil = high(signal="x\nTo do: {action} nothing {machine.__class__}")
    ledger.file(1, [assess(1, high()), assess(1, evil)])
    for row in ledger.advisories()[0]:
        if row.ticket_id is None:
            ledger.decide_advisory(row.id, row.version, "accept", actor="ann")
    text = compose(ledger.alerts_due(clock()), "en", profiles()["pump"])
    assert "Reason: x To do: {action} nothing {machine.__class__} is 5" in text.body
    assert text.title.endswith("and 1 more")


def test_without_a_profile_names_are_as_they_came(ledger: Ledger, clock: Clock) -> None:
    bare = Profile(name="pump", version=0, title={})
    text = compose([_alert(ledger, clock)], "en", bare)
    assert "(bearing)" in text.body
    assert "vibration is 5, at or above its limit" in text.body


@pytest.mark.parametrize(("language", "words"), [("en", "not heard."), ("zh", "设备失联。")])
def test_what_every_machine_has_is_told_without_a_name_of_ours(
    ledger: Ledger, clock: Clock, language: Language, words: str
) -> None:
    silent = msgspec.structs.replace(high(), check=Check.DROPOUT)
    ledger.file(1, [msgspec.structs.replace(assess(1, silent), state=State.SILENT)])
    (row,) = ledger.advisories()[0]
    ledger.decide_advisory(row.id, row.version, "accept", actor="ann")
    text = compose(ledger.alerts_due(clock()), language, profiles()["pump"])
    assert words in text.body
    assert "connection" not in text.body


def test_a_message_takes_the_band_of_now(ledger: Ledger, clock: Clock) -> None:
    ledger.file(1, [assess(1, high(), lives=(band(60, 66, 72),))])
    ledger.file(2, [assess(2, high(), at_ns=T0 + 30 * DAY, lives=(band(30, 36, 42),))])
    text = compose(ledger.alerts_due(clock()), "en", profiles()["pump"])
    assert "limit reached in 30 to 42 days, most likely 36" in text.body


@pytest.mark.parametrize(
    ("language", "words"), [("en", "it is due by 2023-11-14"), ("zh", "应于 2023-11-14")]
)
def test_a_visit_whose_time_has_come_has_no_window(
    ledger: Ledger, clock: Clock, language: Language, words: str
) -> None:
    ledger.file(1, [assess(1, lives=(band(0, 0, 0),))])
    text = compose(ledger.alerts_due(clock()), language, profiles()["pump"])
    assert words in text.body
    assert "between" not in text.body
