import pickle
from pathlib import Path

import msgspec
import pytest

from models.anomaly.card import MAX_CARD, ModelError, Side, digest, read, written
from models.anomaly.files import card_of, load_card
from models.anomaly.learned import load
from tests.models.anomaly.trained import saved, trained


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path)
    made = trained()
    card, _ = load(path)
    assert msgspec.structs.replace(card, seal="") == made.card
    assert card.state == "shadow"
    assert load_card(path) == card


def test_another_model_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not the one that its card describes"):
        load(path)


@pytest.mark.parametrize("old", [b'"excess": ', b'"signal": "', b'"state": "'])
def test_a_changed_card_is_refused(tmp_path: Path, old: bytes) -> None:
    path = saved(tmp_path)
    text = card_of(path).read_bytes()
    at = text.index(old) + len(old)
    new = text[:at] + (b"9" if text[at : at + 1].isdigit() else b"x") + text[at + 1 :]
    assert new != text
    card_of(path).write_bytes(new)
    with pytest.raises(ModelError, match=r"changed after training|cannot be read"):
        load(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (pickle.dumps({"name": "x"}), "cannot be read"),
        (b" " * (MAX_CARD + 1), "more than"),
    ],
)
def test_a_card_that_is_none_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        read(text, b"")


def test_a_pickle_is_never_a_model(tmp_path: Path) -> None:
    harm = pickle.dumps(trained().card.metrics.train_rows)
    path = saved(tmp_path, model_sha256=digest(harm))
    path.write_bytes(harm)
    with pytest.raises(ModelError, match="does not load the model"):
        load(path)


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, features=trained().card.features[:2])
    with pytest.raises(ModelError, match="has shapes"):
        load(path)


def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="schema 2 is not 1"):
        load(saved(tmp_path, schema=2))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path)
    card_of(path).unlink()
    with pytest.raises(ModelError, match=r"plant-autoencoder\.json: cannot be read"):
        load(path)


def test_one_that_is_worse_is_never_active(tmp_path: Path) -> None:
    made = trained().card
    worse = msgspec.structs.replace(
        made.metrics,
        learned=Side(caught=1, false_onsets=0),
        default=Side(caught=2, false_onsets=0),
    )
    load(saved(tmp_path, metrics=worse))
    with pytest.raises(ModelError, match="leave it in the shadow"):
        load(saved(tmp_path, metrics=worse, state="active"))


@pytest.mark.parametrize(
    ("learned", "default", "worse"),
    [
        ((5, 0), (5, 0), False),
        ((6, 0), (5, 1), False),
        ((4, 0), (5, 0), True),
        ((9, 1), (0, 0), True),
    ],
)
def test_worse_means_less_caught_or_more_false(
    learned: tuple[int, int], default: tuple[int, int], worse: bool
) -> None:
    metrics = msgspec.structs.replace(
        trained().card.metrics,
        learned=Side(caught=learned[0], false_onsets=learned[1]),
        default=Side(caught=default[0], false_onsets=default[1]),
    )
    assert metrics.worse is worse


def test_the_text_is_for_people_too() -> None:
    assert b'\n  "name": "plant-autoencoder"' in written(trained().card)
