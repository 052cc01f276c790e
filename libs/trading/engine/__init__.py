"""The engine: events of the one ordered log in, evaluations and scored signals out. Live and in a backtest it is this code."""
