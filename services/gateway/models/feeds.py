"""What the API says of feeds and gaps, with examples."""

from pydantic import Field

from services.gateway.models.base import Answer


class FeedAnswer(Answer):
    """The last report of one feed of one symbol; times are the venue's."""

    feed: str = Field(examples=["trades"])
    symbol: str = Field(examples=["BTCUSDT"])
    state: str = Field(
        examples=["live"], description="starting, live, silent, stale, halted or down; docs/market-data.md"
    )
    live: bool = Field(examples=[True], description="Whether it delivers what the venue has")
    since_ms: int | None = Field(examples=[1_723_075_200_000], description="Since when the state holds")
    detail: str = Field(examples=[""])
    reported_ms: int = Field(
        examples=[1_723_078_800_000], description="When this was reported; older: nobody reports any more"
    )
    last_event_ms: int | None = Field(examples=[1_723_078_799_907])
    events_per_second: float | None = Field(examples=[42.7], description="Of venue time, since the report before")
    delay_ms: float | None = Field(examples=[18.3], description="Venue's event time to us, clock offset taken out")
    clock_offset_ms: float | None = Field(examples=[-3.0], description="Our clock less the venue's")
    gaps_open: int = Field(examples=[0], description="Gaps that are being filled")
    gaps_filled: int = Field(examples=[2])
    completeness_1h_ppm: int | None = Field(examples=[1_000_000], description="Parts per million of aggregate ids")
    completeness_24h_ppm: int | None = Field(examples=[999_998], description="Parts per million of aggregate ids")
    lost_24h: int | None = Field(
        examples=[0],
        description="Aggregate ids of the last 24 hours that could not be had; null for other feeds than trades",
    )


class Feeds(Answer):
    """By feed and symbol."""

    feeds: tuple[FeedAnswer, ...]


class GapAnswer(Answer):
    """Aggregate ids (both inclusive) that a trade stream did not bring."""

    symbol: str = Field(examples=["BTCUSDT"])
    first_missing_id: int = Field(examples=[2_274_000_201])
    last_missing_id: int = Field(examples=[2_274_000_210])
    from_ms: int = Field(examples=[1_723_075_200_000], description="The known trade before it")
    to_ms: int = Field(examples=[1_723_075_201_000], description="The known trade after it")
    cause: str = Field(examples=["disconnected"])
    outcome: str = Field(examples=["filled"], description="open, filled, never_existed or lost")
    hole: bool = Field(
        examples=[False], description="Published as missing: every replay of the timeline lacks these ids"
    )
    found_ms: int | None = Field(examples=[1_723_075_201_040])
    closed_ms: int | None = Field(examples=[1_723_075_201_300])
    unfilled: int = Field(examples=[0], description="Ids of a filled gap that have holes of their own")


class GapPage(Answer):
    """Gaps, those that begin last first; `next_cursor` fetches the following page and is null on the last."""

    gaps: tuple[GapAnswer, ...]
    next_cursor: str | None = Field(examples=["MTcyMzA3NTIwMDAwMDpCVENVU0RUL"])
