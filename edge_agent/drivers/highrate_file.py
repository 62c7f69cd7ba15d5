"""High-rate channels of a file: raw samples, or WAV. Its readings carry the file's own time.

A window begins every `interval_s` of the recording; the last one that is not whole is left out.
"""

import asyncio
import contextlib
import itertools
import wave
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar, Final

from edge_agent.drivers import Options, Reading
from edge_agent.errors import DriverError
from edge_agent.windows import Featured, Window, WindowOptions
from models.contract.errors import ContractError
from models.contract.messages import Metric
from models.contract.times import instant_ns

NS: Final = 1_000_000_000
WAVE_SAMPLES: Final = {2: "i2", 4: "i4"}  #: bytes of a sample in a WAV file -> `sample`


class HighRateFileOptions(WindowOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`start`: RFC 3339, when the first sample was taken."""

    file: str
    start: str


class HighRateFileDriver:
    """Reads a file once, window by window, and has them turned into features."""

    Options: ClassVar[type[Options]] = HighRateFileOptions
    patient: ClassVar[bool] = True

    def __init__(self, options: HighRateFileOptions, *, interval_s: float) -> None:
        self._options = options
        self._path = Path(options.file)
        self._featured = Featured(options)
        self._gap_rows = options.gap_rows(interval_s)
        try:
            self._start_ns = instant_ns(options.start)
        except ContractError as error:
            raise DriverError(
                f"start: {options.start[:40]!r} is not RFC 3339 with a zone"
            ) from error

    def signals(self) -> Sequence[Metric]:
        """Return the features of each channel of the layout, with their units."""
        return self._featured.signals

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """Yield the features of every window."""
        async with contextlib.aclosing(self._featured.readings(self._windows())) as readings:
            async for reading in readings:
                yield reading

    async def _windows(self) -> AsyncGenerator[Window, None]:
        options = self._options
        step = options.window_rows + self._gap_rows
        with contextlib.closing(self._raw()) as windows:
            for k in itertools.count():
                raw = await asyncio.to_thread(next, windows, None)
                if raw is None:
                    return
                rows = k * step + options.window_rows
                since_ns = round(rows * NS / options.rate_hz)
                yield Window(raw=raw, wall_ns=self._start_ns + since_ns)

    def _raw(self) -> Generator[bytes, None, None]:
        """Yield the samples of one window after the other."""
        try:
            if self._path.suffix.lower() == ".wav":
                with wave.open(str(self._path)) as sound:
                    self._check(sound)
                    yield from self._of_wave(sound)
            else:
                with self._path.open("rb") as file:
                    yield from self._of_samples(file)
        except (OSError, EOFError, wave.Error) as error:
            raise DriverError(f"high-rate: cannot read {self._path}: {error}") from error

    def _of_samples(self, file: BinaryIO) -> Iterator[bytes]:
        options = self._options
        while len(raw := file.read(options.window_bytes)) == options.window_bytes:
            yield raw
            file.seek(self._gap_rows * options.row_bytes, 1)

    def _of_wave(self, sound: wave.Wave_read) -> Iterator[bytes]:
        options = self._options
        last = sound.getnframes() - options.window_rows
        for first in range(0, last + 1, options.window_rows + self._gap_rows):
            sound.setpos(first)
            yield sound.readframes(options.window_rows)

    def _check(self, sound: wave.Wave_read) -> None:
        options = self._options
        rate, width = sound.getframerate(), sound.getnchannels()
        sample = WAVE_SAMPLES.get(sound.getsampwidth(), f"{sound.getsampwidth()} bytes")
        if (rate, width, sample) != (round(options.rate_hz), len(options.layout), options.sample):
            raise DriverError(
                f"high-rate: {self._path} has {rate} Hz, {width} columns of {sample}; rate_hz, "
                "layout and sample say otherwise"
            )
