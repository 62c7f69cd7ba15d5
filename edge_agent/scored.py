"""A trained model beside any source: each reading gets the model's score as one more signal.

The model runs in an inference child. A reading never waits for a child that has died: until it is
there again, readings leave without a score.
"""

import contextlib
import logging
import math
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final, TypeGuard, cast

import msgspec

from edge_agent.child import Child
from edge_agent.drivers import Driver, Options, Reading, Value
from edge_agent.errors import DriverError
from edge_agent.inference import Task
from models.anomaly.card import ModelError
from models.anomaly.files import load_card
from models.contract.messages import Metric

USUAL: Final = 0.95  #: a score from here on is unusual
ANSWER_S: Final = 5.0  #: a row is small; a child that takes longer hangs
log = logging.getLogger(__name__)


def score_of(model: str) -> Metric:
    """Return the signal of a model's score; `DriverError` when its files do not fit together."""
    try:
        name = load_card(Path(model)).name
    except ModelError as error:
        raise DriverError(f"model: {error}") from error
    return Metric(name=f"{name}.score", unit="1", low=0.0, high=USUAL)


def scored(inner: Driver, model: str) -> Driver:
    """Return a driver that gives what `inner` gives, with the score of a model."""
    return cast(Driver, Scored(inner, model))  # `patient` is that of the driver inside


def _finite(value: Value) -> TypeGuard[float]:
    """Whether a value is a number of float64."""
    try:
        return value is not None and math.isfinite(value)
    except OverflowError:
        return False


class Scored:
    """A driver around a driver."""

    def __init__(self, inner: Driver, model: str) -> None:
        self.Options: type[Options] = inner.Options
        self.patient = inner.patient
        self._inner = inner
        self._metric = score_of(model)
        self._task = Task(model=model, score=self._metric.name)
        self._refused = False  #: the child runs, the model does not

    def signals(self) -> Sequence[Metric]:
        """Return the source's signals and the score."""
        return [*self._inner.signals(), self._metric]

    async def readings(self) -> AsyncGenerator[Reading, None]:
        """Yield the source's readings; the score is missing where the child has died."""
        source = self._inner.readings()
        async with Child(self._task) as child, contextlib.aclosing(source) as readings:
            child.answer_s = ANSWER_S
            async for reading in readings:
                yield await self._with_score(child, reading)

    async def _with_score(self, child: Child, reading: Reading) -> Reading:
        if self._refused:
            return reading
        row = {name: float(v) for name, v in reading.values.items() if _finite(v)}
        try:
            answer = await child.ask_at_once(msgspec.json.encode(row))
        except DriverError as error:
            log.error("%s; readings leave without a score until the agent starts again", error)
            self._refused = True
            return reading
        if answer is None:
            return reading
        if answer.error is not None:
            log.warning("a reading got no score: %s", answer.error)
            return reading
        score = answer.values[self._metric.name]
        return msgspec.structs.replace(reading, values={**reading.values, self._metric.name: score})
