"""The knobs of indicator_ingest, beside the shared groups. All seconds are venue time."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.kit.settings import SettingsGroup


class IndicatorSettings(SettingsGroup):
    """PERPSTREAM_INDICATORS_*."""

    model_config = SettingsConfigDict(env_prefix="PERPSTREAM_INDICATORS_", frozen=True, extra="ignore")

    open_interest_seconds: float = Field(60.0, ge=1)
    premium_seconds: float = Field(15.0, ge=1)
    premium_stale_seconds: float = Field(30.0, gt=0, description="An older Coinbase trade gives no premium")
    history_periods: int = Field(
        30, ge=2, le=500, description="Five-minute periods asked for at start and after a failure"
    )
    silence_seconds: float = Field(
        15.0, gt=0, description="Mark price: venue time without a message before reconnecting"
    )
    symbols_per_connection: int = Field(400, ge=1, le=1000)
