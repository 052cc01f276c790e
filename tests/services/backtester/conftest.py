"""The recorder's installation, for tests that look at what a backtest reads from it."""

from tests.services.recorder.conftest import installation

__all__ = ["installation"]
