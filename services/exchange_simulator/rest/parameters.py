"""Query parameters with Binance's rules: empty ones count as absent, wrong ones have their own error codes."""

from collections.abc import Collection, Mapping

from services.exchange_simulator.rest.errors import (
    VenueError,
    illegal_characters,
    invalid_symbol,
    invalid_value,
    missing,
)


class Parameters:
    """Typed reading of one request's parameters."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: value for name, value in values.items() if value != ""}

    def text(self, name: str) -> str | None:
        """The parameter as it was sent, or None."""
        return self._values.get(name)

    def symbol(self, known: Collection[str]) -> str:
        """The mandatory symbol; raises -1102 or -1121."""
        symbol = self.optional_symbol(known)
        if symbol is None:
            raise missing("symbol")
        return symbol

    def optional_symbol(self, known: Collection[str]) -> str | None:
        """The symbol when it was sent; raises -1121 for an unknown one."""
        value = self._values.get("symbol")
        if value is None:
            return None
        if value.upper() not in known:
            raise invalid_symbol()
        return value.upper()

    def integer(self, name: str) -> int | None:
        """A non-negative integer; raises -1100 for anything else."""
        value = self._values.get(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or len(value) > 19:
            raise illegal_characters(name, "^[0-9]{1,20}$")
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """The row limit; raises -1130 for zero or too many."""
        value = self.integer("limit")
        if value is None:
            return default
        if not 1 <= value <= most:
            raise invalid_value("limit")
        return value

    def span(self) -> tuple[int | None, int | None]:
        """startTime and endTime in ms; raises -1023 when they are the wrong way round."""
        start, end = self.integer("startTime"), self.integer("endTime")
        if start is not None and end is not None and start > end:
            raise VenueError(-1023, "Start time is greater than end time.")
        return start, end
