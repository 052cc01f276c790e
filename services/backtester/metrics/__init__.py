"""What a backtest is worth, as pure functions: `figures` makes all of it of a result; `catalogue` says what each figure is."""
