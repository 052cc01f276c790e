"""The exchange's official Python client trades on the simulator with nothing but its base addresses and its keys changed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from binance_sdk_derivatives_trading_usds_futures.rest_api.models import (
    NewAlgoOrderSideEnum,
    NewOrderNewOrderRespTypeEnum,
    NewOrderSideEnum,
    NewOrderTimeInForceEnum,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.services.exchange_simulator.running import Running, running
from tests.services.exchange_simulator.trader import SYMBOL

# Clients sign with the machine's clock.
SETTINGS: dict[str, Any] = {"symbols": (SYMBOL, "ETHUSDT"), "rate": 100.0, "start_time": None}


def client(venue: Running, **key: Any) -> Any:
    """The official client with a key."""
    return DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(base_path=venue.url, retries=0, **key),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=venue.url.replace("http", "ws") + "/stream"),
    )


async def test_it_places_queries_and_cancels_orders_and_algo_orders(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        rest = client(venue, api_key=venue.api_key.key, api_secret=venue.api_key.secret).rest_api

        async def ask(name: str, **fields: Any) -> Any:
            return (await asyncio.to_thread(getattr(rest, name), **fields)).data()

        buy = {"symbol": SYMBOL, "side": NewOrderSideEnum.BUY, "quantity": 0.01}
        bought = await ask("new_order", **buy, type="MARKET", new_order_resp_type=NewOrderNewOrderRespTypeEnum.RESULT)
        assert (bought.status, bought.executed_qty) == ("FILLED", "0.010")
        book = await ask("symbol_order_book_ticker", symbol=SYMBOL)
        price = round(float(getattr(book, "actual_instance", book).bid_price) - 500, 1)
        resting = {**buy, "type": "LIMIT", "time_in_force": NewOrderTimeInForceEnum.GTC, "price": price}
        placed = await ask("new_order", **resting, new_client_order_id="rest-1")
        found = await ask("query_order", symbol=SYMBOL, orig_client_order_id="rest-1")
        assert (found.order_id, found.status) == (placed.order_id, "NEW")
        assert [one.order_id for one in await ask("current_all_open_orders", symbol=SYMBOL)] == [placed.order_id]
        assert (await ask("cancel_order", symbol=SYMBOL, order_id=placed.order_id)).status == "CANCELED"

        stop = {"symbol": SYMBOL, "side": NewAlgoOrderSideEnum.SELL, "type": "STOP_MARKET", "trigger_price": price}
        waiting = await ask(
            "new_algo_order", algo_type="CONDITIONAL", **stop, close_position="true", client_algo_id="sl-1"
        )
        assert [one.algo_id for one in await ask("current_all_algo_open_orders")] == [waiting.algo_id]
        assert (await ask("cancel_algo_order", client_algo_id="sl-1")).code == "200"
        assert (await ask("query_algo_order", algo_id=waiting.algo_id)).algo_status == "CANCELED"
        with pytest.raises(Exception, match="Algo Order API"):
            await ask("new_order", **{**buy, "side": NewOrderSideEnum.SELL}, type="STOP_MARKET")

        [held] = await ask("position_information_v3")
        assert (held.symbol, held.position_amt) == (SYMBOL, "0.010")
        [balance] = await ask("futures_account_balance_v3")
        account = await ask("account_information_v3")
        assert account.total_wallet_balance == balance.balance
        [trade] = await ask("account_trade_list", symbol=SYMBOL)
        assert trade.order_id == bought.order_id
        assert [one.income_type for one in await ask("get_income_history")] == ["COMMISSION"]
        assert (await ask("change_initial_leverage", symbol=SYMBOL, leverage=5)).leverage == 5
        assert (await ask("get_current_position_mode")).dual_side_position is False
        assert (await ask("user_commission_rate", symbol=SYMBOL)).taker_commission_rate == "0.000500"


async def test_it_hears_its_user_stream_and_signs_with_ed25519(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps([{"name": "main", "keys": [{"key": "ed", "public_key": public}]}]))
    async with running(tmp_path / "state", accounts=accounts, **SETTINGS) as venue:
        official = client(venue, api_key="ed", private_key=pem)
        rest = official.rest_api
        key = (await asyncio.to_thread(rest.start_user_data_stream)).data().listen_key
        connection = await official.websocket_streams.create_connection()
        filled, heard = asyncio.Event(), []

        def note(message: Any) -> None:
            event = message.actual_instance
            heard.append(event)
            if getattr(event, "o", None) is not None and event.o.X == "FILLED":
                filled.set()

        try:
            stream = await connection.user_data(key)
            stream.on("message", note)
            order = {"symbol": SYMBOL, "side": NewOrderSideEnum.BUY, "type": "MARKET", "quantity": 0.01}
            placed = (await asyncio.to_thread(rest.new_order, **order, new_client_order_id="entry-1")).data()
            await asyncio.wait_for(filled.wait(), 20)
        finally:
            await connection.close_connection(close_session=True)
        [fill] = [event.o for event in heard if getattr(event, "o", None) is not None and event.o.X == "FILLED"]
        assert (fill.c, fill.i, fill.z) == ("entry-1", placed.order_id, "0.010")
