/** The chart itself: candles, VWAP bands, volume and CVD on one time axis, kept in step with the bars. */
import {
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  createChart,
  HistogramSeries,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  LineSeries,
  LineStyle,
  type Time,
  type UTCTimestamp,
} from 'lightweight-charts';
import { type Bar, bands, cvd, silences } from './bars.ts';
import { type Drawn, Overlay } from './overlay.ts';
import { faded, type Palette, palette } from './palette.ts';

/** A level on the price scale. */
export interface Level {
  price: number;
  title: string;
  tone: 'up' | 'down' | 'accent' | 'dim';
  isDashed?: boolean;
}

const PRICE_PANE = 0;
const VOLUME_PANE = 1;
const CVD_PANE = 2;
/** Silences are drawn as empty candles, but no more than so many: after a day without any the axis would be empty. */
const MOST_EMPTY = 2_000;
/** A quiet market pauses for some seconds all the time; from here on nobody should take it for calm. */
const LEAST_SILENCE_MS = 60_000;
/** As wide as a candle is made by itself, px. */
const WIDEST_BAR = 16;
/** Bands of each side of the VWAP, in deviations. */
const SIDES = [-2, -1, 1, 2] as const;

const seconds = (ms: number): UTCTimestamp => (ms / 1_000) as UTCTimestamp;

interface Lines {
  candles: ISeriesApi<'Candlestick'>;
  vwap: ISeriesApi<'Line'>;
  sides: readonly ISeriesApi<'Line'>[];
  volume: ISeriesApi<'Histogram'>;
  cvd: ISeriesApi<'Line'>;
}

function lines(chart: IChartApi): Lines {
  const quiet = { priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false } as const;
  return {
    sides: SIDES.map(() => chart.addSeries(LineSeries, { ...quiet, lineWidth: 1, lineStyle: LineStyle.Dotted })),
    vwap: chart.addSeries(LineSeries, { ...quiet, lineWidth: 1, title: 'VWAP', lastValueVisible: true }),
    candles: chart.addSeries(CandlestickSeries, { borderVisible: false }, PRICE_PANE),
    volume: chart.addSeries(
      HistogramSeries,
      { priceFormat: { type: 'volume' }, priceLineVisible: false, title: 'volume' },
      VOLUME_PANE,
    ),
    cvd: chart.addSeries(
      LineSeries,
      { lineWidth: 2, priceFormat: { type: 'volume' }, priceLineVisible: false, title: 'CVD' },
      CVD_PANE,
    ),
  };
}

export class Picture {
  readonly chart: IChartApi;
  readonly #lines: Lines;
  readonly #overlay: Overlay;
  #levels: IPriceLine[] = [];
  #bars: readonly Bar[] = [];
  #length = 60_000;
  #colours: Palette = palette();
  #drawn: Drawn = { signals: [], trades: [], holes: [] };

  constructor(element: HTMLElement) {
    this.chart = createChart(element, {
      autoSize: true,
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { timeVisible: true, rightOffset: 6, minBarSpacing: 0.6 },
      rightPriceScale: { minimumWidth: 76 },
    });
    this.#lines = lines(this.chart);
    const [price, volume, sums] = this.chart.panes();
    price?.setStretchFactor(5);
    volume?.setStretchFactor(1);
    sums?.setStretchFactor(1.4);
    this.#overlay = new Overlay(this.chart, this.#lines.candles, (time) => this.#candleOf(time), this.#colours);
    this.#lines.candles.attachPrimitive(this.#overlay);
    this.recolour();
  }

  close(): void {
    this.chart.remove();
  }

  /** The decimals of the symbol's prices, and whether seconds count. */
  format(decimals: number, length: number): void {
    this.#length = length;
    const priceFormat = { type: 'price', precision: decimals, minMove: 10 ** -decimals } as const;
    for (const line of [this.#lines.candles, this.#lines.vwap, ...this.#lines.sides])
      line.applyOptions({ priceFormat });
    this.chart.applyOptions({ timeScale: { secondsVisible: length < 60_000 } });
  }

  /** The candles as they are now; only the last one is drawn anew where only that has changed. */
  show(bars: readonly Bar[]): void {
    const before = this.#bars;
    this.#bars = bars;
    if (before.length === 0 && bars.length > 0) this.#spread();
    const isTail = before.length > 1 && bars[0]?.time === before[0]?.time && bars.length - before.length <= 1;
    const isSame = isTail && bars.length >= before.length && bars.at(before.length - 2) === before.at(-2);
    if (isSame && bars.length === before.length) this.#update();
    else {
      this.#draw();
      this.over(this.#drawn);
    }
  }

  /** Signals, trades and holes. */
  over(drawn: Drawn): void {
    this.#drawn = drawn;
    const silent = silences(this.#bars, this.#length)
      .filter(([from, to]) => to - from >= LEAST_SILENCE_MS)
      .map(([from, to]) => ({ from, to, isLoss: false }));
    this.#overlay.show({ ...drawn, holes: [...silent, ...drawn.holes] }, this.#colours);
  }

  levels(levels: readonly Level[]): void {
    for (const line of this.#levels) this.#lines.candles.removePriceLine(line);
    this.#levels = levels.map(({ price, title, tone, isDashed }) =>
      this.#lines.candles.createPriceLine({
        price,
        title,
        color: this.#colours[tone],
        lineWidth: 1,
        lineStyle: isDashed ? LineStyle.Dashed : LineStyle.Solid,
        axisLabelVisible: true,
      }),
    );
  }

  /** After a change of theme. */
  recolour(): void {
    this.#colours = palette();
    const { ground, dim, line, up, down, accent } = this.#colours;
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: ground },
        textColor: dim,
        fontFamily: "'Inter Variable', system-ui, sans-serif",
        fontSize: 11,
        panes: { separatorColor: line, separatorHoverColor: faded(accent, 0.3) },
      },
      grid: { vertLines: { color: faded(line, 0.4) }, horzLines: { color: faded(line, 0.4) } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
    });
    this.#lines.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.#lines.vwap.applyOptions({ color: accent });
    for (const side of this.#lines.sides) side.applyOptions({ color: faded(accent, 0.55) });
    this.#lines.cvd.applyOptions({ color: dim });
    this.#draw();
    this.over(this.#drawn);
  }

  /** The candle under the crosshair; null outside. */
  barAt(time: Time | undefined): Bar | null {
    if (time === undefined) return this.#bars.at(-1) ?? null;
    return this.#bars.find((bar) => seconds(bar.time) === time) ?? null;
  }

  /** A short history takes half of the width, rather than a thin edge of it. */
  #spread(): void {
    const scale = this.chart.timeScale();
    const spacing = Math.min(WIDEST_BAR, scale.width() / 2 / this.#bars.length);
    if (spacing > scale.options().barSpacing) scale.applyOptions({ barSpacing: spacing });
  }

  #candleOf(time: number): Time | null {
    const first = this.#bars[0];
    const last = this.#bars.at(-1);
    if (first === undefined || last === undefined || time < first.time) return null;
    const start = Math.floor(time / this.#length) * this.#length;
    return seconds(Math.min(start, last.time));
  }

  #volumeOf(bar: Bar) {
    const colour = (bar.delta ?? 0) >= 0 ? this.#colours.up : this.#colours.down;
    return { time: seconds(bar.time), value: bar.volume ?? 0, color: faded(colour, 0.55) };
  }

  #empty(): { time: UTCTimestamp }[] {
    const times: { time: UTCTimestamp }[] = [];
    for (const [from, to] of silences(this.#bars, this.#length)) {
      for (let time = from; time < to && times.length < MOST_EMPTY; time += this.#length)
        times.push({ time: seconds(time) });
    }
    return times;
  }

  #draw(): void {
    const bars = this.#bars;
    const inOrder = (one: { time: Time }, other: { time: Time }) => Number(one.time) - Number(other.time);
    const candles = bars.map((bar) => ({ ...bar, time: seconds(bar.time) }));
    this.#lines.candles.setData([...candles, ...this.#empty()].sort(inOrder));
    this.#lines.volume.setData(bars.map((bar) => this.#volumeOf(bar)));
    const sums = cvd(bars);
    this.#lines.cvd.setData(bars.map((bar, index) => ({ time: seconds(bar.time), value: sums[index] ?? 0 })));
    const band = bands(bars, this.#length);
    this.#lines.vwap.setData(band.map(({ time, vwap }) => ({ time: seconds(time), value: vwap })));
    for (const [index, side] of SIDES.entries()) {
      const values = band.map(({ time, vwap, deviation }) => ({ time: seconds(time), value: vwap + side * deviation }));
      this.#lines.sides[index]?.setData(values);
    }
  }

  #update(): void {
    const bar = this.#bars.at(-1);
    if (bar === undefined) return;
    const time = seconds(bar.time);
    this.#lines.candles.update({ ...bar, time });
    this.#lines.volume.update(this.#volumeOf(bar));
    this.#lines.cvd.update({ time, value: cvd(this.#bars).at(-1) ?? 0 });
    const band = bands(this.#bars, this.#length).at(-1);
    if (band?.time !== bar.time) return;
    this.#lines.vwap.update({ time, value: band.vwap });
    for (const [index, side] of SIDES.entries()) {
      this.#lines.sides[index]?.update({ time, value: band.vwap + side * band.deviation });
    }
  }
}
