/** What a signal looked at, as rows: a figure, how old it was, and how much of its window was known. */
import { toNumber } from '@/format/numbers.ts';

export interface InputRow {
  name: string;
  value: string | null;
  /** Of a slow input, when it was looked at; null: computed from the trades up to that instant. */
  ageMs: number | null;
  /** 0 to 1; null: it has no window. */
  coverage: number | null;
}

const AGE = '_age_ms';
const WINDOW = /_(5m|30m|4h)$/;

function text(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}

/** Coverage is named like the window, or like the input itself. */
function coverageOf(name: string, coverage: Readonly<Record<string, number>>): number | null {
  return coverage[name] ?? coverage[WINDOW.exec(name)?.[1] ?? ''] ?? null;
}

export function inputRows(
  inputs: Readonly<Record<string, unknown>>,
  coverage: Readonly<Record<string, number>>,
): InputRow[] {
  return Object.entries(inputs)
    .filter(([name]) => !(name.endsWith(AGE) && name.slice(0, -AGE.length) in inputs))
    .map(([name, value]) => ({
      name,
      value: text(value),
      ageMs: toNumber(text(inputs[`${name}${AGE}`])),
      coverage: coverageOf(name, coverage),
    }));
}
