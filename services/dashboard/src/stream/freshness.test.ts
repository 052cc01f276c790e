import { beforeEach, describe, expect, it } from 'vitest';
import { isNewer, oldSince } from './freshness.ts';
import type { ServerMessage, Topic } from './protocol.ts';
import { FIRST_WAIT_MS, PING_MS } from './stream.ts';
import { World } from './world.ts';

const PRICES: Topic<'prices'> = { channel: 'prices' };
const price = (symbol: string, mark: string) => ({ symbol, mark_price: mark });

let world: World;

beforeEach(() => {
  world = new World();
});

const listen = () => world.stream.listen(PRICES, () => undefined);

async function begun(): Promise<void> {
  world.stream.begin();
  await world.welcome();
}

function changes(after: number, sequence: number, items: unknown[], missed = 0): ServerMessage {
  return { type: 'changes', id: 's1', channel: 'prices', after, sequence, missed, items };
}

describe('a connection that is begun again', () => {
  it('is lost since the last word, however often it connects without hearing one', async () => {
    await begun();
    world.say({ type: 'pong', time_ms: 0 });
    const heard = world.now;
    await world.pass(500);
    world.socket.ears.closed(1006, '');
    await world.pass(10 * FIRST_WAIT_MS);
    expect(world.sockets.length).toBeGreaterThan(1);
    expect(world.stream.heardAt()).toBe(heard);
    expect(world.stream.freshness()).toEqual({ isFresh: false, since: heard });
  });

  it('keeps one socket when it is hurried again before the welcome, and hears that one only', async () => {
    await begun();
    world.socket.ears.closed(1006, '');
    for (let turn = 0; turn < 3; turn += 1) {
      world.stream.hurry();
      world.stream.hurry();
      await world.settle();
    }
    expect(world.sockets.filter(({ isClosed }) => !isClosed)).toHaveLength(1);
    expect(world.sockets).toHaveLength(4);
    world.sockets[2]?.ears.closed(1006, 'an old one');
    await world.welcome();
    expect(world.stream.state().kind).toBe('live');
    const { length } = world.sockets;
    await world.pass(PING_MS);
    world.say({ type: 'pong', time_ms: 0 });
    expect(world.sockets).toHaveLength(length); // no wait of an attempt before is left
  });
});

describe('what went by unheard', () => {
  let missing: string[];

  beforeEach(async () => {
    missing = [];
    world.stream.onMissing((channel) => missing.push(channel));
    await begun();
    listen();
    world.say({ type: 'snapshot', id: 's1', channel: 'prices', sequence: 5, items: [price('BTCUSDT', '1')] });
  });

  it('is nothing after the first snapshot and with changes that follow each other', () => {
    world.say(changes(5, 6, [price('BTCUSDT', '2')]));
    expect(missing).toEqual([]);
  });

  it('is told of a gateway that has started again', async () => {
    world.socket.ears.closed(1012, 'restart');
    await world.pass(FIRST_WAIT_MS);
    await world.welcome('e2');
    world.say({ type: 'snapshot', id: 's1', channel: 'prices', sequence: 1, items: [price('BTCUSDT', '2')] });
    expect(missing).toEqual(['prices']);
  });

  it('is told where the gateway says how much it has dropped', () => {
    world.say(changes(5, 9, [price('BTCUSDT', '2')], 3));
    expect(missing).toEqual(['prices']);
  });
});

describe('whether it is news', () => {
  it('is not while the gateway does not hear Kafka, since the last fact and not the last pong', async () => {
    await begun();
    listen();
    world.stream.listen({ channel: 'status' }, () => undefined);
    const status = (following: boolean): ServerMessage => ({
      type: 'snapshot',
      id: 's2',
      channel: 'status',
      sequence: 1,
      items: [{ following, detail: '' }],
    });
    world.say(status(true));
    world.say({ type: 'snapshot', id: 's1', channel: 'prices', sequence: 5, items: [] });
    world.say(changes(5, 6, [price('BTCUSDT', '2')]));
    const news = world.now;
    await world.pass(500);
    world.say(status(false));
    expect(world.stream.freshness()).toEqual({ isFresh: false, since: news });
    expect(world.stream.freshness()).toBe(world.stream.freshness());
    world.say(status(true));
    expect(world.stream.freshness().isFresh).toBe(true);
  });

  it('is not where no gateway answers, and then nothing has been heard', async () => {
    world.isReachable = false;
    world.stream.begin();
    expect(world.stream.freshness().isFresh).toBe(true); // it has just begun
    await world.settle();
    expect(world.stream.freshness()).toEqual({ isFresh: false, since: null });
  });

  it('knows whose word is newer once the stream has ceased', () => {
    expect(isNewer({ isFresh: true, since: null }, 9_000)).toBe(true);
    expect(isNewer({ isFresh: false, since: 5_000 }, 4_000)).toBe(true);
    expect(isNewer({ isFresh: false, since: 5_000 }, 6_000)).toBe(false);
    expect(isNewer({ isFresh: false, since: null }, 6_000)).toBe(false);
  });
});

describe('the age of one price', () => {
  const fresh = { isFresh: true, since: null };

  it('counts from its own time, by the venue’s clock', () => {
    expect(oldSince(10_000, { now: 14_900, ahead: 0, freshness: fresh })).toBe(null);
    expect(oldSince(10_000, { now: 15_100, ahead: 0, freshness: fresh })).toBe(10_000);
    expect(oldSince(10_000, { now: 75_000, ahead: 61_000, freshness: fresh })).toBe(null); // this machine is a minute ahead
    expect(oldSince(10_000, { now: 77_000, ahead: 61_000, freshness: fresh })).toBe(71_000);
  });

  it('is old at once where nothing is heard', () => {
    expect(oldSince(10_000, { now: 10_500, ahead: 0, freshness: { isFresh: false, since: 10_200 } })).toBe(10_000);
  });
});
