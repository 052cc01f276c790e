/** Where the price stands between stop and target: a small bar, and the two distances in words where one points. */
import { percent } from '@/format/numbers.ts';
import layout from './Layout.module.css';
import { distance, placeBetween } from './positions.ts';

interface LevelsProps {
  stop: string | null;
  target: string | null;
  price: number | null;
}

const WIDTH = 72;

export function Levels({ stop, target, price }: LevelsProps) {
  const place = placeBetween(stop, target, price);
  const words = `stop ${percent(distance(stop, price), 2, true)}, target ${percent(distance(target, price), 2, true)} from the price`;
  if (place === null) return <span title={words}>–</span>;
  return (
    <svg className={layout.levels} width={WIDTH} height={12} role="img" aria-label={words}>
      <title>{words}</title>
      <rect x={0} y={5} width={WIDTH} height={2} fill="var(--line)" />
      <rect x={0} y={2} width={2} height={8} fill="var(--down)" />
      <rect x={WIDTH - 2} y={2} width={2} height={8} fill="var(--up)" />
      <circle cx={4 + place * (WIDTH - 8)} cy={6} r={3.5} fill="var(--text)" />
    </svg>
  );
}
