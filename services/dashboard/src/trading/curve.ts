/** Curves over time as a chart takes them: one line a name, each second once, in order. */

export interface CurvePoint {
  timeMs: number;
  value: number;
}

export interface Curve {
  name: string;
  points: readonly CurvePoint[];
}

/** Rows as one curve a name, in the order in which names come. */
export function curvesOf<Row>(
  rows: readonly Row[],
  nameOf: (row: Row) => string,
  pointOf: (row: Row) => CurvePoint | null,
): Curve[] {
  const curves = new Map<string, CurvePoint[]>();
  for (const row of rows) {
    const point = pointOf(row);
    if (point === null || !Number.isFinite(point.value)) continue;
    const points = curves.get(nameOf(row)) ?? [];
    points.push(point);
    curves.set(nameOf(row), points);
  }
  return [...curves].map(([name, points]) => ({ name, points }));
}

/** The deepest fall from a peak, in the curve's units and as a share of the peak; 0 where it never fell. */
export function deepestFall(points: readonly CurvePoint[]): { fall: number; share: number } {
  let peak = Number.NEGATIVE_INFINITY;
  let deepest = { fall: 0, share: 0 };
  for (const { value } of points) {
    peak = Math.max(peak, value);
    if (peak - value > deepest.fall) deepest = { fall: peak - value, share: peak > 0 ? (peak - value) / peak : 0 };
  }
  return deepest;
}
