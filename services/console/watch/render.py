"""Draws the model: what is happening, why, and whether the machinery is well; for 100 columns, readable at 80."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from libs.contracts.signals import SignalScored, WindowFeatures
from services.console.watch.model import SymbolState, WatchModel
from services.console.watch.words import DOWN, FLAT, UNKNOWN, UP, bar, clock, compact, direction, number, score_words

WIDE = 96
STALE_SECONDS = 30.0
SHOWN_SIGNALS = 4
_FIXED_LINES = 9  # the top bar, four gaps, four headings
_WINDOWS = ("5m", "30m", "4h")


def frame(model: WatchModel, width: int, now: float, height: int | None = None) -> RenderableType:
    """One whole picture; `now` is the reader's clock in seconds. With a `height` old signals give way to the services."""
    wide = width >= WIDE
    lower: tuple[RenderableType, ...] = (_topics(model), _services(model, width))
    return Group(
        _top_bar(model, wide, now),
        "",
        _market(model, wide, now),
        "",
        _scores(model, wide),
        "",
        _signals(model, _signals_that_fit(model, wide, height)),
        "",
        _side_by_side(lower) if wide else Group(*reversed(lower)),
    )


def _side_by_side(parts: tuple[RenderableType, ...]) -> Table:
    grid = Table.grid(padding=(0, 3))
    grid.add_row(*parts)
    return grid


def _top_bar(model: WatchModel, wide: bool, now: float) -> Text:
    ready = sum(service.ready for service in model.services.values())
    total = len(model.services)
    badge = "SIMULATOR" if model.venue == "simulator" else "LIVE DATA"
    silent = None if model.last_record_at is None else now - model.last_record_at
    line = Text.assemble((f" {badge} ", "reverse"), "  ", clock(model.venue_time_ms)[0 if wide else -9 :], "  ")
    if silent is None:
        line.append("waiting for the first record", "yellow")
    elif silent > STALE_SECONDS / 10:
        line.append(f"no record for {silent:.0f} s", "yellow")
    else:
        line.append("receiving", "green")
    share = model.completeness
    complete = UNKNOWN if share is None else f"{share * 100:.3f} %"
    line.append(f"  data {complete}", "" if share is None or share == 1 else "yellow")
    line.append(f" ({compact(model.trades_missing)} missing)" if model.trades_missing else "")
    line.append(f"  trades/s {compact(model.trades.per_second)}")
    line.append(f"  ready {ready}/{total}", "green" if total and ready == total else "yellow")
    return line


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column(title)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _market(model: WatchModel, wide: bool, now: float) -> Table:
    columns = ["price", "funding %", *(f"CVD {window}" for window in _WINDOWS), "ATR", "cover %"]
    if wide:
        columns[1:1] = ["mark"]
        columns[-1:-1] = ["ATR rank %"]
    table = _table("MARKET", *columns)
    for name in sorted(model.symbols):
        state = model.symbols[name]
        cells = [_price(state), _funding(state), *_cvd(state), _atr(state), _coverage(state)]
        if wide:
            cells[1:1] = [Text(number(state.mark.mark_price if state.mark else None, _decimals(state)))]
            cells[-1:-1] = [Text(_rank(state))]
        stale = state.price is None or now - state.changed_at > STALE_SECONDS
        table.add_row(name, *cells, style="dim" if stale else "")
    return table


def _decimals(state: SymbolState) -> int | None:
    return None if state.price is None else max(0, -int(state.price.as_tuple().exponent))


def _price(state: SymbolState) -> Text:
    if state.price is None:
        return Text(UNKNOWN, style="dim")
    move = 0 if state.previous_price is None else state.price - state.previous_price
    arrow = UP if move > 0 else DOWN if move < 0 else FLAT
    return direction(float(move), f"{number(state.price)} {arrow}")


def _funding(state: SymbolState) -> Text:
    rate = state.mark.funding_rate if state.mark else None
    return direction(rate, number(None if rate is None else rate * 100, 4, signed=True))


def _cvd(state: SymbolState) -> list[Text]:
    windows: dict[str, WindowFeatures] = {}
    if state.indicator is not None:
        windows |= {part.window: part for part in state.indicator.windows}
    cells = []
    for name in _WINDOWS:
        part = windows.get(name)
        value = None if part is None or part.coverage == 0 else part.cvd
        cells.append(direction(value, compact(value, signed=True)))
    return cells


def _atr(state: SymbolState) -> Text:
    atr = None if state.indicator is None else state.indicator.atr
    return Text(number(atr, _decimals(state)) if atr is not None else UNKNOWN)


def _rank(state: SymbolState) -> str:
    rank = None if state.indicator is None else state.indicator.atr_percentile
    return number(None if rank is None else rank * 100, 0)


def _coverage(state: SymbolState) -> Text:
    if state.indicator is None:
        return Text(UNKNOWN, style="dim")
    least = min((part.coverage for part in state.indicator.windows), default=0.0)
    return Text(f"{least * 100:.0f}", style="" if least >= 1 else "yellow")


def _scores(model: WatchModel, wide: bool) -> Table:
    strategies = sorted(
        {s.strategy for state in model.symbols.values() if state.indicator for s in state.indicator.scores}
    )
    width = 20 if wide else 12
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("SCORES")
    for strategy in strategies or [""]:
        table.add_column(strategy or "no strategy is active yet", no_wrap=True)
    for name in sorted(model.symbols):
        indicator = model.symbols[name].indicator
        scores = {} if indicator is None else {score.strategy: score for score in indicator.scores}
        cells = []
        for strategy in strategies:
            score = scores.get(strategy)
            if score is None:
                cells.append(Text(UNKNOWN, style="dim"))
                continue
            sign = {"long": 1.0, "short": -1.0, "none": 0.0}[score.direction]
            arrow = UP if sign > 0 else DOWN if sign < 0 else FLAT
            drawn = f"{bar(score.score, width, score.threshold)} {score.score:3.0f}/{score.threshold:.0f} {arrow}"
            cells.append(direction(sign, drawn))
        table.add_row(name, *cells)
    return table


def _signals_that_fit(model: WatchModel, wide: bool, height: int | None) -> int:
    if height is None:
        return SHOWN_SIGNALS
    tables = (len(model.topics), len(model.services))
    taken = _FIXED_LINES + 2 * len(model.symbols) + (max(tables) if wide else sum(tables) + 1)
    return max(1, min(SHOWN_SIGNALS, (height - taken) // 2))


def _signals(model: WatchModel, shown: int) -> Group:
    lines = [Text("SIGNALS", style="dim")]
    newest = list(model.signals)[-shown:][::-1]
    if not newest:
        lines.append(Text(_waits_for_a_signal(model), style="dim"))
    for signal in newest:
        lines += [_signal_words(signal), Text(f"          {signal.sentence}", style="dim")]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


def _waits_for_a_signal(model: WatchModel) -> str:
    best = model.best_score
    words = "none yet: a score must cross its threshold"
    if best is None:
        return words
    return f"{words}; nearest now {score_words(*best)}"


def _signal_words(signal: SignalScored) -> Text:
    emitted = signal.state == "emitted"
    arrow = UP if signal.direction == "long" else DOWN if signal.direction == "short" else FLAT
    outcome = "emitted" if emitted else f"refused: {signal.reason}"
    return Text.assemble(
        (clock(signal.event_time_ms)[11:], "dim"),
        f" {signal.symbol} {signal.strategy} {arrow} {signal.direction} {signal.score:.0f}/{signal.threshold:.0f} ",
        (("● " if emitted else "○ ") + outcome, "bold" if emitted else "yellow"),
    )


def _topics(model: WatchModel) -> Table:
    table = _table("TOPICS", "records/s")
    for name in sorted(model.topics):
        rate = model.topics[name].per_second
        table.add_row(name, UNKNOWN if rate is None else number(rate, 1))
    return table


def _services(model: WatchModel, width: int) -> Table:
    table = _table("SERVICES", "ready", "lag", "restarts")
    table.add_column("waits for", overflow="ellipsis", no_wrap=True, max_width=max(16, width - 84))
    for name, service in model.services.items():
        word, style = ("yes", "green") if service.ready else ("no", "yellow") if service.running else ("down", "red")
        restarts = Text(str(service.restarts), style="yellow" if service.restarts else "dim")
        lag = UNKNOWN if service.lag is None else compact(service.lag)
        table.add_row(name, Text(word, style=style), lag, restarts, Text(service.waits_for, style="dim"))
    return table
