import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.contract import topics
from models.contract.errors import BadTopic
from models.contract.topics import Topic

ids = st.from_regex(r"[a-z0-9][a-z0-9-]{0,30}", fullmatch=True)
levels = st.from_regex(r"[a-z0-9][a-z0-9-]{0,40}", fullmatch=True)
paths = st.lists(levels, min_size=1, max_size=4).map(tuple)
good = st.builds(Topic, ids, ids, st.sampled_from(["up", "down"]), paths)


@given(good)
def test_parse_is_the_inverse_of_build(topic: Topic) -> None:
    assert topics.parse(topics.build(topic)) == topic


@given(good, good)
def test_no_two_topics_collide(one: Topic, other: Topic) -> None:
    assert (topics.build(one) == topics.build(other)) == (one == other)


@given(good, good)
def test_no_device_is_under_anothers_access_pattern(one: Topic, other: Topic) -> None:
    # The broker lets a device write below `pm/1/{user name}/up/` only.
    inside = topics.build(other).startswith(f"pm/1/{one.identity}/up/")
    assert inside == (one.identity == other.identity and other.direction == "up")


@given(good)
def test_up_and_down_take_the_identity(topic: Topic) -> None:
    make = topics.up if topic.direction == "up" else topics.down
    assert make(topic.identity, *topic.channel) == topic.text
    assert topics.receipts(topic.identity) == topics.down(topic.identity, "ack")


@given(st.one_of(st.text(), st.lists(st.text(max_size=8), max_size=9).map("/".join)))
def test_garbage_is_a_bad_topic_or_round_trips(text: str) -> None:
    for candidate in (text, f"pm/1/{text}", f"pm/1/a.b/{text}", f"pm/1/a.b/up/{text}"):
        try:
            topic = topics.parse(candidate)
        except BadTopic:
            continue
        assert topics.build(topic) == candidate


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "pm", "pm/1", "pm/1/a.b", "pm/1/a.b/up", "pm/1/a.b/up/", "/pm/1/a.b/up/state"),
        *("pm/2/a.b/up/state", "pm/1/ab/up/state", "pm/1/a.b.c/up/state", "pm/1/.b/up/state"),
        *("pm/1/A.b/up/state", "pm/1/-a.b/up/state", "pm/1/a_b.c/up/state", "pm/1/a.b/UP/state"),
        *("pm/1/+/up/state", "pm/1/a.b/up/#", "pm/1/a.b/up/t/+", "$share/g/pm/1/a.b/up/state"),
        *(
            "pm/1/a.b/up/$state",
            "pm/1/a.b/up/state\0",
            "pm/1/a.b/up/state\n",
            "pm/1/a.b\n/up/state",
        ),
        *("pm/1/ä.b/up/state", "pm/1/a.b/up/１", "pm/1/a.b/up/a/b/c/d/e", "pm/1/a.b//state"),
        *(f"pm/1/{'a' * 32}.b/up/state", f"pm/1/a.{'b' * 32}/up/state", "pm/1/a.b/up/" + "x" * 64),
        "pm/1/a.b/up/" + "/".join(["x" * 63] * 4),
    ],
)
def test_not_ours(text: str) -> None:
    with pytest.raises(BadTopic):
        topics.parse(text)


def test_the_longest_identity_fits_a_certificate() -> None:
    topic = topics.parse(f"pm/1/{'a' * 31}.{'b' * 31}/up/t/live")
    assert len(topic.identity) == 63  # a common name holds 64


@pytest.mark.parametrize(
    "identity", ["", "acme", "acme.", ".pump", "acme.pump.1", "acme/x.pump", "a.+"]
)
def test_a_wrong_identity_makes_no_topic(identity: str) -> None:
    with pytest.raises(BadTopic):
        topics.up(identity, "state")


def test_a_topic_that_is_too_long_is_not_built() -> None:
    with pytest.raises(BadTopic, match="more than 250"):
        topics.build(Topic("a", "b", "up", ("x" * 63,) * 4))
