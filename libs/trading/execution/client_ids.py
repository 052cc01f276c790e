"""Client order ids that say whose order it is: account, installation, signal, leg and generation, in 36 characters at most.

An id is made from the intent alone, so that whoever comes back after a crash asks the venue for the same one; a generation is
never used twice, because the venue refuses a repeated id among open orders only (reference facts, 0).
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from libs.contracts.trading import OrderLeg

Sender = Literal["executor", "guard", "direct"]
"""`direct`: a person who flattens without the guard (`perpstream risk flatten --direct`)."""
Leg = OrderLeg
MOST_GENERATIONS = 1000
ACCOUNT_LETTERS, INSTALLATION_LETTERS, SIGNAL_LETTERS = 4, 6, 12
_SENDERS: dict[Sender, str] = {"executor": "p1", "guard": "g1", "direct": "d1"}
CLOSERS: frozenset[Sender] = frozenset(("guard", "direct"))
"""Who closes positions of the account, whichever installation has opened them."""
_LEGS: dict[Leg, str] = {
    "entry": "en",
    "stop": "sl",
    "bridge": "sb",
    "break_even": "be",
    "take_profit_1": "t1",
    "take_profit_2": "t2",
    "trailing": "tr",
    "close": "cl",
}
_SENDER_OF = {text: sender for sender, text in _SENDERS.items()}
_LEG_OF = {text: leg for leg, text in _LEGS.items()}
_FORM = re.compile(
    rf"({'|'.join(_SENDER_OF)})-([a-z2-7]{{{ACCOUNT_LETTERS}}})-([a-z2-7]{{{INSTALLATION_LETTERS}}})"
    rf"-([a-z2-7]{{{SIGNAL_LETTERS}}})-({'|'.join(_LEG_OF)})-(0|[1-9][0-9]{{0,2}})"
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True)
class OrderTag:
    """What an id of ours says; account, installation and signal are the letters of `letters_of`."""

    sender: Sender
    account: str
    installation: str
    signal: str
    leg: Leg
    generation: int

    def client_id(self) -> str:
        """The id. Raises `ValueError` for parts that are none, or a generation outside [0, 1000)."""
        if not 0 <= self.generation < MOST_GENERATIONS:
            raise ValueError(f"generation {self.generation} is not below {MOST_GENERATIONS}")
        sender, leg = _SENDERS[self.sender], _LEGS[self.leg]
        text = f"{sender}-{self.account}-{self.installation}-{self.signal}-{leg}-{self.generation}"
        if not _FORM.fullmatch(text):
            raise ValueError(f"{text} has parts that are no letters of `letters_of`")
        return text


def letters_of(name: str, count: int) -> str:
    """`count` letters (5 bits each, at most 51 of them) that stand for a name: of its SHA-256."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
    return "".join(_LETTERS[(number >> 5 * place) & 31] for place in range(count))


def read_client_id(text: str) -> OrderTag | None:
    """What an id says, or None for one that is not of our form: somebody else's order."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    sender, account, installation, signal, leg, generation = found.groups()
    return OrderTag(_SENDER_OF[sender], account, installation, signal, _LEG_OF[leg], int(generation))
