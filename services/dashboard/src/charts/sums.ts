/** What is summed up over candles, kept so that a change of the last ones costs only these. */
import type { Bar } from './bars.ts';
import { type Band, bandOf, type Day, grown, NO_DAY } from './vwap.ts';

export class Sums {
  /** CVD at each candle; null where its delta is not known. */
  readonly cvd: (number | null)[] = [];
  readonly bands: (Band | null)[] = [];
  /** Sum and day after each candle. */
  readonly #totals: number[] = [];
  readonly #days: Day[] = [];

  /** The bars as they are now, of which those before `from` have not changed. */
  follow(bars: readonly Bar[], from: number): void {
    for (const list of [this.cvd, this.bands, this.#totals, this.#days]) list.length = Math.min(from, list.length);
    for (let place = this.#totals.length; place < bars.length; place += 1) {
      const bar = bars[place];
      if (bar === undefined) return;
      const total = (this.#totals[place - 1] ?? 0) + (bar.delta ?? 0);
      const day = grown(this.#days[place - 1] ?? NO_DAY, bar);
      this.#totals.push(total);
      this.#days.push(day);
      this.cvd.push(bar.delta === null ? null : total);
      this.bands.push(bandOf(day, bar.time));
    }
  }
}
