"""The story of a signal on a terminal: the sentence first, then how it came about, and what became of it."""

from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from libs.contracts.signals import FactorContribution, SignalScored
from libs.trading.explanation import spoken_number
from libs.trading.factor import percent, spoken_age
from services.console.readable import utc
from services.console.strategy_story import Story
from services.console.watch.words import UNKNOWN, number

_BAR = 30
_GATE_MARKS = {"passed": ("✓", "green"), "shut": ("✗", "red"), "not looked at": ("·", "dim")}
_AGE = "_age_ms"


def tell(screen: Console, story: Story) -> None:
    """Print it; every block has a title, and what is not known says so."""
    signal = story.signal
    screen.print(Text(signal.sentence, style="bold"))
    screen.print(Text(_head(story), style="dim"))
    blocks = (
        ("score", _score(signal)),
        ("contributions, in points", waterfall(signal.contributions)),
        ("inputs", _inputs(signal)),
        ("gates", _gates(story)),
        ("bracket", _bracket(signal)),
        ("configuration in force", _configuration(story)),
        ("what became of it", Text(story.became.words)),
        ("neighbours", _neighbours(story)),
    )
    for title, content in blocks:
        screen.print()
        screen.print(Text(title, style="bold"))
        screen.print(content)
    for note in story.notes:
        screen.print(Text(note, style="yellow"))


def _head(story: Story) -> str:
    signal = story.signal
    place = f"{signal.strategy} version {signal.version}, {utc(signal.event_time_ms)}"
    if story.evaluation is not None:
        place += f", released by the watermark {utc(story.evaluation.effective_at_ms)}"
    return f"{signal.event_id}, {place}; from the {story.source}"


def _score(signal: SignalScored) -> Text:
    line = (
        f"{spoken_number(signal.score)} of {spoken_number(signal.threshold)} needed, {signal.direction}: {signal.state}"
    )
    if signal.reason is not None:
        line += f" ({signal.reason})"
    if isinstance(signal.ungated_score, float):
        line += f"; {spoken_number(signal.ungated_score)} without its gates"
    return Text(line)


def waterfall(contributions: tuple[FactorContribution, ...]) -> Table:
    """The strongest first, each bar beginning where the one before ended; then what was left out and why."""
    table = Table("factor", box=None, pad_edge=False)
    for title in ("value", "weight", "points"):
        table.add_column(title, justify="right")
    table.add_column("")
    table.add_column("coverage", justify="right")
    counted = sorted(
        (part for part in contributions if part.omitted is None), key=lambda p: (-abs(p.contribution), p.factor)
    )
    ends = [0.0]
    for part in counted:
        ends.append(ends[-1] + part.contribution)
    low, high = min(ends), max(ends)
    for part, begin, end in zip(counted, ends, ends[1:], strict=False):
        style = "green" if part.contribution > 0 else "red" if part.contribution < 0 else "dim"
        table.add_row(
            part.factor,
            f"{part.value:+.3f}",
            f"{part.weight:g}",
            Text(f"{part.contribution * 100:+.2f}", style=style),
            Text(_bar(sorted((begin, end)), low, high), style=style),
            percent(part.coverage) if isinstance(part.coverage, float) else UNKNOWN,
        )
    for part in contributions:
        if part.omitted is not None:
            table.add_row(
                part.factor, UNKNOWN, f"{part.weight:g}", UNKNOWN, Text(f"left out: {part.omitted}", style="dim")
            )
    return table


def _bar(span: list[float], low: float, high: float) -> str:
    if high <= low:
        return ""
    first, last = (round((edge - low) / (high - low) * _BAR) for edge in span)
    return " " * first + "█" * (last - first if last > first else 1 if span[1] > span[0] else 0)


def _inputs(signal: SignalScored) -> Table:
    table = Table("input", box=None, pad_edge=False)
    for title in ("value", "age", "coverage"):
        table.add_column(title, justify="right")
    # The table of the database keeps no order: features by name, then the slow inputs.
    for name, value in sorted(signal.inputs.items(), key=lambda item: (f"{item[0]}{_AGE}" in signal.inputs, item[0])):
        if name.endswith(_AGE):
            continue
        age = signal.inputs.get(f"{name}{_AGE}")
        coverage = signal.coverage.get(name.rpartition("_")[2])
        table.add_row(
            name,
            number(value),
            "" if age is None else spoken_age(int(age)),
            "" if coverage is None else percent(coverage),
        )
    return table


def _gates(story: Story) -> Table:
    table = Table("", "gate", "", box=None, pad_edge=False, show_header=False)
    for gate in story.gates:
        mark, style = _GATE_MARKS[gate.state]
        words = gate.words if gate.state != "not looked at" else f"{gate.words} (not looked at)"
        table.add_row(
            Text(mark, style=style), Text(gate.name), Text(words, style="" if gate.state != "not looked at" else "dim")
        )
    return table


def _bracket(signal: SignalScored) -> Text:
    if signal.take_profit_1 is None or signal.take_profit_2 is None or signal.stop_loss is None:
        return Text("none: price or ATR was not known")
    levels = (
        ("stop", signal.stop_loss),
        ("take profit 1", signal.take_profit_1),
        ("take profit 2", signal.take_profit_2),
    )
    parts = [f"price {number(signal.price)}"]
    parts += [f"{name} {number(level)} ({_away(level, signal)})" for name, level in levels]
    if isinstance(signal.trailing_distance, Decimal):
        parts.append(f"after take profit 1 the stop trails {number(signal.trailing_distance)} behind")
    if signal.take_profit_type == "market":
        parts.append("take profits at market")
    if signal.working_type == "mark":
        parts.append("stops triggered by the mark price")
    if signal.on_opposite_signal == "close":
        parts.append("closed by an opposite signal")
    if signal.hold_until_ms is not None:
        parts.append(f"closed at the latest {utc(signal.hold_until_ms)}")
    return Text(", ".join(parts))


def _away(level: Decimal, signal: SignalScored) -> str:
    distance = level - signal.price
    return f"{distance / signal.atr:+.2f} ATR" if signal.atr else f"{distance:+f}"


def _configuration(story: Story) -> Text:
    found = story.configuration
    if found is None:
        return Text("not known: the log of activations does not say")
    since = datetime.fromtimestamp(found.since_ms // 1000, UTC)
    line = f"version {found.version}, definition {found.definition[:12]}, since {since:%Y-%m-%d %H:%M:%S} UTC"
    line += f" by {found.activated_by}"
    line += f", file {found.file}" if found.file else ""
    if found.after_evaluation_ms is not None:
        line += f", for evaluations of {story.signal.symbol} after {utc(found.after_evaluation_ms)}"
    return Text(line + (f": {found.reason}" if found.reason else ""))


def _neighbours(story: Story) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for title, signal in (("before", story.before), ("after", story.after)):
        if signal is None:
            table.add_row(title, "none of this strategy and symbol")
            continue
        away = spoken_age(abs(signal.event_time_ms - story.signal.event_time_ms))
        outcome = signal.state if signal.reason is None else f"{signal.state} ({signal.reason})"
        score = f"{signal.direction} {spoken_number(signal.score)}"
        table.add_row(
            title, f"{away} {'earlier' if title == 'before' else 'later'}: {score}, {outcome}", signal.event_id
        )
    return table
