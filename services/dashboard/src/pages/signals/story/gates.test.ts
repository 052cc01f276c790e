import { expect, test } from 'vitest';
import { gatesOf, refusalOf } from './gates.ts';

const SENTENCE = 'Long BTCUSDT, score 78 of 75 needed: taker buying; refused because open interest was 4 minutes old';

test('gates before the one that was shut have passed, those behind it were not looked at', () => {
  const states = gatesOf('stale_input', SENTENCE).map((gate) => gate.state);
  expect(states).toEqual(['passed', 'passed', 'shut', ...Array(4).fill('not looked at')]);
});

test('the gate that was shut says why in the words of the sentence', () => {
  const shut = gatesOf('stale_input', SENTENCE).find((gate) => gate.state === 'shut');
  expect(shut).toMatchObject({ name: 'data', words: 'open interest was 4 minutes old' });
});

test('a signal that was emitted has passed them all', () => {
  expect(gatesOf(null, 'Long BTCUSDT').every((gate) => gate.state === 'passed')).toBe(true);
  expect(refusalOf('Long BTCUSDT')).toBe('');
});

test('a reason that this page does not know is still shown, and claims nothing of the other gates', () => {
  const gates = gatesOf('moon_phase', SENTENCE);
  expect(gates.at(-1)).toMatchObject({ name: 'moon phase', state: 'shut' });
  expect(gates.filter((gate) => gate.state === 'passed')).toEqual([]);
});
