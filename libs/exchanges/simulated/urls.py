"""The simulator's default address; it answers for Binance and for Coinbase's ticker on one port."""

REST = "http://127.0.0.1:9000"
WEBSOCKET = "ws://127.0.0.1:9000"
