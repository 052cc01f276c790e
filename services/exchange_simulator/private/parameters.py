"""Parameters of signed requests: decimals, booleans and names, with the codes that the venue refuses them with."""

import re
from collections.abc import Collection
from decimal import Decimal
from typing import TypeVar

from services.exchange_simulator.rest.errors import VenueError, illegal_characters, invalid_value, missing
from services.exchange_simulator.rest.parameters import Parameters

_DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_CLIENT_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
_LONGEST_ID = 36
_Chosen = TypeVar("_Chosen", bound=str)


class TradeParameters(Parameters):
    """Adds what orders have. Booleans and names are taken in any case, as the venue takes them."""

    def decimal(self, name: str) -> Decimal | None:
        """Plain digits; raises -1100 for signs, exponents and everything else."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(_DECIMAL, value):
            raise illegal_characters(name, _DECIMAL)
        return Decimal(value)

    def mandatory_decimal(self, name: str) -> Decimal:
        """Raises -1102 too."""
        return self._there(name, self.decimal(name))

    def mandatory_integer(self, name: str) -> int:
        """Raises -1102 or -1100."""
        return self._there(name, self.integer(name))

    def boolean(self, name: str) -> bool:
        """False where it was not sent; raises -1130 for what is neither."""
        value = (self.text(name) or "false").lower()
        if value not in ("true", "false"):
            raise invalid_value(name)
        return value == "true"

    def choice(
        self, name: str, allowed: Collection[_Chosen], default: _Chosen | None, refusal: VenueError | None = None
    ) -> _Chosen:
        """One of the allowed names, or the default; raises -1102 without one, and `refusal` (or -1130) for another name."""
        value = self.text(name)
        if value is None:
            return self._there(name, default)
        for one in allowed:
            if one == value.upper():
                return one
        raise refusal if refusal is not None else invalid_value(name)

    def client_id(self, name: str) -> str:
        """ "" where it was not sent. Raises -4015 or -1100."""
        value = self.text(name)
        if value is None:
            return ""
        if len(value) > _LONGEST_ID:
            raise VenueError(-4015, f"Client order id length should be not more than {_LONGEST_ID} chars")
        if not re.fullmatch(_CLIENT_ID, value):
            raise illegal_characters(name, _CLIENT_ID)
        return value

    def refuse(self, *names: str) -> None:
        """Raises -1106 for what makes no sense here."""
        for name in names:
            if self.text(name) is not None:
                raise VenueError(-1106, f"Parameter '{name.lower()}' sent when not required.")

    @staticmethod
    def _there(name: str, value: "_Found | None") -> "_Found":
        if value is None:
            raise missing(name)
        return value


_Found = TypeVar("_Found")
