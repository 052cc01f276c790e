/**
 * The client of `/api/stream`: one socket for the whole page. Whoever listens to the same topic shares a subscription; after a drop
 * each goes on where it was. What comes is kept at once, and told to components once a frame.
 */
import { FRESH, type Freshness, freshnessOf, STATUS } from './freshness.ts';
import { Memory, NOTHING, type View } from './memory.ts';
import {
  type Channel,
  type ClientMessage,
  type ItemOf,
  nameOf,
  type ServerMessage,
  type Topic,
  type Welcome,
} from './protocol.ts';

/** A WebSocket, as much of it as is used. */
export interface Socket {
  send(text: string): void;
  close(): void;
}

/** What a socket tells: texts, and once that it is closed. */
export interface Ears {
  hear(text: string): unknown;
  closed(code: number, reason: string): unknown;
}

/** What the client needs of the world. `renew`: a session that is good now; false: nobody is signed in. */
export interface Ports {
  open(ears: Ears): Socket;
  renew(rejected: boolean): Promise<boolean>;
  now(): number;
  later(task: () => void, ms: number): () => void;
  frame(task: () => void): void;
  /** In [0, 1): spreads those who come back at once. */
  chance(): number;
}

export type StreamState =
  | { kind: 'off'; why: string | null }
  | { kind: 'connecting'; since: number }
  | { kind: 'live'; since: number; welcome: Welcome }
  | { kind: 'lost'; since: number; again: number; why: string };

/** Nothing heard for so long: is it still there? And then: what stands on the page is old, which is seen within two seconds. */
export const PING_MS = 700;
export const QUIET_MS = 1_600;
export const DEAD_MS = 8_000;
/** A busy gateway lets one in late. */
export const WELCOME_MS = 30_000;
/** Whoever leaves a page often comes to one that listens to the same. */
export const LINGER_MS = 2_000;
export const FIRST_WAIT_MS = 250;
export const MOST_WAIT_MS = 10_000;
const SIGNED_OUT = 4401;
const NOT_ALLOWED = 4403;

interface Subscription {
  readonly id: string;
  readonly topic: Topic<Channel>;
  readonly memory: Memory;
  readonly listeners: Set<() => void>;
  sequence: number | null;
  epoch: string | null;
  leave: (() => void) | null;
}

export class Stream {
  readonly #ports: Ports;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #byId = new Map<string, Subscription>();
  readonly #watchers = new Set<() => void>();
  readonly #dirty = new Set<Subscription>();
  #state: StreamState = { kind: 'off', why: null };
  #socket: Socket | null = null;
  readonly #missing = new Set<(channel: Channel) => void>();
  #heard: number | null = null;
  #news: number | null = null;
  /** From when on something should be heard. */
  #waiting = 0;
  #freshness = FRESH;
  /** Drops in a row. */
  #attempt = 0;
  /** Of `#connect`: only the last one goes on. */
  #connection = 0;
  #ids = 0;
  #isAwaitingFrame = false;
  #isQuiet = false;
  #cancelRetry: (() => void) | null = null;
  #cancelWatch: (() => void) | null = null;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Connect, and come back after each drop until `end`. */
  begin(): void {
    if (this.#state.kind !== 'off') return;
    this.#attempt = 0;
    void this.#connect(false);
  }

  /** Nobody is signed in any more: what was heard is forgotten. */
  end(why: string | null = null): void {
    this.#drop();
    [this.#heard, this.#news] = [null, null];
    for (const each of this.#subscriptions.values()) {
      each.sequence = null;
      each.memory.forget();
      this.#touch(each);
    }
    this.#become({ kind: 'off', why });
  }

  /** The machine says that the network is back: do not wait. */
  hurry(): void {
    if (this.#state.kind === 'lost') void this.#connect(false);
  }

  state(): StreamState {
    return this.#state;
  }

  /** Whether nothing has been heard for so long that what is shown may be old. */
  isQuiet(): boolean {
    return this.#isQuiet;
  }

  /** When anything was heard last; null: never. */
  heardAt(): number | null {
    return this.#heard;
  }

  /** Whether what is shown is news; the same object until that changes. */
  freshness(): Freshness {
    const status = this.view(STATUS).latest.get('kafka') as ItemOf<'status'> | undefined;
    const { kind } = this.#state;
    const now = freshnessOf({ kind, isQuiet: this.#isQuiet, heardAt: this.#heard, newsAt: this.#news, status });
    const { isFresh, since } = this.#freshness;
    if (now.isFresh !== isFresh || now.since !== since) this.#freshness = now;
    return this.#freshness;
  }

  /** Tells of which channel something went by unheard: REST has it. */
  onMissing(listener: (channel: Channel) => void): () => void {
    this.#missing.add(listener);
    return () => this.#missing.delete(listener);
  }

  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** What a topic has told; the same object until something comes. */
  view(topic: Topic<Channel>): View {
    return this.#subscriptions.get(nameOf(topic))?.memory.view() ?? NOTHING;
  }

  /** Listen to a topic; the answer ends that. */
  listen(topic: Topic<Channel>, listener: () => void): () => void {
    const subscription = this.#subscriptions.get(nameOf(topic)) ?? this.#subscribed(topic);
    subscription.leave?.();
    subscription.leave = null;
    subscription.listeners.add(listener);
    return () => {
      subscription.listeners.delete(listener);
      if (subscription.listeners.size > 0 || subscription.leave !== null) return;
      subscription.leave = this.#ports.later(() => this.#unsubscribe(subscription), LINGER_MS);
    };
  }

  #subscribed(topic: Topic<Channel>): Subscription {
    this.#ids += 1;
    const subscription: Subscription = {
      id: `s${this.#ids}`,
      topic,
      memory: new Memory(topic.channel),
      listeners: new Set(),
      sequence: null,
      epoch: null,
      leave: null,
    };
    this.#subscriptions.set(nameOf(topic), subscription);
    this.#byId.set(subscription.id, subscription);
    this.#ask(subscription);
    return subscription;
  }

  #unsubscribe(subscription: Subscription): void {
    this.#subscriptions.delete(nameOf(subscription.topic));
    this.#byId.delete(subscription.id);
    if (this.#state.kind === 'live') this.#send({ type: 'unsubscribe', id: subscription.id });
  }

  #ask(subscription: Subscription): void {
    if (this.#state.kind !== 'live') return; // the welcome asks for all
    const { id, topic, sequence, epoch } = subscription;
    const place = sequence === null || epoch === null ? {} : { from: sequence, epoch };
    this.#send({
      type: 'subscribe',
      id,
      channel: topic.channel,
      symbols: [...(topic.symbols ?? [])],
      strategies: [...(topic.strategies ?? [])],
      ...place,
    });
  }

  #send(message: ClientMessage): void {
    this.#socket?.send(JSON.stringify(message));
  }

  async #connect(rejected: boolean): Promise<void> {
    this.#drop();
    const connection = this.#connection;
    if (this.#state.kind !== 'lost') this.#become({ kind: 'connecting', since: this.#ports.now() });
    this.#waiting = this.#ports.now();
    this.#watch();
    const isSignedIn = await this.#ports.renew(rejected).catch(() => null);
    if (connection !== this.#connection) return; // it was ended meanwhile, or another one has begun
    if (isSignedIn === null) return this.#retry('the gateway does not answer');
    if (!isSignedIn) return this.end('nobody is signed in');
    const socket = this.#ports.open({
      hear: (text) => socket === this.#socket && this.#hear(text),
      closed: (code, reason) => socket === this.#socket && this.#closed(code, reason),
    });
    this.#socket = socket;
  }

  #hear(text: string): void {
    this.#heard = this.#waiting = this.#ports.now();
    this.#setQuiet(false);
    const message = JSON.parse(text) as ServerMessage;
    if (message.type === 'welcome') {
      this.#attempt = 0;
      this.#become({ kind: 'live', since: this.#ports.now(), welcome: message });
      this.#watch();
      for (const each of this.#subscriptions.values()) this.#ask(each);
    } else if (message.type === 'snapshot' || message.type === 'changes') {
      const subscription = this.#byId.get(message.id);
      if (subscription !== undefined) this.#take(subscription, message);
    }
  }

  #take(subscription: Subscription, message: Extract<ServerMessage, { sequence: number }>): void {
    if (this.#state.kind !== 'live') return;
    let isMissing = false;
    if (message.type === 'snapshot') {
      isMissing = subscription.memory.isTold();
      subscription.memory.restart(message.items);
    } else if (subscription.sequence !== null && message.after !== subscription.sequence) {
      // Something between was not heard here: begin anew rather than show a hole as calm.
      subscription.sequence = null;
      return this.#ask(subscription);
    } else {
      isMissing = message.missed > 0;
      subscription.memory.add(message.items, message.missed);
      if (message.channel !== 'status') this.#news = this.#heard;
    }
    subscription.sequence = message.sequence;
    subscription.epoch = this.#state.welcome.epoch;
    this.#touch(subscription);
    if (isMissing) for (const listener of this.#missing) listener(message.channel);
  }

  #touch(subscription: Subscription): void {
    this.#dirty.add(subscription);
    if (this.#isAwaitingFrame) return;
    this.#isAwaitingFrame = true;
    this.#ports.frame(() => {
      this.#isAwaitingFrame = false;
      const touched = [...this.#dirty];
      this.#dirty.clear();
      for (const each of touched) for (const listener of each.listeners) listener();
    });
  }

  #closed(code: number, reason: string): void {
    this.#drop();
    if (code === NOT_ALLOWED) return this.end(reason || 'reading is not allowed');
    if (code === SIGNED_OUT && this.#attempt === 0) {
      this.#attempt = 1; // a second refusal in a row waits like any other trouble
      this.#become({ kind: 'lost', since: this.#lostSince(), again: this.#ports.now(), why: reason });
      void this.#connect(true);
      return;
    }
    this.#retry(reason || 'the connection broke');
  }

  #retry(why: string): void {
    this.#drop();
    const span = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#attempt);
    const wait = span * (0.5 + this.#ports.chance() / 2);
    this.#attempt += 1;
    this.#become({ kind: 'lost', since: this.#lostSince(), again: this.#ports.now() + wait, why });
    this.#cancelRetry = this.#ports.later(() => void this.#connect(false), wait);
  }

  #lostSince(): number {
    const since = this.#state.kind === 'lost' || this.#state.kind === 'connecting' ? this.#state.since : null;
    return this.#heard ?? since ?? this.#ports.now();
  }

  /** A connection that says nothing is asked, then doubted, then given up; each to the millisecond. */
  #watch(): void {
    this.#cancelWatch?.();
    const silence = this.#ports.now() - this.#waiting;
    const isLive = this.#state.kind === 'live';
    const most = isLive ? DEAD_MS : WELCOME_MS;
    const next = isLive && silence < PING_MS ? PING_MS : silence < QUIET_MS ? QUIET_MS : silence + PING_MS;
    this.#cancelWatch = this.#ports.later(() => this.#look(), Math.min(next, most) - silence);
  }

  #look(): void {
    const silence = this.#ports.now() - this.#waiting;
    const isLive = this.#state.kind === 'live';
    if (silence >= (isLive ? DEAD_MS : WELCOME_MS)) return this.#retry('nothing was heard');
    if (silence >= PING_MS && isLive) this.#send({ type: 'ping' });
    this.#setQuiet(silence >= QUIET_MS);
    this.#watch();
  }

  /** Whatever was begun goes on no more. */
  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#connection += 1;
    this.#cancelWatch?.();
    this.#cancelRetry?.();
    socket?.close();
  }

  #setQuiet(isQuiet: boolean): void {
    if (this.#isQuiet === isQuiet) return;
    this.#isQuiet = isQuiet;
    for (const watcher of this.#watchers) watcher();
  }

  #become(state: StreamState): void {
    this.#state = state;
    this.#isQuiet = false;
    for (const watcher of this.#watchers) watcher();
  }
}
