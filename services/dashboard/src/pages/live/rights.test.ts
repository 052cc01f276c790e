import { expect, test } from 'vitest';
import { rightsOf } from './rights.ts';

test('viewers look, traders trade, admins also set limits, and each is told why not', () => {
  expect(rightsOf('viewer', true)).toMatchObject({ mayTrade: false, mayConfigure: false });
  expect(rightsOf('viewer', true).why).toMatch(/local viewer/);
  expect(rightsOf('trader', false)).toMatchObject({ mayTrade: true, mayConfigure: false });
  expect(rightsOf('trader', false).why).toMatch(/admin/);
  expect(rightsOf('admin', false)).toEqual({ mayTrade: true, mayConfigure: true, why: null });
});
