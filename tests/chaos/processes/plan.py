"""What happens in a run with real processes, from its seed alone: shorter than a virtual run, with blows of the kernel."""

import random

from msgspec.structs import replace

from services.exchange_simulator.faults.plan import AnyFault
from tests.chaos.money.market import JumpyMarket
from tests.chaos.money.plan import Blow, BlowKind, Given, Plan, Role, others_fault, signal_of, venue_fault

FIRST_MS, SIGNALS_MS, TROUBLE_MS, LONGEST_MS = 2_500, 20_000, 24_000, 110_000
"""Until when first signals come, further ones, trouble begins, and a run has to be over: ms from its start."""
HELD_MS = (4_000, 15_000)
"""Short holds, so that a symbol is free again for a later signal."""


def plan_of(seed: int, start_ms: int, market: JumpyMarket) -> Plan:
    """The same for the same seed, with times from `start_ms` on."""
    chance = random.Random(f"{seed}/processes")
    signals = sorted(_signals(chance, start_ms, market), key=lambda given: given.at_ms)
    moments = [given.at_ms for given in signals]
    faults = tuple(_fault(chance, start_ms, moments, market) for _ in range(chance.choice((0, 1, 2, 4))))
    blows = sorted((_blow(chance, moments) for _ in range(chance.choice((1, 2, 3, 4)))), key=lambda blow: blow.at_ms)
    return Plan(seed, start_ms, tuple(signals), faults, tuple(blows))


def _signals(chance: random.Random, start_ms: int, market: JumpyMarket) -> list[Given]:
    found: list[Given] = []
    for number in range(chance.randint(4, 8)):
        # Two at the beginning, while everybody lives: what is open then has to outlive what follows.
        at_ms = chance.randint(500, FIRST_MS if number < 2 else SIGNALS_MS)
        made = signal_of(chance, number, start_ms + at_ms, market)
        signal = replace(made, hold_until_ms=start_ms + at_ms + chance.randint(*HELD_MS))
        found.append(Given(at_ms, signal))
        if chance.random() < 0.15:
            found.append(Given(at_ms + chance.randint(1, 5_000), signal))
    return found


def _fault(chance: random.Random, start_ms: int, moments: list[int], market: JumpyMarket) -> AnyFault:
    at_ms = start_ms + _moment(chance, moments, -300, 1_500)
    return (venue_fault if chance.random() < 0.7 else others_fault)(chance, at_ms, market)


def _blow(chance: random.Random, moments: list[int]) -> Blow:
    """Most of them right after a signal: between its intent and its stop there is most to be broken."""
    at_ms = _moment(chance, moments, 0, 600)
    role: Role = chance.choice(("executor", "executor", "guard"))
    kind: BlowKind = chance.choice(("kill", "kill", "kill", "stop", "stop", "second", "database", "broker"))
    match kind:
        case "stop":
            return Blow(at_ms, kind, role, for_ms=chance.choice((2_000, 11_000, 13_000)))
        case "database" | "broker":
            return Blow(at_ms, kind, for_ms=chance.choice((200, 3_000, 8_000)))
    return Blow(at_ms, kind, role)


def _moment(chance: random.Random, moments: list[int], earliest: int, latest: int) -> int:
    near, first = chance.random() < 0.7, min(moments)
    at_ms = chance.choice(moments) + chance.randint(earliest, latest) if near else chance.randint(first, TROUBLE_MS)
    return max(first + min(earliest, 0), min(at_ms, TROUBLE_MS))
