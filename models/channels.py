"""High-rate channels as data: what an accelerometer is mounted on and where to look in its signal.

They are part of a profile (`bearings` and `channels`); `models.features` computes with them.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

UNITS: Final[Mapping[str, str]] = {  #: feature -> UCUM unit
    "acceleration_rms": "m/s2",
    "peak": "m/s2",
    "crest": "1",
    "kurtosis": "1",
    "velocity_rms": "mm/s",
    "bearing_band": "mm/s",
    "running_speed": "mm/s",
    "envelope_rms": "m/s2",
    "bpfo": "1",
    "bpfi": "1",
    "bsf": "1",
    "ftf": "1",
    "speed": "/min",
}
TITLES: Final[Mapping[str, Mapping[str, str]]] = {
    "acceleration_rms": {"en": "Acceleration", "zh": "加速度有效值"},
    "peak": {"en": "Acceleration, peak", "zh": "加速度峰值"},
    "crest": {"en": "Crest factor", "zh": "峰值因子"},
    "kurtosis": {"en": "Kurtosis", "zh": "峭度"},
    "velocity_rms": {"en": "Vibration, overall", "zh": "总振动"},
    "bearing_band": {"en": "Vibration in the bearing band", "zh": "轴承频带振动"},
    "running_speed": {"en": "Vibration at running speed", "zh": "转频振动"},
    "envelope_rms": {"en": "Envelope", "zh": "包络有效值"},
    "bpfo": {"en": "Outer race defect", "zh": "外圈故障特征"},
    "bpfi": {"en": "Inner race defect", "zh": "内圈故障特征"},
    "bsf": {"en": "Rolling element defect", "zh": "滚动体故障特征"},
    "ftf": {"en": "Cage defect", "zh": "保持架故障特征"},
    "speed": {"en": "Speed", "zh": "转速"},
}
TACHO: Final = "tacho"  #: the column of a layout that holds the pulses of the shaft


class Bearing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Geometry of a rolling bearing, from its maker's sheet. The inner ring turns."""

    rollers: Annotated[int, msgspec.Meta(ge=3, le=100)]  #: rolling elements in one row
    roller_mm: Annotated[float, msgspec.Meta(gt=0)]  #: diameter of one rolling element
    pitch_mm: Annotated[float, msgspec.Meta(gt=0)]  #: diameter of the circle of their centres
    contact_deg: Annotated[float, msgspec.Meta(ge=0, lt=90)] = 0.0  #: contact angle

    def __post_init__(self) -> None:
        if self.roller_mm >= self.pitch_mm:
            raise ValueError("roller_mm must be below pitch_mm")


Band = tuple[float, float]  #: from and to, Hz


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A high-rate channel: an accelerometer whose features are computed on the device.

    A band ends at half the sampling rate where that is lower.
    """

    title: Mapping[str, str] = msgspec.field(default_factory=dict)
    unit: Literal["m/s2", "[g]"] = "m/s2"  #: UCUM; of the samples
    bearing: str | None = None  #: its defect frequencies are looked for
    shaft_ratio: Annotated[float, msgspec.Meta(gt=0)] = 1.0  #: this shaft's speed to the measured
    velocity_hz: Band = (10.0, 1000.0)  #: of the overall velocity (ISO 20816-1)
    bearing_hz: Band = (300.0, 1000.0)  #: of the velocity in the bearing band
    envelope_hz: Band = (2000.0, 8000.0)  #: where the structure rings after each impact
    #: feature -> signal that it is; the others are published as `channel.feature`
    signals: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("velocity_hz", "bearing_hz", "envelope_hz"):
            low, high = getattr(self, key)
            if not 0.0 < low < high:
                raise ValueError(f"{key}: give two frequencies above 0 Hz, the lower one first")

    def signal(self, name: str, feature: str) -> str:
        """Return under which signal a feature of this channel, called `name`, is published."""
        return self.signals.get(feature, f"{name}.{feature}")

    def words(self, name: str, feature: str) -> dict[str, str]:
        """Return a feature's title, with that of the channel, called `name`, in brackets."""
        place = {language: self.title.get(language, name) for language in TITLES[feature]}
        return {
            "en": f"{TITLES[feature]['en']} ({place['en']})",
            "zh": f"{TITLES[feature]['zh']}（{place['zh']}）",
        }
