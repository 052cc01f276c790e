/** What one subscription has told so far: the newest by key, or the last of a list. */
import { type Channel, keyOf } from './protocol.ts';

/** As many as the gateway keeps of a list; of a map, so many that two minutes of six hundred symbols fit. */
export const MOST_LISTED = 1_000;
export const MOST_KEYED = 2_000;

export interface View {
  /** Newest by key, in the order in which keys came; empty of a list. */
  latest: ReadonlyMap<string, unknown>;
  /** Oldest first; empty of a map. */
  recent: readonly unknown[];
  /** At most so many were dropped since the snapshot: REST has them. */
  missed: number;
  /** Whether a snapshot has come. */
  told: boolean;
}

export const NOTHING: View = { latest: new Map(), recent: [], missed: 0, told: false };

/** A view is made when somebody looks, and stays the same object until something comes. */
export class Memory {
  readonly #key: ((item: unknown) => string) | null;
  #latest = new Map<string, unknown>();
  #recent: unknown[] = [];
  #missed = 0;
  #told = false;
  #view: View | null = NOTHING;

  constructor(channel: Channel) {
    this.#key = keyOf(channel);
  }

  /** Whether anything has come. */
  isTold(): boolean {
    return this.#told;
  }

  /** As if nothing had come. */
  forget(): void {
    this.restart([]);
    this.#told = false;
  }

  /** All of it anew. */
  restart(items: readonly unknown[]): void {
    this.#latest = new Map();
    this.#recent = [];
    this.#missed = 0;
    this.#told = true;
    this.#take(items);
  }

  /** What has come since. */
  add(items: readonly unknown[], missed: number): void {
    this.#missed += missed;
    this.#told = true;
    this.#take(items);
  }

  view(): View {
    this.#view ??= {
      latest: new Map(this.#latest),
      recent: [...this.#recent],
      missed: this.#missed,
      told: this.#told,
    };
    return this.#view;
  }

  #take(items: readonly unknown[]): void {
    this.#view = null;
    if (this.#key === null) {
      this.#recent.push(...items);
      this.#recent.splice(0, Math.max(0, this.#recent.length - MOST_LISTED));
      return;
    }
    for (const item of items) this.#latest.set(this.#key(item), item);
    for (const oldest of this.#latest.keys()) {
      if (this.#latest.size <= MOST_KEYED) break;
      this.#latest.delete(oldest);
    }
  }
}
