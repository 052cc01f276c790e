/** Series on the charting library: made once, then only given what has changed, so that zoom and pan stay. */
import {
  AreaSeries,
  type ChartOptions,
  createChart,
  type DeepPartial,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  LineSeries,
  LineStyle,
  LineType,
  type UTCTimestamp,
} from 'lightweight-charts';
import type { Zone } from '@/format/time.ts';
import { timesOf } from './axis.ts';
import { Hatching } from './hatching.ts';
import { risingSeconds, type Series, type Stretch, type Token } from './series.ts';

type AnySeries = ISeriesApi<'Line' | 'Area' | 'Histogram'>;
interface Drawn {
  kind: Series['kind'];
  pane: number;
  api: AnySeries;
}

/** The colour that a token has in the theme of now. */
function colourOf(element: Element, token: Token | '--line' | '--panel' | '--text' | '--hatch'): string {
  return getComputedStyle(element).getPropertyValue(token).trim() || 'grey';
}

function options(element: Element, zone: Zone): DeepPartial<ChartOptions> {
  const line = colourOf(element, '--line');
  const { timeScale, localization = {} } = timesOf(zone);
  return {
    layout: {
      background: { color: 'transparent' },
      textColor: colourOf(element, '--dim'),
      fontFamily: getComputedStyle(element).fontFamily,
      fontSize: 11,
      attributionLogo: false,
      panes: { separatorColor: line, separatorHoverColor: line },
    },
    grid: { vertLines: { color: `${line}66` }, horzLines: { color: `${line}66` } },
    rightPriceScale: { borderColor: line },
    timeScale: {
      borderColor: line,
      timeVisible: true,
      maxBarSpacing: 48,
      ...timeScale,
    },
    localization,
    crosshair: { vertLine: { labelBackgroundColor: line }, horzLine: { labelBackgroundColor: line } },
  };
}

export class SeriesDrawing {
  readonly chart: IChartApi;
  readonly #element: HTMLElement;
  readonly #drawn = new Map<string, Drawn>();
  readonly #hatching = new Map<number, Hatching>();

  constructor(element: HTMLElement) {
    this.#element = element;
    this.chart = createChart(element, { autoSize: true });
  }

  /** Colours of the theme, times of the zone. */
  dress(zone: Zone): void {
    this.chart.applyOptions(options(this.#element, zone));
  }

  show(series: readonly Series[], holes: readonly Stretch[], stretch: readonly number[]): void {
    for (const [id, { api }] of this.#drawn) {
      if (series.some((each) => each.id === id && this.#fits(each))) continue;
      this.chart.removeSeries(api);
      this.#drawn.delete(id);
    }
    for (const each of series) this.#put(each);
    this.chart.panes().forEach((pane, index) => {
      pane.setStretchFactor(stretch[index] ?? 1);
      let hatching = this.#hatching.get(index);
      if (hatching === undefined) {
        hatching = new Hatching();
        pane.attachPrimitive(hatching);
        this.#hatching.set(index, hatching);
      }
      hatching.show(holes, colourOf(this.#element, '--degraded'));
    });
  }

  close(): void {
    this.chart.remove();
  }

  #fits(series: Series): boolean {
    const drawn = this.#drawn.get(series.id);
    return drawn?.kind === series.kind && drawn.pane === series.pane;
  }

  #put(series: Series): void {
    const api = this.#drawn.get(series.id)?.api ?? this.#make(series);
    this.#drawn.set(series.id, { kind: series.kind, pane: series.pane, api });
    const colour = colourOf(this.#element, series.colour);
    api.applyOptions({
      color: colour,
      ...(series.kind === 'area' ? { lineColor: colour, topColor: `${colour}44`, bottomColor: `${colour}08` } : {}),
      lineStyle: series.isDashed ? LineStyle.Dashed : LineStyle.Solid,
      ...(series.kind === 'bars' ? {} : { lineWidth: series.isThin ? 1 : 2 }),
      priceFormat: { type: 'custom', formatter: series.write, minMove: 1e-9 },
    });
    const colours = new Map<Token, string>();
    const own = (token: Token) => {
      const known = colours.get(token) ?? colourOf(this.#element, token);
      colours.set(token, known);
      return known;
    };
    api.setData(
      risingSeconds(series.points).map(({ time, value, colour: token }) => {
        const at = time as UTCTimestamp;
        if (value === null) return { time: at };
        return token === undefined ? { time: at, value } : { time: at, value, color: own(token) };
      }),
    );
  }

  #make({ kind, pane }: Series): AnySeries {
    const common = { priceLineVisible: false, lastValueVisible: kind !== 'bars' };
    if (kind === 'bars') return this.chart.addSeries(HistogramSeries, common, pane) as AnySeries;
    const line = { ...common, lineWidth: 2 as const, crosshairMarkerRadius: 3 };
    if (kind === 'area') return this.chart.addSeries(AreaSeries, line, pane) as AnySeries;
    const lineType = kind === 'steps' ? LineType.WithSteps : LineType.Simple;
    return this.chart.addSeries(LineSeries, { ...line, lineType }, pane) as AnySeries;
  }
}
