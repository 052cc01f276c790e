"""The knobs of indicator_ingest, beside the shared groups. All seconds are venue time."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.kit.settings import SettingsGroup


class IndicatorSettings(SettingsGroup):
    """PERPSTREAM_INDICATORS_*."""

    model_config = SettingsConfigDict(env_prefix="PERPSTREAM_INDICATORS_", frozen=True, extra="ignore")

    open_interest_seconds: float = Field(60.0, ge=1)
    premium_seconds: float = Field(15.0, ge=1)
    premium_stale_seconds: float = Field(30.0, gt=0, description="With an older last trade on either side no premium")
    history_periods: int = Field(30, ge=2, le=500, description="Five-minute periods asked for each time")
    history_days: float = Field(
        30.0, ge=0, le=30, description="How far back missing values are fetched behind the live ones; 0: not at all"
    )
    silence_seconds: float = Field(
        15.0, gt=0, description="Mark price: venue time without a message before reconnecting"
    )
    symbols_per_connection: int = Field(400, ge=1, le=1000)
