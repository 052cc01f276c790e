import { expect, it } from 'vitest';
import { newerOf, newestFirst } from './merging.ts';

const fact = (event_id: string, event_time_ms: number, word = '') => ({ event_id, event_time_ms, word });

it('shows each fact once, newest first, as the stream told it', () => {
  const asked = [fact('b', 20, 'asked'), fact('a', 10)];
  const live = [fact('b', 20, 'live'), fact('c', 30)];
  expect(newestFirst(asked, live, 10).map((each) => each.event_id + each.word)).toEqual(['c', 'blive', 'a']);
  expect(newestFirst(asked, live, 1)).toHaveLength(1);
  expect(newestFirst([], [], 5)).toEqual([]);
});

it('of two words about the same thing, the newer one', () => {
  const [old, young] = [{ event_time_ms: 1 }, { event_time_ms: 2 }];
  expect(newerOf(old, young)).toBe(young);
  expect(newerOf(young, old)).toBe(young);
  expect(newerOf(undefined, old)).toBe(old);
  expect(newerOf(old, undefined)).toBe(old);
});
