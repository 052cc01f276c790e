import { beforeEach, describe, expect, it } from 'vitest';
import type { ServerMessage, Topic } from './protocol.ts';
import { DEAD_MS, FIRST_WAIT_MS, LINGER_MS, PING_MS, QUIET_MS } from './stream.ts';
import { World } from './world.ts';

const PRICES: Topic<'prices'> = { channel: 'prices' };
const SIGNALS: Topic<'signals'> = { channel: 'signals' };
const price = (symbol: string, mark: string) => ({ symbol, mark_price: mark });

let world: World;
let told: number;

beforeEach(() => {
  world = new World();
  told = 0;
});

const listen = (topic: Topic<'prices'> | Topic<'signals'> = PRICES) =>
  world.stream.listen(topic, () => {
    told += 1;
  });

async function begun(): Promise<void> {
  world.stream.begin();
  await world.welcome();
}

function changes(after: number, sequence: number, items: unknown[], missed = 0): ServerMessage {
  return { type: 'changes', id: 's1', channel: 'prices', after, sequence, missed, items };
}

describe('listening', () => {
  it('shares one subscription among all who listen to the same, and ends it a while after the last', async () => {
    await begun();
    const leave = [listen(), listen({ channel: 'prices', symbols: [] })];
    expect(world.asked('prices')).toHaveLength(1);
    leave[0]?.();
    await world.pass(LINGER_MS);
    expect(world.socket.sent.some(({ type }) => type === 'unsubscribe')).toBe(false);
    leave[1]?.();
    world.say({ type: 'pong', time_ms: 0 });
    await world.pass(LINGER_MS - 1);
    const again = listen(); // a page that was left for one that shows the same
    world.say({ type: 'pong', time_ms: 0 });
    await world.pass(2 * LINGER_MS);
    world.say({ type: 'pong', time_ms: 0 });
    expect(world.socket.sent.some(({ type }) => type === 'unsubscribe')).toBe(false);
    again();
    await world.pass(LINGER_MS);
    expect(world.socket.sent).toContainEqual({ type: 'unsubscribe', id: 's1' });
  });

  it('tells once a frame, however much has come, and shows the same object until then', async () => {
    await begun();
    listen();
    world.say({ type: 'snapshot', id: 's1', channel: 'prices', sequence: 5, items: [price('BTCUSDT', '1')] });
    world.say(changes(5, 6, [price('BTCUSDT', '2')]));
    world.say(changes(6, 9, [price('ETHUSDT', '3')]));
    expect(told).toBe(0);
    world.frame();
    expect(told).toBe(1);
    const view = world.stream.view(PRICES);
    expect(view.latest.get('BTCUSDT')).toEqual(price('BTCUSDT', '2'));
    expect(view.latest.get('ETHUSDT')).toEqual(price('ETHUSDT', '3'));
    expect(world.stream.view(PRICES)).toBe(view);
  });

  it('keeps lists in order and says what was missed', async () => {
    await begun();
    listen(SIGNALS);
    const signal = (event_id: string) => ({ event_id });
    world.say({ type: 'snapshot', id: 's1', channel: 'signals', sequence: 1, items: [signal('a')] });
    world.say({
      type: 'changes',
      id: 's1',
      channel: 'signals',
      after: 1,
      sequence: 4,
      missed: 2,
      items: [signal('d')],
    });
    const view = world.stream.view(SIGNALS);
    expect(view.recent).toEqual([signal('a'), signal('d')]);
    expect(view.missed).toBe(2);
    expect(view.told).toBe(true);
  });

  it('begins anew where something between was not heard, rather than show a hole as calm', async () => {
    await begun();
    listen();
    world.say({ type: 'snapshot', id: 's1', channel: 'prices', sequence: 5, items: [price('BTCUSDT', '1')] });
    world.say(changes(7, 8, [price('BTCUSDT', '9')]));
    expect(world.stream.view(PRICES).latest.get('BTCUSDT')).toEqual(price('BTCUSDT', '1'));
    expect(world.asked('prices').at(-1)).not.toHaveProperty('from');
  });
});

describe('a connection that drops', () => {
  it('comes back by itself, later each time, and goes on where it was', async () => {
    await begun();
    listen();
    world.say({ type: 'snapshot', id: 's1', channel: 'prices', sequence: 5, items: [price('BTCUSDT', '1')] });
    world.socket.ears.closed(1006, '');
    expect(world.stream.state()).toMatchObject({ kind: 'lost', since: world.now });
    await world.pass(FIRST_WAIT_MS);
    world.socket.ears.closed(1006, '');
    await world.pass(FIRST_WAIT_MS);
    expect(world.sockets).toHaveLength(2);
    await world.pass(FIRST_WAIT_MS);
    expect(world.sockets).toHaveLength(3);
    await world.welcome();
    expect(world.asked('prices')).toEqual([expect.objectContaining({ from: 5, epoch: 'e1' })]);
    expect(world.stream.view(PRICES).latest.size).toBe(1);
    world.say(changes(5, 6, [price('BTCUSDT', '2')]));
    expect(world.stream.view(PRICES).latest.get('BTCUSDT')).toEqual(price('BTCUSDT', '2'));
  });

  it('says since when, over all its attempts', async () => {
    await begun();
    await world.pass(700);
    world.socket.ears.closed(1006, '');
    await world.pass(5_000);
    expect(world.stream.state()).toMatchObject({ kind: 'lost', since: 1_000 });
  });

  it('forgets what a gateway that has started again does not know', async () => {
    await begun();
    listen();
    world.say({ type: 'snapshot', id: 's1', channel: 'prices', sequence: 5, items: [price('OLDUSDT', '1')] });
    world.socket.ears.closed(1012, 'restart');
    await world.pass(FIRST_WAIT_MS);
    await world.welcome('e2');
    world.say({ type: 'snapshot', id: 's1', channel: 'prices', sequence: 1, items: [price('BTCUSDT', '2')] });
    expect([...world.stream.view(PRICES).latest.keys()]).toEqual(['BTCUSDT']);
  });

  it('does not wait when the network is back', async () => {
    await begun();
    for (let drop = 0; drop < 6; drop += 1) {
      world.socket.ears.closed(1006, '');
      await world.pass(20_000);
    }
    world.socket.ears.closed(1006, '');
    const before = world.sockets.length;
    world.stream.hurry();
    await world.settle();
    expect(world.sockets).toHaveLength(before + 1);
  });

  it('is asked when it is quiet, doubted after two seconds, and given up', async () => {
    await begun();
    await world.pass(PING_MS);
    expect(world.socket.sent.at(-1)).toEqual({ type: 'ping' });
    world.say({ type: 'pong', time_ms: 0 });
    const heard = world.now;
    await world.pass(QUIET_MS - 1);
    expect(world.stream.isQuiet()).toBe(false);
    expect(world.stream.freshness().isFresh).toBe(true);
    await world.pass(1);
    expect(world.stream.isQuiet()).toBe(true);
    expect(world.stream.freshness()).toEqual({ isFresh: false, since: heard });
    await world.pass(DEAD_MS);
    expect(world.sockets[0]?.isClosed).toBe(true);
    expect(world.sockets.length).toBeGreaterThan(1);
    world.sockets[0]?.ears.hear('{"type":"welcome"}'); // the old one speaks after all: nobody listens
    expect(world.stream.state().kind).toBe('lost');
  });
});

describe('a session', () => {
  it('is renewed when it is refused, and a second refusal waits', async () => {
    await begun();
    world.socket.ears.closed(4401, 'the access has ended');
    await world.settle();
    expect(world.renewals).toEqual([false, true]);
    expect(world.sockets).toHaveLength(2);
    world.socket.ears.closed(4401, 'still');
    await world.settle();
    expect(world.sockets).toHaveLength(2);
  });

  it('that has ended ends the stream, and forgets what was heard', async () => {
    await begun();
    listen();
    world.say({ type: 'snapshot', id: 's1', channel: 'prices', sequence: 5, items: [price('BTCUSDT', '1')] });
    world.isSignedIn = false;
    world.socket.ears.closed(4401, 'banned');
    await world.settle();
    expect(world.stream.state().kind).toBe('off');
    expect(world.stream.view(PRICES).latest.size).toBe(0);
    expect(world.stream.view(PRICES).told).toBe(false); // an empty list would say that there is nothing
    await world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
  });

  it('cannot be known while the gateway is away: it is asked again', async () => {
    world.isReachable = false;
    world.stream.begin();
    await world.settle();
    expect(world.stream.state().kind).toBe('lost');
    world.isReachable = true;
    await world.pass(FIRST_WAIT_MS);
    await world.welcome();
    expect(world.stream.state().kind).toBe('live');
  });
});
