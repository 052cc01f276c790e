/** What became of signals, by their ids: what was told with a page of them, and what trades have done since. */
import type { Schema } from '@/api/client.ts';
import { toNumber } from '@/format/numbers.ts';

export type Outcome = Schema<'SignalOutcomeAnswer'>;
export type Outcomes = ReadonlyMap<string, readonly Outcome[]>;

type PaperTrade = Pick<
  Schema<'PaperTradeAnswer'>,
  'trade_id' | 'signal_id' | 'state' | 'reason' | 'net' | 'net_r' | 'entry_time_ms'
>;
type LiveTrade = Pick<
  Schema<'LiveTradeAnswer'>,
  'account' | 'trade_id' | 'signal_id' | 'state' | 'reason' | 'exit_reason' | 'pnl_quote' | 'pnl_r' | 'entry_time_ms'
>;

interface Told {
  signals: readonly { event_id: string; outcomes: readonly Outcome[] }[];
  paper: readonly PaperTrade[];
  live: readonly LiveTrade[];
}

function ofPaper({ trade_id, state, reason, net, net_r, entry_time_ms }: PaperTrade): Outcome {
  const made = entry_time_ms === null ? { net: null, net_r: null } : { net, net_r };
  return { books: 'paper', account: null, trade_id, state, reason, ...made };
}

function ofLive(trade: LiveTrade): Outcome {
  const { account, trade_id, state } = trade;
  const made =
    trade.entry_time_ms === null ? { net: null, net_r: null } : { net: trade.pnl_quote, net_r: toNumber(trade.pnl_r) };
  return { books: 'live', account, trade_id, state, reason: trade.exit_reason ?? trade.reason, ...made };
}

/** Trades are asked anew when one of them changes, pages of signals are not: so a trade's own word counts. */
export function outcomesOf({ signals, paper, live }: Told): Outcomes {
  const found = new Map<string, Map<string, Outcome>>();
  const put = (signalId: string | null, outcome: Outcome) => {
    if (signalId === null) return;
    const ofSignal = found.get(signalId) ?? new Map<string, Outcome>();
    ofSignal.set(`${outcome.books} ${outcome.account ?? ''} ${outcome.trade_id}`, outcome);
    found.set(signalId, ofSignal);
  };
  for (const signal of signals) for (const outcome of signal.outcomes) put(signal.event_id, outcome);
  for (const trade of paper) put(trade.signal_id, ofPaper(trade));
  for (const trade of live) put(trade.signal_id, ofLive(trade));
  return new Map([...found].map(([id, ofSignal]) => [id, [...ofSignal.values()]]));
}

/** Of a signal, on paper or on accounts. */
export function inBooks(outcomes: Outcomes, signalId: string, books: Outcome['books']): readonly Outcome[] {
  return (outcomes.get(signalId) ?? []).filter((outcome) => outcome.books === books);
}
