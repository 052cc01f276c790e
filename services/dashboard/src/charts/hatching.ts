/** Hatched stretches behind the series of a pane: times of which something is missing. */
import type { IChartApi, IPanePrimitive, PaneAttachedParameter, Time, UTCTimestamp } from 'lightweight-charts';
import type { Stretch } from './series.ts';

const DISTANCE = 7;
/** A hole of a second is seen too. */
const LEAST_WIDTH = 3;

type Renderer = NonNullable<ReturnType<ReturnType<NonNullable<IPanePrimitive<Time>['paneViews']>>[number]['renderer']>>;
type Target = Parameters<Renderer['draw']>[0];

/** Slanted lines over the whole height, in CSS pixels, in the stroke that is set. */
export function hatch(context: CanvasRenderingContext2D, left: number, to: number, height: number): void {
  const right = Math.max(to, left + LEAST_WIDTH);
  context.save();
  context.lineWidth = 1.5;
  context.beginPath();
  context.rect(left, 0, right - left, height);
  context.clip();
  context.beginPath();
  for (let x = left - height; x < right; x += DISTANCE) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}

export class Hatching implements IPanePrimitive<Time> {
  #chart: IChartApi | null = null;
  #update: (() => void) | null = null;
  #stretches: readonly Stretch[] = [];
  #colour = 'grey';

  attached({ chart, requestUpdate }: PaneAttachedParameter<Time>): void {
    this.#chart = chart as IChartApi;
    this.#update = requestUpdate;
  }

  detached(): void {
    this.#chart = null;
  }

  show(stretches: readonly Stretch[], colour: string): void {
    this.#stretches = stretches;
    this.#colour = colour;
    this.#update?.();
  }

  paneViews() {
    const renderer: Renderer = { draw: () => undefined, drawBackground: (target) => this.#draw(target) };
    return [{ zOrder: () => 'bottom' as const, renderer: () => renderer }];
  }

  #x(ms: number): number | null {
    const scale = this.#chart?.timeScale();
    const index = scale?.timeToIndex(Math.floor(ms / 1_000) as UTCTimestamp, true);
    return index === null || index === undefined ? null : (scale?.logicalToCoordinate(index as never) ?? null);
  }

  #draw(target: Target): void {
    // biome-ignore lint/correctness/useHookAtTopLevel: no hook of React: the canvas is used in CSS pixels
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      context.strokeStyle = this.#colour;
      for (const { from_ms, to_ms } of this.#stretches) {
        const left = this.#x(from_ms);
        const right = this.#x(to_ms);
        if (left === null || right === null) continue;
        hatch(context, left, right, mediaSize.height);
      }
    });
  }
}
