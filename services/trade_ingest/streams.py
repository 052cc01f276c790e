"""The sessions of this process and which symbols each brings; symbols come and go while it runs."""

from collections.abc import Callable, Sequence

from libs.exchanges import Subscription
from libs.exchanges.session import SessionOptions
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import Venue
from services.trade_ingest.feeds import StreamFeed
from services.trade_ingest.health import FEED
from services.trade_ingest.ingest import TradeIngest
from services.trade_ingest.settings import IngestSettings


class Streams:
    """Opens sessions for symbols that the ingest has, and closes those that nobody needs any more."""

    def __init__(
        self,
        ingest: TradeIngest,
        venue: Venue,
        settings: IngestSettings,
        want: Callable[[str], None],
        sessions: SessionGroup,
    ) -> None:
        self._ingest = ingest
        self._venue = venue
        self._settings = settings
        self._want = want
        self._sessions = sessions
        self._feeds: list[StreamFeed] = []

    def open(self, symbols: Sequence[str]) -> None:
        """Sessions of their own for these: what runs is not touched."""
        size = self._settings.symbols_per_connection
        for start in range(0, len(symbols), size):
            self._open(symbols[start : start + size])

    async def leave(self, symbol: str) -> None:
        """The symbol is not needed any more. Its session is closed when it has no other."""
        for feed in [feed for feed in self._feeds if symbol in feed.symbols]:
            feed.leave(symbol)
            if not feed.symbols and feed.session is not None:
                self._feeds.remove(feed)
                await self._sessions.close(feed.session)

    def look(self) -> None:
        """See `StreamFeed.look`."""
        for feed in self._feeds:
            feed.look()

    def _open(self, symbols: Sequence[str]) -> None:
        """One connection: its symbols' trades, and one mark price a second as its heartbeat in venue time."""
        feed = StreamFeed(self._ingest, symbols, self._want)
        wanted = Subscription(trades=tuple(symbols), mark_prices=(symbols[0],))
        options = SessionOptions(
            FEED,
            silence_seconds=self._settings.silence_seconds,
            rotate_seconds=self._settings.rotate_minutes * 60,
            connections=self._settings.connections,
        )
        feed.session = self._venue.streams.session(wanted, feed, options)
        self._feeds.append(feed)
        self._sessions.add(feed.session)
