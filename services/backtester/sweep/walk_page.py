"""A walk-forward for people: in-sample against out-of-sample, window by window, and the curve of what nobody chose by."""

from pathlib import Path

import msgspec
import numpy as np

from services.backtester.report.comparison_screens import run_words
from services.backtester.report.markup import Html, element, joined, panel, table
from services.backtester.report.page import document
from services.backtester.report.thinning import extremes
from services.backtester.report.words import UNKNOWN, minute, money, number, percent
from services.backtester.sweep.results import replace_file
from services.backtester.sweep.walk_forward import Step, WalkForward
from services.backtester.sweep.words import figure_text, label, short, value_text

POINTS = 400
WIDTH, HEIGHT, EDGE = 960, 240, 8
HEAD = (
    "window",
    "training from",
    "test from",
    "test to",
    "chosen",
    "in sample",
    "out of sample",
    "net out",
    "trades out",
    "place",
)


def write_walk(walk: WalkForward, folder: Path) -> Path:
    """walk_forward.json and walk_forward.html in the folder."""
    encoded = msgspec.json.format(msgspec.json.encode(walk, order="deterministic"), indent=1)
    replace_file(folder / "walk_forward.json", encoded + b"\n")
    path = folder / "walk_forward.html"
    replace_file(path, walk_page(walk).encode())
    return path


def walk_page(walk: WalkForward) -> str:
    """The whole page."""
    toggle = element("button", "◐ theme", type="button", id="theme", title="Switch between light and dark")
    ideal = walk.facts.ideal
    badge = element("span", "IDEAL · NO COSTS" if ideal else "COSTS ON", class_="badge ideal" if ideal else "badge")
    body = joined(
        element("header", element("strong", "Walk-forward"), badge, element("span", class_="space"), toggle),
        element("main", _head(walk), _curve(walk), _steps(walk)),
        element("footer", element("p", f"walk-forward {walk.digest}", class_="hash")),
    )
    return document(f"Walk-forward of {walk.facts.strategies[0][0]}", body, ("page.js",))


def walk_words(walk: WalkForward) -> str:
    """What came out, in a sentence."""
    known = [step for step in walk.steps if step.in_sample and step.out_of_sample]
    if not known:
        return "In no window could a configuration be chosen: nothing was traded."
    places = [step.place for step in known if step.place is not None]
    better = (
        f"; on average the chosen one beat {percent(float(np.mean(places)))} % of the others in its test"
        if places
        else ""
    )
    kept = (
        ""
        if walk.efficiency is None
        else f"; out of sample it kept {percent(walk.efficiency)} % of what it had in sample"
    )
    total = f"{money(walk.combined.get('net'), signed=True)} in quote units"
    return f"Out of sample {total} over {len(known)} windows{kept}{better} (50 % is what choosing by lot gives)."


def step_row(walk: WalkForward, number_: int, step: Step) -> tuple[str, ...]:
    """One window in words."""
    window = step.window
    times = (minute(window.train_ms), minute(window.test_ms), minute(window.end_ms))
    if step.chosen is None or step.in_sample is None or step.out_of_sample is None:
        return (str(number_), *times, "nothing was traded", *([UNKNOWN] * 5))
    chosen = ", ".join(f"{short(name)} {value_text(value)}" for name, value in step.chosen.items())
    return (
        str(number_),
        *times,
        chosen,
        figure_text(walk.figure, step.in_sample[walk.figure]),
        figure_text(walk.figure, step.out_of_sample[walk.figure]),
        figure_text("net", step.out_of_sample["net"]),
        figure_text("trades", step.out_of_sample["trades"]),
        UNKNOWN if step.place is None else f"{percent(step.place)} %",
    )


def _head(walk: WalkForward) -> Html:
    kind = "anchored" if walk.anchored else "rolling"
    return element(
        "section",
        element("h1", f"Walk-forward of {', '.join(walk.parameters)}"),
        element("p", run_words(walk.facts)),
        element("p", f"{walk.configurations} configurations in each window, {kind}; the best by {label(walk.figure)}."),
        element("p", walk_words(walk), class_="caution"),
        element("ul", *(element("li", line) for line in walk.facts.assumptions)),
    )


def _steps(walk: WalkForward) -> Html:
    rows = [step_row(walk, place, step) for place, step in enumerate(walk.steps, start=1)]
    note = f"In and out of sample: {label(walk.figure)}. Place: share of the others that did worse in the test, equals by half."
    return panel("Windows", table(HEAD, rows), note=note)


def _curve(walk: WalkForward) -> Html:
    """The combined account of the test windows as one line."""
    figures = " · ".join(f"{label(name)} {figure_text(name, value)}" for name, value in walk.combined.items())
    equity = np.array(walk.curve, np.float64)
    if len(equity) < 2:
        return panel("Out of sample, combined", element("p", "nothing was traded", class_="empty"), note=figures)
    kept = extremes(equity, POINTS)
    times = np.array(walk.curve_ms, np.float64)[kept]
    values = equity[kept]
    low, high = (
        float(min(values.min(), walk.facts.starting_balance)),
        float(max(values.max(), walk.facts.starting_balance)),
    )
    span = max(high - low, 1e-9)
    across = EDGE + (times - times[0]) / max(1.0, times[-1] - times[0]) * (WIDTH - 2 * EDGE)
    down = EDGE + (high - values) / span * (HEIGHT - 2 * EDGE)
    start = EDGE + (high - walk.facts.starting_balance) / span * (HEIGHT - 2 * EDGE)
    path = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in zip(across.tolist(), down.tolist(), strict=True))
    drawn = element(
        "svg",
        element("line", x1=EDGE, x2=WIDTH - EDGE, y1=start, y2=start, class_="zero"),
        element("path", d=path, class_="mean"),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="chart-svg",
        role="img",
        aria_label=f"Equity from {number(values[0], 0)} to {number(values[-1], 0)}",
    )
    return panel("Out of sample, combined", drawn, note=f"{figures}. Grey: the starting balance.")
