/** A score beside the bar that says how near the threshold it is; the line is the threshold. */
import { fixed } from '@/format/numbers.ts';
import classes from './Signals.module.css';

interface ScoreBarProps {
  score: number;
  threshold: number;
  direction: string;
}

const WIDTH = 48;

export function ScoreBar({ score, threshold, direction }: ScoreBarProps) {
  const colour = direction === 'long' ? 'var(--up)' : direction === 'short' ? 'var(--down)' : 'var(--dim)';
  const at = (value: number) => (Math.min(100, Math.max(0, value)) / 100) * WIDTH;
  const isReached = score >= threshold;
  return (
    <span className={classes.score} title={`${fixed(threshold, 0)} needed`}>
      {fixed(score, 1)}
      <svg className={classes.bar} width={WIDTH} height={10} aria-hidden="true">
        <rect x={0} y={2} width={WIDTH} height={6} fill="var(--neutral-ground)" />
        <rect x={0} y={2} width={at(score)} height={6} fill={colour} opacity={isReached ? 1 : 0.55} />
        <rect x={at(threshold) - 0.75} y={0} width={1.5} height={10} fill="var(--text)" />
      </svg>
    </span>
  );
}
