/** The candles of one symbol and time frame: what was asked for, more of it to the left, and what comes. */
import { type Bar, merged, touched } from './bars.ts';

/** At most what the API gives in one answer. */
export const MOST_BARS = 1_500;

export interface Query {
  from?: number;
  to?: number;
  limit: number;
}

export interface CandlePorts {
  ask(query: Query): Promise<Bar[]>;
  /** The length of one candle, ms. */
  length: number;
}

export interface CandleView {
  bars: readonly Bar[];
  isLoading: boolean;
  /** Why the last question failed; what is known stays. */
  error: unknown;
}

export class Candles {
  readonly #ports: CandlePorts;
  readonly #listeners = new Set<() => void>();
  #view: CandleView = { bars: [], isLoading: true, error: null };
  #isAsking = false;
  #isAskingOlder = false;
  /** Nothing is older than the first candle. */
  #isWhole = false;

  constructor(ports: CandlePorts) {
    this.#ports = ports;
  }

  view(): CandleView {
    return this.#view;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** All that is new, from the last candle on; at first, a whole answer of them. One question at a time. */
  async refresh(now: number): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const last = this.#view.bars.at(-1);
    const isFar = last !== undefined && now - last.time > (MOST_BARS - 2) * this.#ports.length;
    try {
      // One candle back: the one before may have grown after we looked.
      const query = last === undefined || isFar ? {} : { from: last.time - this.#ports.length };
      const bars = await this.#ports.ask({ ...query, limit: MOST_BARS });
      this.#become({ bars: isFar ? bars : merged(this.#view.bars, bars), isLoading: false, error: null });
      if (isFar) this.#isWhole = false;
    } catch (error) {
      this.#become({ ...this.#view, isLoading: false, error });
    } finally {
      this.#isAsking = false;
    }
  }

  /** An answer more to the left. */
  async older(): Promise<void> {
    const first = this.#view.bars[0];
    if (first === undefined || this.#isWhole || this.#isAskingOlder) return;
    this.#isAskingOlder = true;
    try {
      const bars = await this.#ports.ask({ to: first.time, limit: MOST_BARS });
      this.#isWhole = bars.length === 0;
      if (bars.length > 0) this.#become({ ...this.#view, bars: merged(this.#view.bars, bars) });
    } catch (error) {
      this.#become({ ...this.#view, error });
    } finally {
      this.#isAskingOlder = false;
    }
  }

  /** A trade: the running candle moves before the next answer. */
  touch(price: number, at: number): void {
    if (this.#view.bars.length === 0) return;
    this.#become({ ...this.#view, bars: touched(this.#view.bars, price, at, this.#ports.length) });
  }

  #become(view: CandleView): void {
    this.#view = view;
    for (const listener of this.#listeners) listener();
  }
}
