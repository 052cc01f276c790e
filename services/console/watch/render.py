"""Draws the model: what is happening, why, and whether the machinery is well; for 100 columns, readable at 80."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from libs.contracts.signals import WindowFeatures
from services.console.watch.feeds import feed_table, feed_width
from services.console.watch.model import SignalRow, SymbolState, WatchModel
from services.console.watch.words import (
    DOWN,
    FLAT,
    UNKNOWN,
    UP,
    aligned,
    bar,
    clock,
    compact,
    direction,
    duration,
    number,
    score_words,
    sensible_decimals,
)

WIDE = 96
STALE_SECONDS = 30.0
SILENT_SECONDS = 5.0
SHOWN_SIGNALS = 4
_FIXED_LINES = 8  # the top bar, four gaps, three headings
_WINDOWS = ("5m", "30m", "4h")
_CVD_TITLES = ("base CVD 5m ", "30m ", "4h ")  # the last place is the unit's


def frame(model: WatchModel, width: int, now: float, height: int | None = None) -> RenderableType:
    """One whole picture; `now` is the reader's clock in seconds. With a `height` old signals give way to the services."""
    wide = width >= WIDE
    waiting = _not_ready(model)
    shown = _signals_that_fit(model, wide, height, len(waiting))
    used = _FIXED_LINES + 2 * len(model.symbols) + max(1, 2 * len(model.signals(shown))) + len(waiting)
    room = None if height is None else max(2, height - used)
    return Group(
        _top_bar(model, width, now),
        "",
        _market(model, wide, now),
        "",
        _side_by_side((_scores(model, width - feed_width(width)), feed_table(model, width, now))),
        "",
        _signals(model, shown),
        "",
        *waiting,
        *_lower(model, wide, room),
    )


def _lower(model: WatchModel, wide: bool, room: int | None) -> list[RenderableType]:
    """Services and topics in at most `room` lines; the topics give way first, and what is not ready is never cut off."""
    services, taken = _services(model, room), len(model.services) + 1
    if wide:
        return [_side_by_side((_topics(model, room), services))]
    left = None if room is None else room - taken
    if left is not None and left < 2:
        return [services]
    return [services, _topics(model, left)]


def _not_ready(model: WatchModel) -> list[Text]:
    """Who is not ready and why over the whole width, a line for each reason."""
    names: dict[str, list[str]] = {}
    for name, service in model.services.items():
        if not service.ready:
            names.setdefault(service.waits_for or "not ready", []).append(name)
    lines = []
    for why, found in names.items():
        who = found[0] if len(found) == 1 else f"{len(found)} not ready"
        line = Text.assemble((f"{who}: ", "yellow"), why, "" if len(found) == 1 else f": {', '.join(found)}")
        line.no_wrap, line.overflow = True, "ellipsis"
        lines.append(line)
    return lines


def _side_by_side(parts: tuple[RenderableType, ...]) -> Table:
    grid = Table.grid(padding=(0, 3))
    grid.add_row(*parts)
    return grid


def _top_bar(model: WatchModel, width: int, now: float) -> Text:
    """One line; what does not fit is left out from the least important on: missing trades, rate, completeness, date."""
    ready = sum(service.ready for service in model.services.values())
    total = len(model.services)
    badge = "SIMULATOR" if model.venue == "simulator" else "LIVE DATA"
    date, _, time_of_day = clock(model.venue_time_ms).rpartition(" ")
    old = date not in ("", model.today)
    # (rank, text, style): the lowest rank goes first
    parts = [
        (9, f" {badge} ", "reverse"),
        (9, " ", ""),
        (5 if old else 0, f" {date}" if date else "", ""),
        (9, f" {time_of_day}", ""),
        (9, *_feed(model, now)),
        (4, *_completeness(model, now)),
        (1, f" ({compact(model.trades_missing)} missing)" if model.trades_missing else "", ""),
        (2, f"  trades/s {compact(model.trades.at(now))}", ""),
        (3, f"  {model.page}" if model.page else "", "bold"),
        (8, f"  ready {ready}/{total}", "green" if total and ready == total else "yellow"),
    ]
    while sum(len(text) for _, text, _ in parts) > width and len(parts) > 1:
        parts.remove(min(parts, key=lambda part: part[0]))
    line = Text.assemble(*((text, style) for _, text, style in parts))
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _feed(model: WatchModel, now: float) -> tuple[str, str]:
    """How fresh the newest data is against the venue's own clock; by arrival where that clock is not known."""
    if model.last_record_at is None:
        return "  waiting for the first record", "yellow"
    silent = now - model.last_record_at
    age = model.data_age_seconds(now)
    if model.recording_ended:
        return "  recording ended", "yellow"
    if age is not None and model.is_old(age, SILENT_SECONDS):
        return f"  newest trade {duration(age)} old", "yellow"
    if silent > SILENT_SECONDS:
        return f"  no record for {duration(silent)}", "yellow"
    return "  receiving", "green"


def _completeness(model: WatchModel, now: float) -> tuple[str, str]:
    """What is being filled, or too old to be judged, is not claimed to be complete."""
    if model.filling:
        return "  data filling", "yellow"
    age, share = model.data_age_seconds(now), model.completeness
    if share is None or (age is not None and model.is_old(age, SILENT_SECONDS) and not model.recording_ended):
        return f"  data {UNKNOWN}", ""
    return f"  data {share * 100:.3f} %", "" if share == 1 else "yellow"


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column(title, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _market(model: WatchModel, wide: bool, now: float) -> Table:
    columns = ["price", "funding %", *_CVD_TITLES, "ATR", "cover %"]
    if wide:
        columns[1:1] = ["mark"]
        columns[-1:-1] = ["rank %"]
    table = _table("MARKET", *columns)
    for name in sorted(model.symbols):
        state = model.symbols[name]
        cells = [_price(state), _funding(state), *_cvd(state), _atr(state), _coverage(state)]
        if wide:
            cells[1:1] = [Text(_mark(state))]
            cells[-1:-1] = [Text(_rank(state))]
        stale = state.price is None or now - state.changed_at > STALE_SECONDS or _is_stale(model, state, now)
        table.add_row(name, *cells, style="dim" if stale else "")
    return table


def _is_stale(model: WatchModel, state: SymbolState, now: float) -> bool:
    known = model.venue_clock is not None and state.newest_ms >= 0
    age = model.venue_clock.age_seconds(state.newest_ms, now) if known and model.venue_clock else 0.0
    return model.is_old(age, STALE_SECONDS)


def _mark(state: SymbolState) -> str:
    if state.mark is None:
        return UNKNOWN
    decimals = _decimals(state)
    return number(state.mark.mark_price, sensible_decimals(state.mark.mark_price) if decimals is None else decimals)


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
        cells.append(direction(value, aligned(value)))
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


def _scores(model: WatchModel, width: int) -> Table:
    strategies = sorted(
        {s.strategy for state in model.symbols.values() if state.indicator for s in state.indicator.scores}
    )
    names = max((len(name) for name in model.symbols), default=8)
    length = max(4, min(20, (width - names - 1) // max(1, len(strategies)) - 12))
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("SCORES", no_wrap=True)
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
            drawn = f"{bar(score.score, length, score.threshold)} {int(score.score):3d}/{score.threshold:.0f} {arrow}"
            cells.append(direction(sign, drawn))
        table.add_row(name, *cells)
    return table


def _signals_that_fit(model: WatchModel, wide: bool, height: int | None, waiting: int) -> int:
    if height is None:
        return SHOWN_SIGNALS
    tables = (len(model.topics) + 1, len(model.services) + 1)
    taken = _FIXED_LINES + 2 * len(model.symbols) + waiting + (max(tables) if wide else sum(tables))
    return max(1, min(SHOWN_SIGNALS, (height - taken) // 2))


def _signals(model: WatchModel, shown: int) -> Group:
    lines = [Text("SIGNALS", style="dim")]
    newest = model.signals(shown)
    if not newest:
        lines.append(Text(_waits_for_a_signal(model), style="dim"))
    for row in newest:
        lines += [_signal_words(row), Text(f"          {row.signal.sentence}", style="dim")]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


def _waits_for_a_signal(model: WatchModel) -> str:
    best = model.best_score
    words = "none yet: a score must cross its threshold"
    if best is None:
        return words
    return f"{words}; nearest now {score_words(*best)}"


def _signal_words(row: SignalRow) -> Text:
    signal = row.signal
    emitted = signal.state == "emitted"
    arrow = UP if signal.direction == "long" else DOWN if signal.direction == "short" else FLAT
    outcome = "emitted" if emitted else f"refused: {signal.reason}"
    return Text.assemble(
        (clock(signal.event_time_ms)[11:], "dim"),
        f" {signal.symbol} {signal.strategy} {arrow} {signal.direction} {int(signal.score)}/{signal.threshold:.0f} ",
        (("● " if emitted else "○ ") + outcome, "bold" if emitted else "yellow"),
        (f" ×{row.count}" if row.count > 1 else "", "dim"),
    )


def _topics(model: WatchModel, room: int | None) -> Table:
    table = _table("TOPICS", "records/s")
    for name in sorted(model.topics)[: None if room is None else room - 1]:
        rate = model.topics[name].per_second
        table.add_row(name, UNKNOWN if rate is None else number(rate, 1))
    return table


def _services(model: WatchModel, room: int | None) -> Table:
    """Those that are not ready first; in a low terminal the last line counts the rest."""
    table = _table("SERVICES", "ready", "lag", "restarts")
    services = sorted(model.services.items(), key=lambda item: item[1].ready)
    fits = len(services) if room is None or len(services) < room else max(0, room - 2)
    for name, service in services[:fits]:
        word, style = ("yes", "green") if service.ready else ("no", "yellow") if service.running else ("down", "red")
        restarts = Text(str(service.restarts), style="yellow" if service.restarts else "dim")
        lag = UNKNOWN if service.lag is None else compact(service.lag)
        table.add_row(name, Text(word, style=style), lag, restarts)
    if rest := services[fits:]:
        waiting = sum(not service.ready for _, service in rest)
        table.add_row(Text(f"{len(rest)} more", style="dim"), Text(f"{waiting} not" if waiting else "yes", style="dim"))
    return table
