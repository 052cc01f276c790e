/** The candles of one symbol and time frame: what was asked for, more of it to the left, and what comes. */
import { merged, type Timed } from './bars.ts';

/** At most what the API gives in one answer. */
export const MOST_BARS = 1_500;
/** So many are kept while new ones come; whoever goes further to the left keeps what that brought. */
export const MOST_KEPT = 10_000;

export interface Query {
  from?: number;
  to?: number;
  limit: number;
}

export interface CandlePorts<Row> {
  ask(query: Query): Promise<Row[]>;
  /** The end of the last minute with a trade before an instant: where history goes on beyond a hole. null: nothing is older. */
  before(time: number): Promise<number | null>;
  /** The length of one candle, ms. */
  length: number;
  /** So many at first; without it, as many as an answer has. */
  atFirst?: number;
  /** Of the past: the instant after the last candle. Without one, up to now. */
  end?: number | undefined;
}

export interface CandleView<Row> {
  bars: readonly Row[];
  isLoading: boolean;
  /** Why the last question about what is new failed; what is known stays. */
  error: unknown;
  /** When the last good answer came; 0: none yet. */
  answeredAt: number;
  /** Why nothing came from further to the left. */
  olderError: unknown;
}

export class Candles<Row extends Timed> {
  readonly #ports: CandlePorts<Row>;
  readonly #listeners = new Set<() => void>();
  #view: CandleView<Row> = { bars: [], isLoading: true, error: null, answeredAt: 0, olderError: null };
  /** Open time of the newest candle that was answered: what trades have drawn since is a price without its volume. */
  #answered: number | null = null;
  #isAsking = false;
  #isAskingOlder = false;
  /** Nothing is older than the first candle. */
  #isWhole = false;
  #most = MOST_KEPT;

  constructor(ports: CandlePorts<Row>) {
    this.#ports = ports;
  }

  view(): CandleView<Row> {
    return this.#view;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** All that is new, from the last answered candle on; at first, a whole answer of them. One question at a time. */
  async refresh(now: number): Promise<void> {
    if (this.#isAsking || (this.#ports.end !== undefined && this.#view.answeredAt > 0)) return;
    this.#isAsking = true;
    try {
      this.#take(await this.#ports.ask(this.#next(now)), now);
    } catch (error) {
      this.#become({ ...this.#view, isLoading: false, error });
    } finally {
      this.#isAsking = false;
    }
  }

  /** An answer more to the left, beyond a hole if there is one. */
  async older(): Promise<void> {
    const first = this.#view.bars[0];
    if (first === undefined || this.#isWhole || this.#isAskingOlder) return;
    this.#isAskingOlder = true;
    try {
      const rows = await this.#leftOf(first.time);
      if (this.#view.bars[0]?.time !== first.time) return; // begun anew meanwhile: these would not join on
      this.#isWhole = rows.length === 0;
      this.#most = Math.max(this.#most, this.#view.bars.length + rows.length);
      this.#become({ ...this.#view, bars: merged(this.#view.bars, rows), olderError: null });
    } catch (olderError) {
      this.#become({ ...this.#view, olderError });
    } finally {
      this.#isAskingOlder = false;
    }
  }

  /** What is known before the next answer: a trade moves the running candle. */
  move(change: (bars: readonly Row[]) => readonly Row[]): void {
    const { bars } = this.#view;
    const moved = bars.length === 0 ? bars : change(bars);
    if (moved !== bars) this.#become({ ...this.#view, bars: this.#trimmed(moved) });
  }

  #next(now: number): Query {
    const { end, length } = this.#ports;
    if (end !== undefined) return { to: end, limit: MOST_BARS };
    const { bars, error, answeredAt } = this.#view;
    const answered = this.#answered;
    if (answered === null) return { limit: this.#ports.atFirst ?? MOST_BARS };
    // A failure may be that too much was asked for.
    if (error !== null) return { limit: MOST_BARS };
    const newest = Math.max(bars.at(-1)?.time ?? 0, answered + now - answeredAt);
    if (newest - answered > (MOST_BARS - 2) * length) return { limit: MOST_BARS };
    // One candle back: it may have grown after we looked.
    return { from: answered - length, limit: MOST_BARS };
  }

  #take(rows: readonly Row[], now: number): void {
    const first = rows[0];
    const joins = first === undefined || this.#answered === null || first.time <= this.#answered;
    this.#answered = rows.at(-1)?.time ?? this.#answered;
    if (!joins) this.#isWhole = false;
    const bars = joins ? this.#trimmed(merged(this.#view.bars, rows)) : rows;
    this.#become({ ...this.#view, bars, isLoading: false, error: null, answeredAt: now });
  }

  async #leftOf(time: number): Promise<Row[]> {
    const { ask, before, length } = this.#ports;
    const rows = await ask({ to: time, limit: MOST_BARS });
    if (rows.length > 0) return rows;
    const at = await before(time);
    return at === null ? [] : ask({ to: Math.min(time, Math.ceil(at / length) * length), limit: MOST_BARS });
  }

  /** In large steps: each one moves all that is drawn. */
  #trimmed(bars: readonly Row[]): readonly Row[] {
    if (bars.length <= this.#most + MOST_BARS) return bars;
    this.#isWhole = false;
    return bars.slice(-this.#most);
  }

  #become(view: CandleView<Row>): void {
    this.#view = view;
    for (const listener of this.#listeners) listener();
  }
}
