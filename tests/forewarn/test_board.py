import io

from rich.console import Console

from forewarn.board import Happening, MachineLine, Picture, Telling, days, picture_of, render, when

PICTURE = Picture(
    title="forewarn demo",
    headline="pump-03 degrades",
    address="http://127.0.0.1:8470",
    clock_ns=1_767_571_200_000_000_000,
    machines=[
        MachineLine(
            machine="pump-03",
            type="Centrifugal pump",
            state="alert",
            health=61.0,
            left=(4.2, 9.0, 17.5),
            part="bearing",
            heard_ns=1_767_571_200_000_000_000,
            note="ticket",
        ),
        MachineLine(machine="host", type="Computer", state="learning"),
    ],
    happenings=[Happening(kind="ticket", at_ns=0, machine="pump-03", text="Bearing wear")],
)


def test_the_board_shows_what_is_known() -> None:
    out = io.StringIO()
    Console(file=out, width=150).print(render(PICTURE))
    text = out.getvalue()
    for word in (
        "pump-03 degrades",
        "http://127.0.0.1:8470",
        "4.2–18 d",
        "bearing",
        "alert",
        "2026-01-05 00:00Z",
        "Bearing wear",
        "learning",
    ):
        assert word in text


def test_an_image_of_the_board_loads_nothing() -> None:
    image = picture_of(PICTURE)
    assert image.startswith("<svg")
    assert "Bearing&#160;wear" in image
    assert "url(http" not in image
    assert "@font-face" not in image


def test_a_band_is_told_in_days_and_never_below_nothing() -> None:
    assert days((-1.0, 0.5, 2.0)) == "0.0–2.0 d"
    assert days((10.0, 100.0, None)) == "10–999+ d"
    assert days((1_000.0, 2_000.0, 3_000.0)) == "999+ d"
    assert days((None, None, None)) == "–"
    assert days(None) == "–"


def test_a_time_says_its_zone() -> None:
    assert when(0) == "1970-01-01 00:00Z"
    assert when(None) == "–"


def test_lines_are_told_once() -> None:
    telling = Telling()
    first = list(telling.lines(PICTURE))
    assert first == [
        "Pages and API: http://127.0.0.1:8470",
        "[1970-01-01 00:00Z] ticket: pump-03: Bearing wear",
        "[2026-01-05 00:00Z] pump-03 degrades",
    ]
    assert list(telling.lines(PICTURE)) == []
