/** What each rule of the guard sees, and how near it is to its limit. */
import { Mark } from '@/parts/Mark.tsx';
import { spoken } from './names.ts';
import classes from './Risk.module.css';
import { byRule, LEVEL_TONES, type Measure, share } from './risk.ts';

function Gauge({ measure }: { measure: Measure }) {
  const part = share(measure);
  const words = part === null ? 'not known' : `${Math.round(part * 100)} % of its limit, a break at ${measure.breach}`;
  const colour =
    measure.level === 'break' ? 'var(--danger-ground)' : measure.level === 'normal' ? 'var(--dim)' : 'var(--degraded)';
  return (
    <svg className={classes.gauge} role="img" aria-label={words}>
      <title>{words}</title>
      <rect width="100%" height="8" rx="2" fill="var(--neutral-ground)" />
      {part !== null && <rect width={`${Math.min(100, part * 100)}%`} height="8" rx="2" fill={colour} />}
    </svg>
  );
}

interface MeasuresProps {
  measures: readonly Measure[];
  /** Only so many rules, the gravest. */
  most?: number;
}

export function Measures({ measures, most = Number.POSITIVE_INFINITY }: MeasuresProps) {
  return (
    <ul className={classes.measures}>
      {byRule(measures)
        .slice(0, most)
        .map(({ measure, others }) => (
          <li
            key={measure.rule}
            className={classes.measure}
            data-level={measure.level}
            title={[measure, ...others].map((each) => each.sentence).join('\n')}
          >
            <span>
              {measure.level === 'normal' ? (
                spoken(measure.rule)
              ) : (
                <Mark tone={LEVEL_TONES[measure.level]}>{spoken(measure.rule)}</Mark>
              )}
            </span>
            <Gauge measure={measure} />
            <span className={classes.words}>
              {measure.sentence}
              {others.length > 0 && `, and ${others.length} more`}
            </span>
          </li>
        ))}
    </ul>
  );
}
