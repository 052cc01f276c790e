"""What differs between two sequencers: which partitions they own, and how patient a stand-by is."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from libs.kit.settings import KafkaSettings


class SequencerSettings(KafkaSettings):
    """Broker, size of the market family, and this process's share of its partitions (empty: all of them)."""

    sequencer_partitions: Annotated[tuple[int, ...], NoDecode] = ()
    sequencer_takeover_seconds: float = Field(
        5.0, gt=0, description="A stand-by takes a partition whose log has not grown for this long"
    )

    @field_validator("sequencer_partitions", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(int(part) for part in value.split(",") if part.strip() and part.strip() != "all")
        return value

    def owned(self) -> tuple[int, ...]:
        """The partitions this process asks for, ascending."""
        return tuple(sorted(set(self.sequencer_partitions))) or tuple(range(self.market_partitions))
