"""What two installations may want to differ in."""

import re
from typing import Annotated

from pydantic import Field, field_validator

from libs.kit.settings import SettingsGroup

OFF = "off"
_MINUTE_MS = 60_000


class DriftSettings(SettingsGroup):
    """The nightly drift check: when a day is compared, how long that may take, and how far back a missed night is caught up."""

    drift_at: str = Field(default="00:30", description="UTC time of day, HH:MM, or `off`")
    drift_days: Annotated[int, Field(ge=1, le=366)] = Field(
        default=7, description="The newest days that are checked when they were missed"
    )

    drift_replay_hours: Annotated[float, Field(gt=0, le=7 * 24, allow_inf_nan=False)] = Field(
        default=2.0, description="A replay that takes longer is killed, and its day not comparable"
    )

    @field_validator("drift_at")
    @classmethod
    def _time_of_day(cls, value: str) -> str:
        if value != OFF and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII):
            raise ValueError(f"{value!r} is no time of day: write it like 00:30, or off")
        return value

    @property
    def after_midnight_ms(self) -> int | None:
        """How long after its end a day is checked; None: never."""
        if self.drift_at == OFF:
            return None
        hours, minutes = self.drift_at.split(":")
        return (int(hours) * 60 + int(minutes)) * _MINUTE_MS
