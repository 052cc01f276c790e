"""The knobs of liquidation_ingest, beside the shared groups."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.kit.settings import SettingsGroup


class LiquidationSettings(SettingsGroup):
    """PERPSTREAM_LIQUIDATIONS_*."""

    model_config = SettingsConfigDict(env_prefix="PERPSTREAM_LIQUIDATIONS_", frozen=True, extra="ignore")

    silence_seconds: float = Field(15.0, gt=0, description="Venue time without any message before reconnecting")
    all_market: bool = Field(
        False,
        description="One stream of all the venue's forced orders instead of one a symbol; for hundreds of symbols",
    )
    symbols_per_connection: int = Field(400, ge=1, le=1000)
