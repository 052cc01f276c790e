"""A partition's state as bytes: equal states give equal bytes, and another version's bytes are refused."""

import msgspec

from libs.contracts.codec import decode_as, encode_value
from libs.contracts.control import StrategyActivated
from libs.contracts.frames import FrameGate
from libs.contracts.timeline import TimelineGate
from libs.indicators.kernel import Kernel
from libs.indicators.settings import KernelSettings
from libs.trading.engine.book import StrategyBook
from libs.trading.engine.slow_inputs import FeedReport, Liquidation, Reading, SymbolInputs
from libs.trading.scoring import Memory
from services.signal_engine.core import EngineCore


class InputsState(msgspec.Struct, frozen=True, array_like=True):
    """One symbol's slow inputs."""

    symbol: str
    readings: dict[str, list[Reading]]
    liquidations: list[Liquidation]
    feeds: dict[str, list[FeedReport]]
    told: dict[str, FeedReport]
    forgotten_ms: int | None


class EngineState(msgspec.Struct, frozen=True):
    """Everything that the next record's outputs depend on."""

    epoch: int
    positions: dict[str, int]
    frame_epochs: dict[str, int]
    last_ids: dict[str, int]
    kernel: bytes
    inputs: list[InputsState]
    activations: list[bytes]
    memory: dict[str, Memory]


def dump(core: EngineCore) -> bytes:
    """The state after the last record taken."""
    gate, frames = core.cursor.gate, core.cursor.frames
    return msgspec.msgpack.encode(
        EngineState(
            epoch=gate.epoch,
            positions=dict(sorted(gate.positions.items())),
            frame_epochs=dict(sorted(frames.epochs.items())),
            last_ids=dict(sorted(frames.last_ids.items())),
            kernel=core.engine.kernel.snapshot(),
            inputs=[_inputs_state(symbol, core.engine.inputs[symbol]) for symbol in sorted(core.engine.inputs)],
            activations=[encode_value(event) for event in core.engine.book.activations()],
            memory=dict(sorted(core.engine.book.memory.items())),
        )
    )


def load(data: bytes, settings: KernelSettings, next_offset: int) -> EngineCore:
    """The state as it was. Raises `ValueError` when the bytes are of another version or grid."""
    try:
        state = msgspec.msgpack.decode(data, type=EngineState)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"not an engine snapshot of this version: {error}") from None
    kernel = Kernel.restore(state.kernel)
    if kernel.settings.evaluation_ms > settings.evaluation_ms:
        raise ValueError("the snapshot has a coarser evaluation grid")
    core = EngineCore(settings)
    core.next_offset = next_offset
    core.engine.kernel = kernel
    core.cursor.gate = TimelineGate(state.epoch, state.positions)
    core.cursor.frames = FrameGate(state.frame_epochs, state.last_ids)
    core.engine.inputs = {item.symbol: _inputs(item) for item in state.inputs}
    core.engine.book = StrategyBook()
    for activation in state.activations:
        core.engine.book.activate(decode_as(StrategyActivated, activation))
    core.engine.book.memory = dict(state.memory)
    return core


def _inputs_state(symbol: str, inputs: SymbolInputs) -> InputsState:
    return InputsState(
        symbol=symbol,
        readings=dict(sorted(inputs.readings.items())),
        liquidations=inputs.liquidations,
        feeds=dict(sorted(inputs.feeds.items())),
        told=dict(sorted(inputs.told.items())),
        forgotten_ms=inputs.forgotten_ms,
    )


def _inputs(state: InputsState) -> SymbolInputs:
    return SymbolInputs(
        readings=state.readings,
        liquidations=state.liquidations,
        feeds=state.feeds,
        told=state.told,
        forgotten_ms=state.forgotten_ms,
    )
