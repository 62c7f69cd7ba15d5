"""What the drivers of high-rate channels share: their options, and windows that become readings."""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from edge_agent.child import Child, values_of
from edge_agent.drivers import Options, Reading
from edge_agent.errors import DriverError
from edge_agent.inference import MAX_FRAME, Task
from edge_agent.scored import score_of
from models.channels import TACHO, UNITS
from models.contract.messages import Metric
from models.profile import Profile, ProfileError, load_profiles, parse_profile

SAMPLE_BYTES: Final[Mapping[str, int]] = {"f4": 4, "f8": 8, "i2": 2, "i4": 4}


class WindowOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How samples are written and what is made of them.

    Samples are little-endian and interleaved as `layout` says: for each column a channel of the
    profile, "tacho", or "" for one that is not used.
    """

    rate_hz: Annotated[float, msgspec.Meta(gt=0, le=10_000_000)]
    sample: Literal["f4", "f8", "i2", "i4"] = "f4"
    scale: float = 1.0  #: of one step of a sample, in the channel's unit
    layout: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=64)] = ("drive-end",)
    window_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 1.0
    profile: str = "centrifugal-pump"  #: a name of ours, or a TOML file
    pulses_per_turn: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    speed_rpm: Annotated[float, msgspec.Meta(gt=0)] | None = None
    model: str | None = None  #: NAME.onnx with its card beside it

    def __post_init__(self) -> None:
        if self.window_bytes > MAX_FRAME:
            raise ValueError(f"a window of {self.window_bytes} bytes is more than {MAX_FRAME}")

    @property
    def row_bytes(self) -> int:
        """Bytes of one moment: a sample of each column."""
        return SAMPLE_BYTES[self.sample] * len(self.layout)

    @property
    def window_rows(self) -> int:
        """Moments in a window."""
        return max(round(self.window_s * self.rate_hz), 1)

    @property
    def window_bytes(self) -> int:
        """Bytes of a window."""
        return self.window_rows * self.row_bytes

    def gap_rows(self, interval_s: float) -> int:
        """Return the moments between two windows that begin `interval_s` apart."""
        return max(round(interval_s * self.rate_hz) - self.window_rows, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Raw samples, and when the last of them was taken. `mono_ns` None: the data's own time."""

    raw: bytes
    wall_ns: int
    mono_ns: int | None = None


class Featured:
    """Turns windows into readings with the child's help. `DriverError`: the options do not fit."""

    def __init__(self, options: WindowOptions) -> None:
        self._options = options
        self._profile = _profile(options.profile)
        self._score = None if options.model is None else score_of(options.model)
        self.signals = self._metrics()

    def _metrics(self) -> Sequence[Metric]:
        found: dict[str, Metric] = {}
        for name in self._options.layout:
            if name in ("", TACHO):
                continue
            channel = self._profile.channels.get(name)
            if channel is None:
                known = ", ".join(self._profile.channels) or "none"
                raise DriverError(
                    f"layout: profile {self._profile.name} has no channel '{name}' (it has "
                    f"{known}; '{TACHO}' is the tacho)"
                )
            for feature, unit in UNITS.items():
                signal = channel.signal(name, feature)
                found[signal] = Metric(name=signal, unit=unit)
        if not found:
            raise DriverError("layout: names no channel")
        if self._score is not None:
            found[self._score.name] = self._score
        return list(found.values())

    def _task(self) -> Task:
        options = self._options
        return Task(
            channels={n: c for n, c in self._profile.channels.items() if n in options.layout},
            bearings=self._profile.bearings,
            layout=options.layout,
            sample=options.sample,
            scale=options.scale,
            rate_hz=options.rate_hz,
            pulses_per_turn=options.pulses_per_turn,
            speed_rpm=options.speed_rpm,
            model=options.model,
            score=None if self._score is None else self._score.name,
        )

    async def readings(self, source: AsyncGenerator[Window, None]) -> AsyncGenerator[Reading, None]:
        """Yield the features of one window after the other; windows without any leave none."""
        async with Child(self._task()) as child, contextlib.aclosing(source) as windows:
            async for window in windows:
                values = values_of(await child.ask(window.raw))
                if values:
                    yield Reading(values=values, wall_ns=window.wall_ns, mono_ns=window.mono_ns)


def _profile(name: str) -> Profile:
    """Return a profile by its name, or of a TOML file."""
    try:
        if name.endswith(".toml"):
            return parse_profile(Path(name).read_text("utf-8"), name)
        profiles = load_profiles()
    except (OSError, ProfileError) as error:
        raise DriverError(f"profile: {error}") from error
    if name not in profiles:
        raise DriverError(f"profile: there is no '{name}': use {', '.join(profiles)}")
    return profiles[name]
