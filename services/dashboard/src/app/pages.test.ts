import { expect, it } from 'vitest';
import paths from '../../paths.json' with { type: 'json' };
import { safeNext } from './next.ts';
import { PAGES, pagesFor } from './pages.tsx';

it('has a page for each path that the gateway answers with it, and no other one', () => {
  expect(PAGES.map((page) => page.path).sort()).toEqual([...paths].sort());
});

it('gives each page of the rail a key of its own, and none that begins a sequence', () => {
  const keys = PAGES.map((page) => page.key).filter((key) => key !== undefined);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).not.toContain('g');
});

it('shows pages of administrators to no one else, and strangers only what is public', () => {
  const names = (role: 'viewer' | 'trader' | 'admin' | null) => pagesFor(role).map((page) => page.path);
  expect(names('admin')).toContain('/users');
  expect(names('trader')).not.toContain('/users');
  expect(names('viewer')).toContain('/live');
  expect(names(null)).toEqual(['/about']);
});

it('returns after a log-in only to paths of its own', () => {
  expect(safeNext('/signals?strategy=v52')).toBe('/signals?strategy=v52');
  for (const foreign of [null, '', 'https://evil.example', '//evil.example', '/\\evil.example', '/login?next=/'])
    expect(safeNext(foreign)).toBe('/');
});
