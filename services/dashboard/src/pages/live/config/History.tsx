/** Who changed what may trade, newest first. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Ago } from '@/parts/Ago.tsx';
import { askConfigHistory } from '../asking.ts';
import classes from './Config.module.css';
import { changesOf, textsOf, titleOf } from './config.ts';

const SHOWN = 8;

export function History() {
  const { data } = useQuery(askConfigHistory);
  const rows = useMemo(() => {
    const versions = data?.rows ?? [];
    return versions.slice(0, SHOWN).map((row, index) => ({
      row,
      changes: changesOf(textsOf(versions[index + 1]?.document ?? {}), textsOf(row.document)),
    }));
  }, [data]);
  if (rows.length === 0) return null;
  return (
    <section aria-label="Versions">
      <ul className={classes.differences}>
        {rows.map(({ row, changes }) => (
          <li key={row.version}>
            {row.version} by {row.changed_by ?? 'nobody'} <Ago ms={row.changed_at_ms} />
            {row.reason ? ` (${row.reason})` : ''}:{' '}
            {Object.entries(changes)
              .map(([name, value]) => `${titleOf(name)} ${value || 'none'}`)
              .join(', ') || 'nothing that is shown here'}
          </li>
        ))}
      </ul>
    </section>
  );
}
