import { expect, test } from 'vitest';
import { Problem } from '@/api/problem.ts';
import { isProofNeeded } from '@/session/proving.tsx';
import { isCertain, Keys } from './telling.ts';

function counting(): Keys {
  let made = 0;
  return new Keys(() => `key ${++made}`);
}

test('the same command that is tried again has the same key', () => {
  const keys = counting();
  const first = keys.keyOf({ symbol: 'BTCUSDT', share: '0.5' });
  expect(keys.keyOf({ symbol: 'BTCUSDT', share: '0.5' })).toBe(first);
});

test('other content has another key', () => {
  const keys = counting();
  const first = keys.keyOf({ symbol: 'BTCUSDT', share: '0.5' });
  expect(keys.keyOf({ symbol: 'BTCUSDT', share: '0.25' })).not.toBe(first);
});

test('what is said again after it was carried out is another command', () => {
  const keys = counting();
  const first = keys.keyOf({ symbol: 'BTCUSDT' });
  keys.forget();
  expect(keys.keyOf({ symbol: 'BTCUSDT' })).not.toBe(first);
});

test('a refusal is certain, a broken connection and a gateway that fails are not', () => {
  expect(isCertain(new Problem(409, 'refused'))).toBe(true);
  expect(isCertain(new Problem(0, 'the gateway cannot be reached'))).toBe(false);
  expect(isCertain(new Problem(503, 'Kafka does not answer'))).toBe(false);
});

test('a missing second factor is told from a missing right', () => {
  expect(isProofNeeded(new Problem(403, 'give the code', 'second-factor-needed'))).toBe(true);
  expect(isProofNeeded(new Problem(403, 'a trader may'))).toBe(false);
});
