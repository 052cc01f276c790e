/** What a person may tell the account as a whole, and what the palette calls it; `/live?tell=NAME` opens its sheet. */
export const TOLD = ['pause', 'resume', 'flatten', 'enter', 'sync', 'lock', 'reset'] as const;
export type Told = (typeof TOLD)[number];

export const TOLD_NAMES: Record<Told, readonly [string, string]> = {
  pause: ['Pause entries…', 'Nothing new is opened'],
  resume: ['Resume entries…', 'Entries are allowed again'],
  flatten: ['Flatten all…', 'Close every position at market'],
  enter: ['Enter by hand…', 'Open a position with its stop'],
  sync: ['Reconcile…', 'Compare the books with the venue'],
  lock: ['Lock a symbol…', 'No entries in it for a while'],
  reset: ['Reset the circuit break…', 'After a break of a risk rule'],
};

export function pathOf(told: Told): string {
  return `/live?tell=${told}`;
}
