"""The signal engine: features and scored signals of every symbol, a pure function of the timeline."""
