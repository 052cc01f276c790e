/** What a change of the configuration would do, in numbers: before anybody says it. */
import { useQuery } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';
import { Problem, sentenceOf } from '@/api/problem.ts';
import { fixed, signed, toNumber } from '@/format/numbers.ts';
import { Mark } from '@/parts/Mark.tsx';
import type { Changes } from '../commands/commands.ts';
import classes from './Config.module.css';
import { titleOf } from './config.ts';

export type ConfigPreview = Schema<'ConfigPreview'>;

/** Null: there is nothing to look at. */
export function usePreview(changes: Changes | null) {
  return useQuery({
    queryKey: ['live', 'preview', changes],
    queryFn: async ({ signal }): Promise<ConfigPreview> => {
      const body = await bodyOf(api.POST('/api/live/config/preview', { body: changes ?? nothing, signal }));
      // The description lists the answers of all commands for each of these routes: 202 among them.
      if (!('after' in body)) throw new Problem(0, 'the gateway has not looked at it');
      return body;
    },
    enabled: changes !== null,
    retry: false,
    staleTime: 5_000,
  });
}

const nothing: Changes = { base_version: 0, changes: {} };

function Row({ name, before, after }: { name: string; before: string; after: string }) {
  const change = (toNumber(after) ?? 0) - (toNumber(before) ?? 0);
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{fixed(before, 2)}</td>
      <td>→</td>
      <td>
        <strong>{fixed(after, 2)}</strong>
      </td>
      <td>{change === 0 ? 'the same' : `${change > 0 ? '▲' : '▼'} ${signed(change, 2)}`}</td>
    </tr>
  );
}

/** Most that may be lost, held and bound, before and after. */
export function Figures({ preview }: { preview: ConfigPreview }) {
  const { before, after } = preview;
  return (
    <table className={classes.figures}>
      <caption className="visually-hidden">The most that the configuration allows, in USDT</caption>
      <tbody>
        <Row name="Worst case, all stops" before={before.most_risk} after={after.most_risk} />
        <Row name="Most notional" before={before.most_notional} after={after.most_notional} />
        <Row name="Most margin" before={before.most_margin} after={after.most_margin} />
      </tbody>
    </table>
  );
}

/** What differs, and what is held beyond what would be allowed. */
export function Differences({ preview }: { preview: ConfigPreview }) {
  return (
    <>
      <ul className={classes.differences}>
        {preview.changes.map((change) => (
          <li key={change.name}>
            {titleOf(change.name)}: {change.before || 'none'} → <strong>{change.after || 'none'}</strong>
          </li>
        ))}
      </ul>
      {preview.over_count > 0 && (
        <p className={classes.note}>
          ▲ {preview.over_count} more positions are open than would be allowed. They stay open: it counts for entries.
        </p>
      )}
      {preview.over_notional.length > 0 && (
        <p className={classes.note}>
          ▲ Held with more than would be allowed: {preview.over_notional.join(', ')}. That stays: it counts for entries.
        </p>
      )}
    </>
  );
}

export function PreviewPanel({ preview, error }: { preview: ConfigPreview | undefined; error: unknown }) {
  if (error instanceof Problem) {
    return (
      <p className={classes.refused} role="alert">
        ■ {sentenceOf(error)}
      </p>
    );
  }
  if (preview === undefined) return <p className={classes.note}>Change something to see what it would do.</p>;
  return (
    <div>
      {preview.raises_risk ? (
        <Mark tone="degraded">raises risk, or what may trade</Mark>
      ) : (
        <Mark tone="good">raises no risk</Mark>
      )}
      <Figures preview={preview} />
      <Differences preview={preview} />
    </div>
  );
}
