"""Reads the service's API into what the board shows: machines, and what was raised, as it comes."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from forewarn.board import DAY_S, Happening, MachineLine, days
from forewarn.client import Client, Item, part
from models.profile import Profile

URGENCY: Final = {"alarm": 0, "alert": 1, "silent": 2, "normal": 3, "learning": 4, "unknown": 5}


class FleetView:
    """What a service says of its fleet. Happenings are kept in the order in which they were seen.

    Every call reads the API and blocks; it raises `forewarn.client.ServiceError`.
    """

    def __init__(self, client: Client, profiles: dict[str, Profile]) -> None:
        self._client = client
        self.address = client.url
        self._profiles = profiles
        self._known: set[str] = set()
        self._banded: set[str] = set()  # advisories whose life band has been told
        self.machines: list[MachineLine] = []
        self.tickets: list[Item] = []
        self.happenings: list[Happening] = []

    def look(self) -> None:
        """Read machines, advisories and tickets once."""
        found = list(self._client.items("machines", {"limit": 200}))
        details = [self._client.get(f"machines/{part(item['id'])}") for item in found]
        names = {item["id"]: short(item) for item in found}
        advisories = list(self._client.items("advisories", {"limit": 200}))
        self.tickets = list(self._client.items("tickets", {"limit": 200}))
        for kind, items in (("advisory", advisories), ("ticket", self.tickets)):
            for item in reversed(items):
                self._note(kind, item, names)
        raised = {item["machine"]: "advisory" for item in advisories}
        raised |= {item["machine"]: f"ticket {item['number']}" for item in self.tickets}
        lines = [self._line(item, raised.get(item["id"], "")) for item in details]
        self.machines = sorted(lines, key=lambda one: (not one.note, URGENCY[one.state]))

    def add(self, happening: Happening) -> None:
        """Put something that the API does not tell among the happenings."""
        self.happenings.append(happening)

    def _note(self, kind: str, item: Item, names: dict[str, str]) -> None:
        if item.get("state") == "shadow":
            return
        machine = names.get(item["machine"]) or str(item["machine"])
        band = _band(item["life"]) if kind == "advisory" and item["life"] else None
        left = days(band) if band and band[1] is not None else ""
        if item["id"] not in self._known:
            self._known.add(item["id"])
            words = item["title"]["en"] + (f", {left} left" if left else "")
            if kind == "ticket":
                words = f"{item['number']}: {words}. {item['action']['en']}"
                words += f" Part {item['part']}." if item["part"] else ""
            self._add(kind, item["opened"], machine, words)
        elif left and item["id"] not in self._banded:
            self._add("life band", item["life_at"], machine, f"{item['title']['en']}, {left} left")
        if left:
            self._banded.add(item["id"])

    def _add(self, kind: str, at: str, machine: str, text: str) -> None:
        self.add(Happening(kind=kind, at_ns=nanoseconds(at), machine=machine, text=text))

    def _line(self, item: Item, note: str) -> MachineLine:
        profile = self._profiles.get(item["profile"])
        lives = [*_lives(item["assessment"])]
        nearest = min(lives, key=lambda life: life["p50_s"], default=None)
        return MachineLine(
            machine=short(item),
            type=profile.title["en"] if profile else item["profile"],
            state=item["state"],
            health=item["health"],
            left=_band(nearest) if nearest else None,
            part=nearest["component"] if nearest else None,
            heard_ns=nanoseconds(item["seen"]) if item["seen"] else None,
            note=note,
        )


def short(item: Item) -> str:
    """Return a machine's key behind its device, else its name or id."""
    return str(item["id"].partition(":")[2] or item["name"] or item["id"])


def nanoseconds(text: str) -> int:
    """Return an RFC 3339 time as ns since 1970 UTC, to the microsecond."""
    return round(datetime.fromisoformat(text).timestamp() * 1e6) * 1000


def _lives(assessment: Item | None) -> Iterator[Item]:
    for life in (assessment or {}).get("lives", ()):
        if life["p50_s"] is not None:
            yield life


def _band(life: Item) -> tuple[float | None, float | None, float | None]:
    low, middle, high = (_days(life[name]) for name in ("p10_s", "p50_s", "p90_s"))
    return low, middle, high


def _days(seconds: Any) -> float | None:
    return None if seconds is None else float(seconds) / DAY_S
