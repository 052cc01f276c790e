/** Figures with their names, in a row that breaks where the screen ends. */
import type { ReactNode } from 'react';
import layout from './Layout.module.css';

export interface Stat {
  name: string;
  value: ReactNode;
  /** Beneath, small. */
  note?: ReactNode;
  /** Where one points: what exactly it is. */
  title?: string;
}

export function Stats({ stats }: { stats: readonly Stat[] }) {
  return (
    <dl className={layout.figures}>
      {stats.map((stat) => (
        <div key={stat.name} title={stat.title}>
          <dt>{stat.name}</dt>
          <dd>
            {stat.value}
            {stat.note !== undefined && <small>{stat.note}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
