// Draws the charts and the table of trades of a backtest report. Data stands in #data; texts enter by textContent only.
"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const make = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const themed = [];
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    themed.forEach((repaint) => repaint());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themed.forEach((repaint) => repaint()));

  const source = byId("data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const { createChart, createSeriesMarkers, CandlestickSeries, BaselineSeries, AreaSeries, LineStyle, CrosshairMode } = LightweightCharts;
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const faded = (name, share) => colour(name) + Math.round(share * 255).toString(16).padStart(2, "0");

  // ---- numbers as on the rest of the page: thin spaces, a real minus, signs where they matter
  const figure = (value, decimals, signed) => {
    const text = Math.abs(value).toFixed(decimals).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, "\u202f");
    if (!Number(Math.abs(value).toFixed(decimals))) return text;
    return (value < 0 ? "\u2212" : signed ? "+" : "") + text;
  };
  const two = (value) => String(value).padStart(2, "0");
  const time = (second) => {
    const at = new Date(second * 1000);
    return `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  };
  const clock = (second) => `${time(second)}:${two(second % 60)}`;
  const span = (seconds) => {
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    return minutes < 1440 ? `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min` : `${Math.floor(minutes / 1440)} d ${two(Math.floor((minutes % 1440) / 60))} h`;
  };
  const coloured = (text, value) => {
    const made = make("span", undefined, value > 0 ? "up" : value < 0 ? "down" : "flat");
    if (value) made.append(make("i", value > 0 ? "▲" : "▼"));
    made.append(text);
    return made;
  };

  const look = () => ({
    layout: {
      background: { type: "solid", color: colour("panel") },
      textColor: colour("dim"),
      attributionLogo: false,
      fontSize: 11,
      panes: { separatorColor: colour("line"), separatorHoverColor: colour("line"), enableResize: false },
    },
    grid: { vertLines: { color: faded("line", 0.55) }, horzLines: { color: faded("line", 0.55) } },
    rightPriceScale: { borderColor: colour("line") },
    timeScale: { borderColor: colour("line"), timeVisible: true, secondsVisible: false, minBarSpacing: 0.01 },
    crosshair: { mode: CrosshairMode.Normal },
    localization: { timeFormatter: time, locale: "en-GB" },
    autoSize: true,
    handleScroll: { vertTouchDrag: false },
  });

  // ---- equity and drawdown on one time axis
  const equity = createChart(byId("equity"), { ...look(), handleScale: { mouseWheel: false }, handleScroll: { mouseWheel: false, vertTouchDrag: false } });
  const money = { type: "custom", minMove: 0.01, formatter: (value) => figure(value, 0) };
  const curve = equity.addSeries(BaselineSeries, { baseValue: { type: "price", price: data.start }, lineWidth: 2, priceFormat: money });
  const water = equity.addSeries(AreaSeries, { lineWidth: 1, priceFormat: { type: "custom", minMove: 0.01, formatter: (value) => `${figure(value, 1)} %` } }, 1);
  curve.setData(data.equity.map(([at, value]) => ({ time: at, value })));
  water.setData(data.equity.map(([at, , below]) => ({ time: at, value: below })));
  equity.panes()[0].setStretchFactor(0.72);
  equity.panes()[1].setStretchFactor(0.28);
  themed.push(() => {
    equity.applyOptions(look());
    equity.applyOptions({ handleScale: { mouseWheel: false } });
    curve.applyOptions({
      topLineColor: colour("up"), topFillColor1: faded("up", 0.28), topFillColor2: faded("up", 0.03),
      bottomLineColor: colour("down"), bottomFillColor1: faded("down", 0.03), bottomFillColor2: faded("down", 0.28),
    });
    water.applyOptions({ lineColor: colour("down"), topColor: faded("down", 0.05), bottomColor: faded("down", 0.35), invertFilledArea: true });
  });
  // The charts take their size after this script: only then is there a width to fit into.
  // A little room at both ends, or the labels there would be cut.
  const whole = (chart, count) => {
    const scale = chart.timeScale(), room = (count * 18) / Math.max(scale.width(), 200);
    scale.setVisibleLogicalRange({ from: -room, to: count - 1 + room });
  };
  const fit = (chart, count) => requestAnimationFrame(() => requestAnimationFrame(() => whole(chart, count)));
  fit(equity, data.equity.length);

  // ---- candles: differences back to prices, and places without data kept as empty times
  const unpack = (packed) => {
    const scale = 10 ** -packed.decimals, bars = [], gaps = [];
    let number = 0, close = 0;
    packed.number.forEach((step, place) => {
      for (let missing = 1; missing < Math.min(step, 3000); missing++) bars.push({ time: packed.start + (number + missing) * packed.interval });
      if (step > 1) gaps.push([packed.start + (number + 1) * packed.interval, packed.start + (number + Math.min(step, 3000) - 1) * packed.interval]);
      number += step;
      const open = close + packed.open[place];
      close = open + packed.close[place];
      bars.push({
        time: packed.start + number * packed.interval, open: open * scale, close: close * scale,
        high: (open + packed.high[place]) * scale, low: (open + packed.low[place]) * scale,
      });
    });
    return { bars, gaps, interval: packed.interval, decimals: packed.decimals, start: packed.start };
  };

  // ---- lines from entry to exits, and hatching where nothing is known, drawn by the chart itself
  class Overlay {
    attached({ chart, series, requestUpdate }) { this.chart = chart; this.series = series; this.update = requestUpdate; }
    detached() {}
    updateAllViews() {}
    paneViews() { return [{ zOrder: () => "top", renderer: () => ({ draw: (target) => target.useMediaCoordinateSpace((scope) => this.draw(scope)) }) }]; }
    draw({ context, mediaSize }) {
      const scale = this.chart.timeScale();
      const across = (at) => scale.timeToCoordinate(at);
      context.save();
      for (const [from, to] of this.gaps || []) this.hatch(context, across(from), across(to), mediaSize);
      for (const line of this.lines || []) {
        const x = [across(line.from), across(line.to)], y = [this.series.priceToCoordinate(line.low), this.series.priceToCoordinate(line.high)];
        if (x.includes(null) || y.includes(null) || x[1] < 0 || x[0] > mediaSize.width) continue;
        context.strokeStyle = line.won ? colour("up") : colour("down");
        context.lineWidth = line.chosen ? 3 : 1.5;
        context.setLineDash(line.won ? [] : [4, 3]);
        context.beginPath();
        context.moveTo(x[0], y[0]);
        context.lineTo(x[1], y[1]);
        context.stroke();
      }
      context.restore();
    }
    hatch(context, from, to, size) {
      if (from === null || to === null || to < 0 || from > size.width) return;
      context.save();
      context.beginPath();
      context.rect(from, 0, Math.max(to - from, 2), size.height);
      context.clip();
      context.strokeStyle = faded("dim", 0.4);
      for (let x = from - size.height; x < to; x += 8) {
        context.beginPath();
        context.moveTo(x, size.height);
        context.lineTo(x + size.height, 0);
        context.stroke();
      }
      context.restore();
    }
  }

  const symbols = Object.keys(data.bars);
  const holder = byId("price");
  let shown = null, chosen = null, levels = [], withWords = false;
  const views = {};
  const view = (symbol) => (views[symbol] ||= unpack(data.bars[symbol]));
  const price = createChart(holder, look());
  const candles = price.addSeries(CandlestickSeries, { priceLineVisible: false, borderVisible: true });
  const marks = createSeriesMarkers(candles, [], { autoScale: false });
  const overlay = new Overlay();
  candles.attachPrimitive(overlay);

  const won = (trade) => trade.net > 0;
  const bar = (symbol, at) => { const { start, interval } = view(symbol); return start + Math.floor((at - start) / interval) * interval; };
  const isProfit = (why) => why.startsWith("take profit");
  const short = { "take profit 1": "TP1", "take profit 2": "TP2", "stop loss": "SL", "break even stop": "BE", "hold expired": "hold", "risk guard": "guard", "data end": "end" };
  const exits = (trade) => trade.exits.map((one) => short[one[3]] || one[3]).join(" → ");
  const last = (trade) => trade.exits[trade.exits.length - 1];

  // A strategy that waits out its cooldown refuses at every evaluation: one mark a bar and side, and one text a run of them.
  const refusedBars = () => {
    const { interval } = view(shown), marked = [];
    for (const side of [true, false]) {
      let run = null, mark = null;
      for (const [symbol, at, long, score] of data.refused) {
        if (symbol !== shown || Boolean(long) !== side) continue;
        const time = bar(shown, at);
        if (!mark || time - mark.time > 15 * interval) run = { count: 0, best: 0, first: null };
        if (!mark || mark.time !== time) marked.push((mark = { time, long: side }));
        run.first ||= mark;
        run.count += 1;
        run.best = Math.max(run.best, score);
        run.first.text = `○ ${figure(run.best, 0)}${run.count > 1 ? ` ×${run.count}` : ""}`;
      }
    }
    return marked;
  };

  const draw = () => {
    if (!shown) return;
    const found = [], lines = [];
    for (const trade of data.trades) {
      if (trade.symbol !== shown) continue;
      const tone = won(trade) ? colour("up") : colour("down");
      found.push({
        time: bar(shown, trade.time), position: trade.long ? "belowBar" : "aboveBar", shape: trade.long ? "arrowUp" : "arrowDown",
        color: colour("accent"), text: withWords ? `${trade.long ? "long" : "short"} ${figure(trade.score, 0)}` : undefined, size: withWords ? 1 : 0.6,
      });
      trade.exits.forEach(([at, value, , why], place) => {
        const final = place === trade.exits.length - 1;
        found.push({
          time: bar(shown, at), position: "atPriceMiddle", price: value, shape: isProfit(why) ? "circle" : "square", color: tone, size: withWords ? 0.6 : 0.3,
          text: withWords ? `${short[why] || why}${final ? ` ${figure(trade.r, 2, true)} R` : ""}` : undefined,
        });
        lines.push({ from: bar(shown, trade.time), to: bar(shown, at), low: trade.price, high: value, won: won(trade), chosen: trade === chosen });
      });
    }
    if (byId("show-refused").checked) {
      for (const { time: at, long, text } of refusedBars()) {
        found.push({ time: at, position: long ? "belowBar" : "aboveBar", shape: "circle", color: faded("dim", 0.7), size: 0.5, text: withWords ? text : undefined });
      }
    }
    marks.setMarkers(found.sort((one, other) => one.time - other.time));
    overlay.lines = lines;
    overlay.gaps = view(shown).gaps;
    overlay.update && overlay.update();
  };

  const paint = () => {
    price.applyOptions(look());
    const up = colour("up"), down = colour("down");
    // Hollow when it rose, filled when it fell: the second sign beside the colour.
    candles.applyOptions({ upColor: colour("panel"), downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down });
    showLevels();
    draw();
  };
  themed.push(paint);

  const showLevels = () => {
    levels.forEach((one) => candles.removePriceLine(one));
    levels = [];
    if (!chosen || chosen.symbol !== shown) return;
    for (const [title, value, name] of [["entry", chosen.price, "accent"], ["stop", chosen.stop, "down"], ["TP1", chosen.first, "up"], ["TP2", chosen.second, "up"]]) {
      levels.push(candles.createPriceLine({ price: value, title, color: colour(name), lineStyle: LineStyle.Dashed, lineWidth: 1, axisLabelVisible: true }));
    }
  };

  const show = (symbol, stay) => {
    if (shown !== symbol) {
      shown = symbol;
      const { bars, decimals } = view(symbol);
      candles.applyOptions({ priceFormat: { type: "custom", minMove: 10 ** -decimals, formatter: (value) => figure(value, decimals) } });
      candles.setData(bars);
    }
    for (const tab of byId("symbols").children) tab.setAttribute("aria-selected", String(tab.textContent === symbol));
    showLevels();
    draw();
    if (!stay) fit(price, view(symbol).bars.length);
  };

  const hover = byId("hover");
  price.subscribeCrosshairMove((event) => {
    const candle = event.seriesData && event.seriesData.get(candles);
    hover.replaceChildren();
    if (!shown) return;
    const { decimals, interval } = view(shown);
    if (!candle || candle.open === undefined) { hover.append(make("span", event.time ? `${time(event.time)} · no data` : `${shown} · ${span(interval)} bars`)); return; }
    const change = candle.close / candle.open - 1;
    const head = make("div", `${time(event.time)}  O ${figure(candle.open, decimals)} H ${figure(candle.high, decimals)} L ${figure(candle.low, decimals)} C ${figure(candle.close, decimals)} `);
    head.append(coloured(`${figure(change * 100, 2, true)} %`, change));
    hover.append(head);
    for (const trade of data.trades) {
      if (trade.symbol !== shown || bar(shown, trade.time) > event.time || bar(shown, last(trade)[0]) < event.time) continue;
      const line = make("div", `${trade.long ? "▲ long" : "▼ short"} ${trade.strategy}, score ${figure(trade.score, 1)}: ${exits(trade)} `);
      line.append(coloured(`${figure(trade.r, 2, true)} R`, trade.r));
      hover.append(line);
    }
    if (byId("show-refused").checked) {
      for (const [symbol, at, long, score, why] of data.refused) {
        if (symbol === shown && bar(shown, at) === event.time) hover.append(make("div", `○ ${long ? "long" : "short"} ${figure(score, 1)} refused: ${why}`));
      }
    }
  });
  price.timeScale().subscribeVisibleLogicalRangeChange((range) => {
    const words = range !== null && range.to - range.from < 400;
    if (words !== withWords) { withWords = words; draw(); }
  });

  for (const symbol of symbols) {
    const tab = make("button", symbol);
    tab.type = "button";
    tab.setAttribute("role", "tab");
    tab.addEventListener("click", () => show(symbol));
    byId("symbols").append(tab);
  }
  byId("show-refused").addEventListener("change", draw);
  byId("whole").addEventListener("click", () => shown && whole(price, view(shown).bars.length));

  // ---- the table of trades; a chosen one is shown on the chart with its bracket, and told below it
  const columns = [
    ["entry (UTC)", (trade) => trade.time, (trade) => time(trade.time)],
    ["symbol", (trade) => trade.symbol, (trade) => trade.symbol],
    ["side", (trade) => (trade.long ? 1 : 0), (trade) => (trade.long ? "▲ long" : "▼ short")],
    ["net, R", (trade) => trade.r, (trade) => coloured(figure(trade.r, 2, true), trade.r)],
    ["strategy", (trade) => trade.strategy, (trade) => trade.strategy],
    ["score", (trade) => trade.score, (trade) => figure(trade.score, 1)],
    ["entry price", (trade) => trade.price, (trade) => figure(trade.price, decimalsOf(trade))],
    ["exits", exits, exits],
    ["held", (trade) => last(trade)[0] - trade.time, (trade) => span(last(trade)[0] - trade.time)],
    ["net, quote", (trade) => trade.net, (trade) => coloured(figure(trade.net, 2, true), trade.net)],
    ["costs", costs, (trade) => figure(costs(trade), 2)],
    ["MAE, R", (trade) => trade.mae, (trade) => figure(trade.mae, 2, true)],
    ["MFE, R", (trade) => trade.mfe, (trade) => figure(trade.mfe, 2, true)],
  ];
  function costs(trade) { return trade.fees + trade.slippage + trade.funding; }
  function decimalsOf(trade) { return data.bars[trade.symbol] ? data.bars[trade.symbol].decimals : 4; }
  let order = [0, -1], most = 200;
  const table = byId("trades");
  const fill = () => {
    const [key, turn] = order, value = columns[key][1];
    const sorted = [...data.trades].sort((one, other) => (value(one) < value(other) ? -turn : value(one) > value(other) ? turn : 0));
    const head = make("tr");
    columns.forEach(([title], place) => {
      const cell = make("th", title + (place === key ? (turn > 0 ? " ↑" : " ↓") : ""));
      cell.scope = "col";
      cell.addEventListener("click", () => { order = [place, place === key ? -turn : -1]; fill(); });
      head.append(cell);
    });
    const body = make("tbody");
    for (const trade of sorted.slice(0, most)) {
      const row = make("tr");
      row.tabIndex = 0;
      row.setAttribute("aria-selected", String(trade === chosen));
      for (const [, , words] of columns) { const cell = make("td"); cell.append(words(trade)); row.append(cell); }
      const choose = () => { select(trade); fill(); };
      row.addEventListener("click", choose);
      row.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(); });
      body.append(row);
    }
    if (!data.trades.length) {
      const cell = make("td", "No position was opened in this range; the table of refused signals says why.", "empty");
      cell.colSpan = columns.length;
      body.append(make("tr"));
      body.firstChild.append(cell);
    } else if (sorted.length > most) {
      const more = make("button", `show all ${sorted.length}`);
      more.addEventListener("click", () => { most = sorted.length; fill(); });
      const cell = make("td");
      cell.colSpan = columns.length;
      cell.append(more);
      body.append(make("tr"));
      body.lastChild.append(cell);
    }
    const top = make("thead");
    top.append(head);
    table.replaceChildren(top, body);
  };

  const select = (trade) => {
    chosen = trade;
    const box = byId("trade"), decimals = decimalsOf(trade);
    const head = make("p");
    head.append(make("strong", `${trade.long ? "▲ Long" : "▼ Short"} ${trade.symbol}, ${trade.strategy}, score ${figure(trade.score, 1)}: `), coloured(`${figure(trade.r, 2, true)} R, ${figure(trade.net, 2, true)}`, trade.r));
    const told = [
      `Signal ${clock(trade.signal)}; entry ${clock(trade.time)} UTC at ${figure(trade.price, decimals)}, ${trade.quantity} units`,
      ...trade.exits.map(([at, value, quantity, why]) => `${why} ${clock(at)} UTC at ${figure(value, decimals)}, ${quantity} units`),
      `Gross ${figure(trade.gross, 2, true)}, fees ${figure(-trade.fees, 2, true)}, slippage ${figure(-trade.slippage, 2, true)}, funding ${figure(-trade.funding, 2, true)}; MAE ${figure(trade.mae, 2, true)} R, MFE ${figure(trade.mfe, 2, true)} R`,
    ];
    box.replaceChildren(head, ...told.map((line) => make("p", line)));
    if (!data.bars[trade.symbol]) return;
    show(trade.symbol, true);
    const { bars, interval } = view(trade.symbol);
    const margin = Math.max(3600, 25 * interval), first = bars[0].time, end = bars[bars.length - 1].time;
    price.timeScale().setVisibleRange({ from: Math.max(first, bar(trade.symbol, trade.time) - margin), to: Math.min(end, bar(trade.symbol, last(trade)[0]) + margin) });
    draw();
    byId("price").scrollIntoView({ block: "nearest" });
  };

  if (symbols.length) show(symbols[0]);
  else byId("price").closest(".holder").replaceChildren(make("p", "The result has no candles, so there is no price to draw on.", "empty"));
  themed.forEach((repaint) => repaint());
  fill();
})();
