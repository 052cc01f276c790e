"""Pure trading rules: factors, strategies and scoring. No clock, no I/O, no randomness: the same inputs give the same bits."""
