/** For tests of the stream. */
import type { ServerMessage } from './protocol.ts';
import { type Ears, Stream } from './stream.ts';

/** A world of one gateway: sockets that a test speaks through, a clock and frames that it moves. */
export class World {
  now = 1_000;
  isSignedIn = true;
  isReachable = true;
  readonly sockets: { ears: Ears; sent: Record<string, unknown>[]; isClosed: boolean }[] = [];
  #tasks: { at: number; task: () => void }[] = [];
  #frames: (() => void)[] = [];
  renewals: boolean[] = [];

  readonly stream = new Stream({
    open: (ears) => {
      const socket = { ears, sent: [] as Record<string, unknown>[], isClosed: false };
      this.sockets.push(socket);
      return {
        send: (text) => socket.sent.push(JSON.parse(text) as Record<string, unknown>),
        close: () => {
          socket.isClosed = true;
        },
      };
    },
    renew: async (rejected) => {
      this.renewals.push(rejected);
      if (!this.isReachable) throw new Error('away');
      return this.isSignedIn;
    },
    now: () => this.now,
    later: (task, ms) => {
      const planned = { at: this.now + ms, task };
      this.#tasks.push(planned);
      return () => {
        this.#tasks = this.#tasks.filter((each) => each !== planned);
      };
    },
    frame: (task) => this.#frames.push(task),
    chance: () => 1,
  });

  get socket() {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error('no socket was opened');
    return last;
  }

  /** What was asked for, by channel. */
  asked(channel: string) {
    return this.socket.sent.filter((each) => each.type === 'subscribe' && each.channel === channel);
  }

  say(message: ServerMessage): void {
    this.socket.ears.hear(JSON.stringify(message));
  }

  frame(): void {
    for (const task of this.#frames.splice(0)) task();
  }

  /** Let time go on, with all that was planned meanwhile. */
  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      const next = this.#tasks.filter(({ at }) => at <= until).sort((one, other) => one.at - other.at)[0];
      if (next === undefined) break;
      this.#tasks = this.#tasks.filter((each) => each !== next);
      this.now = next.at;
      next.task();
      await this.settle();
    }
    this.now = until;
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  }

  async welcome(epoch = 'e1'): Promise<void> {
    await this.settle();
    this.say({
      type: 'welcome',
      epoch,
      name: 'ada',
      role: 'viewer',
      channels: [],
      heartbeat_ms: 15_000,
      time_ms: this.now,
    });
  }
}
