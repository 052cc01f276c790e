/** What is drawn over the candles: holes, signals (filled: emitted, hollow: refused), and trades from entry to exit. */
import type {
  IChartApi,
  IPrimitivePaneRenderer,
  ISeriesApi,
  ISeriesPrimitive,
  Logical,
  Time,
} from 'lightweight-charts';
import { hatch } from './hatching.ts';
import type { Palette } from './palette.ts';
import { type Axis, candleAt, stretchOf } from './places.ts';

export interface SignalMark {
  id: string;
  /** Its strategy. */
  name: string;
  time: number;
  price: number;
  isLong: boolean;
  isEmitted: boolean;
  score: number;
}

export interface TradeLine {
  id: string;
  /** Its strategy; a paper trade says so. */
  name: string;
  entryTime: number;
  entryPrice: number;
  /** Of a trade that is still open, the newest. */
  exitTime: number;
  exitPrice: number;
  /** Above 0: won; null: not known. */
  result: number | null;
  isOpen: boolean;
}

export interface Hole {
  from: number;
  to: number;
  /** Trades are known to be missing; else nobody traded. */
  isLoss: boolean;
}

export interface Drawn {
  signals: readonly SignalMark[];
  trades: readonly TradeLine[];
  holes: readonly Hole[];
}

/** Where things are on the canvas; null outside of what is known. */
export interface Places {
  x(time: number): number | null;
  stretch(from: number, to: number): readonly [number, number] | null;
  y(price: number): number | null;
  height: number;
}

const SIZE = 5;
/** There may be one at each evaluation. */
const REFUSED_SIZE = 3;
const GAP = 9;
const SCORE_WIDTH = 15;
const SCORE_HEIGHT = 10;

function emptiness(context: CanvasRenderingContext2D, hole: Hole, places: Places, colours: Palette): void {
  const stretch = places.stretch(hole.from, hole.to);
  if (stretch === null) return;
  context.save();
  context.strokeStyle = hole.isLoss ? colours.degraded : colours.hatch;
  context.globalAlpha = hole.isLoss ? 0.45 : 1;
  hatch(context, stretch[0], stretch[1], places.height);
  context.restore();
}

/** Where scores stand already, by side: a second one beside it goes further out. */
type Written = { x: number; isLong: boolean }[];

function score(context: CanvasRenderingContext2D, mark: SignalMark, x: number, base: number, written: Written): void {
  const near = written.filter((each) => each.isLong === mark.isLong && Math.abs(each.x - x) < SCORE_WIDTH).length;
  written.push({ x, isLong: mark.isLong });
  context.fillText(
    mark.score.toFixed(0),
    x,
    base + (mark.isLong ? 11 + near * SCORE_HEIGHT : -4 - near * SCORE_HEIGHT),
  );
}

function triangle(
  context: CanvasRenderingContext2D,
  mark: SignalMark,
  places: Places,
  colours: Palette,
  written: Written,
): void {
  const x = places.x(mark.time);
  const y = places.y(mark.price);
  if (x === null || y === null) return;
  const way = mark.isLong ? 1 : -1;
  const size = mark.isEmitted ? SIZE : REFUSED_SIZE;
  const base = y + way * (GAP + size * 2);
  context.beginPath();
  context.moveTo(x, base - way * size * 1.8);
  context.lineTo(x - size, base);
  context.lineTo(x + size, base);
  context.closePath();
  context.fillStyle = context.strokeStyle = mark.isLong ? colours.up : colours.down;
  context.lineWidth = 1.2;
  if (mark.isEmitted) context.fill();
  else context.globalAlpha = 0.6;
  context.stroke();
  context.globalAlpha = 1;
  if (!mark.isEmitted) return;
  context.fillStyle = colours.text;
  score(context, mark, x, base, written);
}

function trade(context: CanvasRenderingContext2D, line: TradeLine, places: Places, colours: Palette): void {
  const [x0, y0] = [places.x(line.entryTime), places.y(line.entryPrice)];
  const [x1, y1] = [places.x(line.exitTime), places.y(line.exitPrice)];
  if (x0 === null || y0 === null || x1 === null || y1 === null) return;
  context.strokeStyle = context.fillStyle =
    line.result === null ? colours.dim : line.result >= 0 ? colours.up : colours.down;
  context.lineWidth = 1.5;
  context.setLineDash(line.isOpen ? [4, 3] : []);
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
  context.setLineDash([]);
  context.beginPath();
  context.arc(x0, y0, 2.5, 0, 2 * Math.PI);
  context.fill();
  if (!line.isOpen) context.fillRect(x1 - 2.5, y1 - 2.5, 5, 5);
}

/** Draw all of it. */
export function draw(context: CanvasRenderingContext2D, drawn: Drawn, places: Places, colours: Palette): void {
  context.font = "10px 'Inter Variable', sans-serif";
  context.textAlign = 'center';
  for (const hole of drawn.holes) emptiness(context, hole, places, colours);
  for (const line of drawn.trades) trade(context, line, places, colours);
  const written: Written = [];
  for (const mark of drawn.signals) triangle(context, mark, places, colours, written);
}

/** Hangs on the candles' series; `axisOf` says where its candles are. */
export class Overlay implements ISeriesPrimitive<Time> {
  #drawn: Drawn = { signals: [], trades: [], holes: [] };
  #colours: Palette;
  readonly #chart: IChartApi;
  readonly #series: ISeriesApi<'Candlestick'>;
  readonly #axisOf: () => Axis | null;
  #redraw: () => void = () => undefined;

  constructor(chart: IChartApi, series: ISeriesApi<'Candlestick'>, axisOf: () => Axis | null, colours: Palette) {
    this.#chart = chart;
    this.#series = series;
    this.#axisOf = axisOf;
    this.#colours = colours;
  }

  attached({ requestUpdate }: { requestUpdate: () => void }): void {
    this.#redraw = requestUpdate;
  }

  show(drawn: Drawn, colours: Palette): void {
    this.#drawn = drawn;
    this.#colours = colours;
    this.#redraw();
  }

  paneViews() {
    const renderer: IPrimitivePaneRenderer = {
      draw: (target) =>
        target.useMediaCoordinateSpace(({ context, mediaSize }) => {
          const axis = this.#axisOf();
          if (axis !== null) draw(context, this.#drawn, this.#places(mediaSize.height, axis), this.#colours);
        }),
    };
    return [{ renderer: () => renderer, zOrder: () => 'top' as const }];
  }

  #places(height: number, axis: Axis): Places {
    const scale = this.#chart.timeScale();
    // The library knows whole places only; edges lie between them.
    const origin = scale.logicalToCoordinate(0 as Logical) ?? 0;
    const spacing = (scale.logicalToCoordinate(1 as Logical) ?? 0) - origin;
    const at = (place: number | null) => (place === null ? null : origin + place * spacing);
    return {
      x: (time) => at(candleAt(time, axis)),
      stretch: (from, to) => {
        const [left, right] = stretchOf(from, to, axis)?.map(at) ?? [];
        return left == null || right == null ? null : [left, right];
      },
      y: (price) => this.#series.priceToCoordinate(price),
      height,
    };
  }
}
