"""The knobs of trade_ingest, beside the shared groups."""

import re
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic_settings import NoDecode, SettingsConfigDict

from libs.contracts.partitioning import partition_of
from libs.kit.errors import ConfigurationError
from libs.kit.settings import SettingsGroup


class ShardOf(NamedTuple):
    """Process `number` (from 0) of `of` that share the symbols."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def _read_shard(text: object) -> object:
    """Raises `ValueError` for anything but `i/n` with i < n."""
    if isinstance(text, ShardOf):
        return text
    found = re.fullmatch(r"([0-9]{1,3})/([0-9]{1,3})", str(text))
    if found is None or int(found[1]) >= int(found[2]):
        raise ValueError("is no shard: write i/n with i from 0 to n-1, like 0/2 and 1/2")
    return ShardOf(int(found[1]), int(found[2]))


Shard = Annotated[ShardOf, NoDecode, BeforeValidator(_read_shard), PlainSerializer(str)]


def has_symbol(shard: ShardOf, symbol: str, partitions: int) -> bool:
    """Whether the process ingests the symbol: it has whole partitions."""
    return partition_of(symbol, partitions) % shard.of == shard.number


def shard_symbols(symbols: Sequence[str], shard: ShardOf, partitions: int) -> tuple[str, ...]:
    """The symbols of one process. Whole partitions, so that each has one writer: raises `ConfigurationError` for more processes
    than partitions, and for one that would have no symbol."""
    todo = "take as many shards as partitions at most (PERPSTREAM_MARKET_PARTITIONS), and symbols for each"
    if shard.of > partitions:
        raise ConfigurationError(
            f"{shard.of} shards share {partitions} partitions", where="PERPSTREAM_TRADES_SHARD", todo=todo
        )
    mine = tuple(symbol for symbol in symbols if has_symbol(shard, symbol, partitions))
    if not mine:
        raise ConfigurationError(f"no symbol belongs to shard {shard}", where="PERPSTREAM_TRADES_SHARD", todo=todo)
    return mine


class IngestSettings(SettingsGroup):
    """PERPSTREAM_TRADES_*."""

    model_config = SettingsConfigDict(env_prefix="PERPSTREAM_TRADES_", frozen=True, extra="ignore")

    shard: Shard = Field(
        ShardOf(0, 1),
        description="`i/n`: this process ingests the partitions p with p mod n = i; part of the producer's name. "
        "Also `--shard i/n`",
    )
    connections: int = Field(
        1, ge=1, le=2, description="2: two connections for good, so that the loss of one needs no question to the venue"
    )
    rotate_minutes: float = Field(
        24 * 60 - 10,
        gt=0,
        description="Venue time until a connection is changed over; the venue ends it after 24 hours",
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
