/** Where an instant is on a time axis that has a place only for candles, and none after the last one. */

export interface Axis {
  /** Open times of the first and the last candle, and what one takes, ms. */
  first: number;
  last: number;
  length: number;
  /** Of a candle, or of the next one that has a place; the last one's beyond it. */
  placeOf(time: number): number | null;
}

/** The candle that an instant is in, as a place; null before the first one. What is after the last one counts to it. */
export function candleAt(time: number, axis: Axis): number | null {
  if (time < axis.first) return null;
  return axis.placeOf(Math.min(Math.floor(time / axis.length) * axis.length, axis.last));
}

/** The edge before a candle; after the last one time goes on evenly. */
function edgeBefore(open: number, axis: Axis): number | null {
  if (open <= axis.last) {
    const place = axis.placeOf(open);
    return place === null ? null : place - 0.5;
  }
  const last = axis.placeOf(axis.last);
  return last === null ? null : last + (open - axis.last) / axis.length - 0.5;
}

/** The candles that a stretch touches, from edge to edge; null where none of it is on the axis. */
export function stretchOf(from: number, to: number, axis: Axis): [number, number] | null {
  if (to <= axis.first) return null;
  const { length } = axis;
  const left = edgeBefore(Math.max(axis.first, Math.floor(from / length) * length), axis);
  const right = edgeBefore(Math.ceil(to / length) * length, axis);
  return left === null || right === null ? null : [left, Math.max(left, right)];
}

const DAY_MS = 86_400_000;

/** Until when the market's time has come: by our clock, or, where a recording is played, as far behind it as what was heard. */
export function marketNow(now: number, newest: number, least: number | null): number {
  return now - newest < DAY_MS ? now : now - (least ?? now - newest);
}
