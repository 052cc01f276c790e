"""The knobs of trade_ingest, beside the shared groups."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from libs.kit.settings import SettingsGroup


class IngestSettings(SettingsGroup):
    """PERPSTREAM_TRADES_*."""

    model_config = SettingsConfigDict(env_prefix="PERPSTREAM_TRADES_", frozen=True, extra="ignore")

    shard: int = Field(
        0, ge=0, description="Distinguishes processes that share a partition; part of the producer's name"
    )
    flush_ms: float = Field(50.0, ge=1, le=1000, description="Longest time a trade waits for company in its frame")
    silence_seconds: float = Field(15.0, gt=0, description="Venue time without any message before reconnecting")
    symbols_per_connection: int = Field(400, ge=1, le=1000)
    history_minutes: int = Field(
        0, ge=0, le=1440, description="A fresh start fetches this much before the open minute trade by trade, by REST"
    )
    gap_patience_seconds: float = Field(
        60.0, gt=0, description="Real time without progress after which a gap is declared as a hole"
    )
