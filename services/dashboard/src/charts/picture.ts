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
  type MouseEventParams,
  type UTCTimestamp,
} from 'lightweight-charts';
import type { Zone } from '@/format/time.ts';
import { priceFormat, sizeFormat, timesOf } from './axis.ts';
import { type Bar, changedFrom, emptyTimes, placeOf, silences } from './bars.ts';
import { type Drawn, type Hole, Overlay } from './overlay.ts';
import { faded, type Palette, palette } from './palette.ts';
import type { Axis } from './places.ts';
import { Sums } from './sums.ts';
import type { Band } from './vwap.ts';

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
/** Right of the newest candle, px: the names of levels stand there. On a narrow screen, a share of it. */
const ROOM = 100;
const MOST_ROOM = 0.24;
/** More than these changed: drawing all is not slower. */
const MOST_PATCHED = 50;
/** Bands of each side of the VWAP, in deviations. */
const SIDES = [-2, -1, 1, 2] as const;

const seconds = (ms: number): UTCTimestamp => (ms / 1_000) as UTCTimestamp;
const valued = (time: UTCTimestamp, value: number | null | undefined) =>
  value === null || value === undefined ? { time } : { time, value };

interface Lines {
  candles: ISeriesApi<'Candlestick'>;
  vwap: ISeriesApi<'Line'>;
  sides: readonly ISeriesApi<'Line'>[];
  volume: ISeriesApi<'Histogram'>;
  cvd: ISeriesApi<'Line'>;
}

function lines(chart: IChartApi): Lines {
  const quiet = { priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false } as const;
  const sized = { priceLineVisible: false } as const;
  return {
    sides: SIDES.map(() => chart.addSeries(LineSeries, { ...quiet, lineWidth: 1, lineStyle: LineStyle.Dotted })),
    vwap: chart.addSeries(LineSeries, { ...quiet, lineWidth: 1, title: 'VWAP', lastValueVisible: true }),
    candles: chart.addSeries(CandlestickSeries, { borderVisible: false }, PRICE_PANE),
    volume: chart.addSeries(
      HistogramSeries,
      { ...sized, priceFormat: sizeFormat(false), title: 'volume' },
      VOLUME_PANE,
    ),
    cvd: chart.addSeries(LineSeries, { ...sized, lineWidth: 2, priceFormat: sizeFormat(true), title: 'CVD' }, CVD_PANE),
  };
}

/** What is known of the candle at a place, beside the candle. */
export interface PointedAt {
  time: number;
  bar: Bar | null;
  cvd: number | null;
  band: Band | null;
}

export class Picture {
  readonly chart: IChartApi;
  readonly #lines: Lines;
  readonly #overlay: Overlay;
  #levels: readonly Level[] = [];
  #priceLines: IPriceLine[] = [];
  #bars: readonly Bar[] = [];
  #sums = new Sums();
  #length = 60_000;
  #colours: Palette = palette();
  #drawn: Drawn = { signals: [], trades: [], holes: [] };
  #silent: readonly Hole[] = [];
  #until: number | null = null;

  constructor(element: HTMLElement) {
    this.chart = createChart(element, {
      autoSize: true,
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: {
        timeVisible: true,
        rightOffsetPixels: Math.min(ROOM, element.clientWidth * MOST_ROOM),
        minBarSpacing: 0.6,
      },
      rightPriceScale: { minimumWidth: 76 },
    });
    this.#lines = lines(this.chart);
    const [price, volume, sums] = this.chart.panes();
    price?.setStretchFactor(5);
    volume?.setStretchFactor(1);
    sums?.setStretchFactor(1.4);
    this.#overlay = new Overlay(this.chart, this.#lines.candles, () => this.#axis(), this.#colours);
    this.#lines.candles.attachPrimitive(this.#overlay);
    this.recolour();
  }

  close(): void {
    this.chart.remove();
  }

  /** The decimals of the symbol's prices, whether seconds count, and whose clock is written. */
  format(decimals: number, length: number, zone: Zone): void {
    this.#length = length;
    for (const line of [this.#lines.candles, this.#lines.vwap, ...this.#lines.sides])
      line.applyOptions({ priceFormat: priceFormat(decimals) });
    const { timeScale, localization = {} } = timesOf(zone);
    this.chart.applyOptions({ timeScale: { ...timeScale, secondsVisible: length < 60_000 }, localization });
  }

  /** The candles as they are now; only the last ones are drawn anew where only those have changed. */
  show(bars: readonly Bar[]): void {
    const before = this.#bars;
    if (before === bars) return;
    this.#bars = bars;
    if (before.length === 0 && bars.length > 0) this.#spread();
    const from = changedFrom(before, bars);
    this.#sums.follow(bars, from ?? 0);
    if (from !== null && this.#isPatched(before, from)) {
      for (let place = from; place < bars.length; place += 1) this.#patch(place, place < before.length - 1);
    } else this.#draw();
    if (from === null || bars.length > before.length) this.#hear();
  }

  /** Signals, trades and holes. */
  over(drawn: Drawn): void {
    this.#drawn = drawn;
    this.#cover();
  }

  /** Until when the market's time has come: what is silent up to then is no calm. */
  until(time: number | null): void {
    const isSilent = this.#tail().length > 0;
    this.#until = time;
    if (isSilent || this.#tail().length > 0) this.#cover();
  }

  levels(levels: readonly Level[]): void {
    this.#levels = levels;
    for (const line of this.#priceLines) this.#lines.candles.removePriceLine(line);
    this.#priceLines = levels.map(({ price, title, tone, isDashed }) =>
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
    this.#cover();
    this.levels(this.#levels);
  }

  /** What is under the crosshair, also where there is no candle; null outside of the axis. */
  pointedAt({ time, logical }: MouseEventParams): PointedAt | null {
    const last = this.#bars.at(-1);
    if (last === undefined || logical === undefined) return null;
    if (time !== undefined) return this.at(Number(time) * 1_000);
    const end = this.#axis()?.placeOf(last.time) ?? null;
    return end === null || logical <= end ? null : this.at(last.time + Math.round(logical - end) * this.#length);
  }

  /** The newest candle. */
  newest(): PointedAt | null {
    const last = this.#bars.at(-1);
    return last === undefined ? null : this.at(last.time);
  }

  at(time: number): PointedAt {
    const place = placeOf(this.#bars, time);
    const bar = this.#bars[place];
    if (bar?.time !== time) return { time, bar: null, cvd: null, band: null };
    return { time, bar, cvd: this.#sums.cvd[place] ?? null, band: this.#sums.bands[place] ?? null };
  }

  /** The silences that are hatched, for the box that says so. */
  silences(): readonly Hole[] {
    return [...this.#silent, ...this.#tail()];
  }

  /** An instant in the middle, with so many candles on each side. */
  centre(time: number, candles: number): void {
    const place = placeOf(this.#bars, time);
    const at = this.#axis()?.placeOf(this.#bars[place]?.time ?? time) ?? place;
    this.chart.timeScale().setVisibleLogicalRange({ from: at - candles, to: at + candles });
  }

  /** A short history takes half of the width, rather than a thin edge of it. */
  #spread(): void {
    const scale = this.chart.timeScale();
    const spacing = Math.min(WIDEST_BAR, scale.width() / 2 / this.#bars.length);
    if (spacing > scale.options().barSpacing) scale.applyOptions({ barSpacing: spacing });
  }

  #axis(): Axis | null {
    const [first, last] = [this.#bars[0], this.#bars.at(-1)];
    if (first === undefined || last === undefined) return null;
    const scale = this.chart.timeScale();
    const placeAt = (time: number): number | null => scale.timeToIndex(seconds(time), true);
    return { first: first.time, last: last.time, length: this.#length, placeOf: placeAt };
  }

  #hear(): void {
    this.#silent = silences(this.#bars, this.#length)
      .filter(([from, to]) => to - from >= LEAST_SILENCE_MS)
      .map(([from, to]) => ({ from, to, isLoss: false }));
    this.#cover();
  }

  /** From the last candle to now, if that is long. */
  #tail(): Hole[] {
    const last = this.#bars.at(-1);
    if (last === undefined || this.#until === null) return [];
    const from = last.time + this.#length;
    return this.#until - from < LEAST_SILENCE_MS ? [] : [{ from, to: this.#until, isLoss: false }];
  }

  #cover(): void {
    this.#overlay.show({ ...this.#drawn, holes: [...this.silences(), ...this.#drawn.holes] }, this.#colours);
  }

  /** Whether the library can take the change value by value: it replaces older ones only where there was one. */
  #isPatched(before: readonly Bar[], from: number): boolean {
    const changed = this.#bars.slice(from);
    if (changed.length > MOST_PATCHED) return false;
    const older = before.slice(from, -1);
    if (older.some((bar) => bar.volume === null || bar.delta === null)) return false;
    return silences(this.#bars.slice(Math.max(0, before.length - 1)), this.#length).length === 0;
  }

  #patch(place: number, isOlder: boolean): void {
    const bar = this.#bars[place];
    if (bar === undefined) return;
    const time = seconds(bar.time);
    this.#lines.candles.update({ ...bar, time }, isOlder);
    this.#lines.volume.update(this.#volumeOf(bar), isOlder);
    this.#lines.cvd.update(valued(time, this.#sums.cvd[place]), isOlder);
    const band = this.#sums.bands[place];
    this.#lines.vwap.update(valued(time, band?.vwap), isOlder);
    for (const [index, side] of SIDES.entries())
      this.#lines.sides[index]?.update(valued(time, band && band.vwap + side * band.deviation), isOlder);
  }

  #volumeOf(bar: Bar) {
    const { up, down, dim } = this.#colours;
    const colour = bar.delta === null ? dim : bar.delta >= 0 ? up : down;
    return { ...valued(seconds(bar.time), bar.volume), color: faded(colour, 0.55) };
  }

  #draw(): void {
    const bars = this.#bars;
    const times = bars.map((bar) => seconds(bar.time));
    const candles = bars.map((bar) => ({ ...bar, time: seconds(bar.time) }));
    const empty = emptyTimes(silences(bars, this.#length), this.#length, MOST_EMPTY);
    const all = [...candles, ...empty.map((time) => ({ time: seconds(time) }))];
    this.#lines.candles.setData(all.sort((one, other) => one.time - other.time));
    this.#lines.volume.setData(bars.map((bar) => this.#volumeOf(bar)));
    const { cvd, bands } = this.#sums;
    this.#lines.cvd.setData(times.map((time, place) => valued(time, cvd[place])));
    this.#lines.vwap.setData(times.map((time, place) => valued(time, bands[place]?.vwap)));
    for (const [index, side] of SIDES.entries()) {
      const values = times.map((time, place) => {
        const band = bands[place];
        return valued(time, band && band.vwap + side * band.deviation);
      });
      this.#lines.sides[index]?.setData(values);
    }
  }
}
