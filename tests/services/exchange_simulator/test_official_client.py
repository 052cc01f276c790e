"""The exchange's official Python client works against the simulator with nothing but its two base addresses changed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from binance_sdk_derivatives_trading_usds_futures.rest_api.models import KlineCandlestickDataIntervalEnum

from tests.services.exchange_simulator.running import running


def client(url: str) -> Any:
    """The official client for a base address."""
    return DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(base_path=url, retries=0),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=url.replace("http", "ws") + "/stream"),
    )


async def test_rest_answers_are_what_its_typed_models_expect(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        rest = client(run.url).rest_api
        information = (await asyncio.to_thread(rest.exchange_information)).data()
        assert [symbol.symbol for symbol in information.symbols] == list(run.simulation.source.symbols)
        trades = (await asyncio.to_thread(rest.compressed_aggregate_trades_list, symbol="BTCUSDT", limit=5)).data()
        assert len(trades) == 5
        assert isinstance(trades[0].a, int)
        assert isinstance(trades[0].p, str)
        bars = await asyncio.to_thread(
            rest.kline_candlestick_data,
            symbol="BTCUSDT",
            interval=KlineCandlestickDataIntervalEnum["INTERVAL_1m"],
            limit=3,
        )
        assert len(bars.data()) == 3
        rates = (await asyncio.to_thread(rest.get_funding_rate_history, symbol="BTCUSDT", limit=2)).data()
        assert len(rates) == 2
        interest = (await asyncio.to_thread(rest.open_interest, symbol="BTCUSDT")).data()
        assert float(interest.open_interest) > 0
        moment = (await asyncio.to_thread(rest.check_server_time)).data()
        assert moment.server_time > 1_763_712_000_000
        with pytest.raises(Exception, match="Invalid symbol"):
            await asyncio.to_thread(rest.open_interest, symbol="NOPE")


async def test_its_streams_receive(tmp_path: Path) -> None:
    async with running(tmp_path, rate=400.0) as run:
        connection = await client(run.url).websocket_streams.create_connection()
        received: dict[str, Any] = {}
        complete = asyncio.Event()

        def note(kind: str, message: Any) -> None:
            received[kind] = message
            if len(received) == 3:
                complete.set()

        try:
            trades = await connection.aggregate_trade_streams(symbol="btcusdt")
            trades.on("message", lambda message: note("trade", message))
            marks = await connection.mark_price_stream(symbol="btcusdt", update_speed="1s")
            marks.on("message", lambda message: note("mark", message))
            books = await connection.individual_symbol_book_ticker_streams(symbol="btcusdt")
            books.on("message", lambda message: note("book", message))
            await asyncio.wait_for(complete.wait(), 20)
        finally:
            await connection.close_connection(close_session=True)
        assert received["trade"].s == "BTCUSDT"
        assert isinstance(received["trade"].a, int)
        assert isinstance(received["mark"].r, str)
        assert float(received["book"].b) < float(received["book"].a)
