/** What is drawn is asked for by stretches of time, which stay the same while one scrolls within them. */

/** Candles of a stretch. */
const CANDLES = 240;
/** So many at once, the newest: more cannot be told apart on a screen. */
const MOST = 16;

export interface Stretched {
  from: number;
  to: number;
}

/** The stretches that a span touches, oldest first. */
export function stretchesOf(from: number, to: number, length: number): Stretched[] {
  const size = CANDLES * length;
  const last = Math.floor(to / size);
  const first = Math.max(Math.floor(from / size), last - MOST + 1);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => {
    const begin = (first + index) * size;
    return { from: begin, to: begin + size };
  });
}

/** What is found of a time may come so much after it. */
const LATE_MS = 60_000;

/** Whether an answer has seen all of a stretch: one from while it ran has not. */
export function isOver(to: number, answeredAt: number): boolean {
  return answeredAt > to + LATE_MS;
}

/** Whether both touch the same ones. */
export function isSameStretches(one: Stretched, other: Stretched, length: number): boolean {
  const [before, after] = [one, other].map(({ from, to }) => stretchesOf(from, to, length));
  return before?.length === after?.length && before?.[0]?.from === after?.[0]?.from;
}

/** All pages of a list, but no more than so many. */
export async function pagesOf<Page extends { next_cursor: string | null }>(
  ask: (cursor: string | null) => Promise<Page>,
  most: number,
): Promise<Page[]> {
  const pages: Page[] = [];
  let cursor: string | null = null;
  do {
    const page: Page = await ask(cursor);
    pages.push(page);
    cursor = page.next_cursor;
  } while (cursor !== null && pages.length < most);
  return pages;
}

/** Of all of them each once; the first word counts. */
export function once<Row>(rows: readonly Row[], idOf: (row: Row) => string): Row[] {
  const known = new Map<string, Row>();
  for (const row of rows) if (!known.has(idOf(row))) known.set(idOf(row), row);
  return [...known.values()];
}
