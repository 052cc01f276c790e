import { QueryClient } from '@tanstack/react-query';
import { beforeEach, expect, it } from 'vitest';
import { FIRST_WAIT_MS } from '@/stream/stream.ts';
import { World } from '@/stream/world.ts';
import { beginFilling } from './filling.ts';

let world: World;
let client: QueryClient;
let tasks: (() => void)[];

/** Which questions would be asked again. */
function stale(): string[] {
  for (const task of tasks.splice(0)) task();
  const found = client.getQueryCache().getAll();
  return found.filter(({ state }) => state.isInvalidated).map(({ queryKey }) => queryKey.join(' '));
}

beforeEach(async () => {
  world = new World();
  client = new QueryClient();
  tasks = [];
  client.setQueryData(['signals', 'newest', 60], {});
  client.setQueryData(['signals', 'of', 'BTCUSDT'], {});
  client.setQueryData(['users'], {});
  beginFilling(world.stream, client, { later: (task) => tasks.push(task), chance: () => 0 });
  world.stream.listen({ channel: 'signals' }, () => undefined);
  world.stream.begin();
  await world.welcome();
  world.say({ type: 'snapshot', id: 's1', channel: 'signals', sequence: 5, items: [] });
});

const lost = () =>
  world.say({ type: 'changes', id: 's1', channel: 'signals', after: 5, sequence: 9, missed: 3, items: [] });

it('asks nothing again while nothing is missed', () => {
  world.say({ type: 'changes', id: 's1', channel: 'signals', after: 5, sequence: 6, missed: 0, items: [] });
  expect(stale()).toEqual([]);
});

it('asks again every question about what went by unheard, and no other', () => {
  lost();
  expect(stale()).toEqual(['signals newest 60', 'signals of BTCUSDT']);
});

it('asks once for all that was missed at once', () => {
  lost();
  world.say({ type: 'changes', id: 's1', channel: 'signals', after: 9, sequence: 12, missed: 1, items: [] });
  expect(tasks).toHaveLength(1);
});

it('asks again after a gateway has started anew', async () => {
  world.socket.ears.closed(1012, 'restart');
  await world.pass(FIRST_WAIT_MS);
  await world.welcome('e2');
  world.say({ type: 'snapshot', id: 's1', channel: 'signals', sequence: 1, items: [] });
  expect(stale()).toEqual(['signals newest 60', 'signals of BTCUSDT']);
});

it('asks again what had failed while the gateway was away', async () => {
  const ask = { queryKey: ['about'], queryFn: () => Promise.reject(new Error('away')), retry: false };
  await client.fetchQuery(ask).catch(() => undefined);
  world.socket.ears.closed(1006, '');
  await world.pass(FIRST_WAIT_MS);
  await world.welcome();
  expect(stale()).toEqual(['about']);
});
