/** The same as `allowance.ts`, of the account as it is now. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { askLiveSummary } from '@/api/queries.ts';
import { useNames } from '@/trading/knownNames.ts';
import { useLivePositions } from '@/trading/livePositions.ts';
import { askConfig } from '../asking.ts';
import { textsOf } from '../config/config.ts';
import { allowanceOf, allowanceWords } from './allowance.ts';

/** `symbol`: of it only; without one, of all that are followed. */
export function Allowed({ symbol }: { symbol?: string }) {
  const config = useQuery(askConfig).data;
  const summary = useQuery(askLiveSummary).data;
  const { symbols } = useNames();
  const { rows } = useLivePositions();
  const texts = useMemo(() => (config === undefined ? null : textsOf(config.document)), [config]);
  if (texts === null) return <p>How much may be entered then is not known: nobody has said what may trade.</p>;
  const standing = {
    open: Math.max(rows.length, summary?.open_trades ?? 0),
    held: rows.map((row) => row.symbol),
    symbols: symbol === undefined ? symbols : [symbol],
  };
  return (
    <p>
      <strong>{allowanceWords(allowanceOf(texts, standing))}</strong>
    </p>
  );
}
