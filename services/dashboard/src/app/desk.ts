/** What the top bar says of the desk: whose money this is, how the day stands, and whether entries are allowed. */
import { useQuery } from '@tanstack/react-query';
import type { Schema } from '@/api/client.ts';
import { askFeeds, askLiveSummary, askPaperSummary, askServer } from '@/api/queries.ts';
import { isTroubled, useFeeds } from '@/feeds/rows.ts';
import { toNumber } from '@/format/numbers.ts';
import type { Tone } from '@/parts/Mark.tsx';
import { isNewer } from '@/stream/freshness.ts';
import { useFreshness, useOne, useStreamState } from '@/stream/hooks.ts';
import { useRisk } from '@/trading/risk.ts';

export type Mode = 'simulator' | 'paper' | 'demo' | 'production';

export interface Day {
  /** Whether it is the paper trader's: then no money is moved. Null: nobody has said whose it is. */
  isPaper: boolean | null;
  quote: number | null;
  r: number | null;
  open: number | null;
}

export interface RiskWord {
  tone: Tone;
  word: string;
  sentence: string;
}

/** Whose money it is; a simulated venue has nobody's, whatever the executor does there. Null: nobody has said so. */
export function modeOf(venue: string | undefined, executor: string | null | undefined): Mode | null {
  if (venue === undefined) return null;
  if (venue === 'simulator') return 'simulator';
  return executor === 'demo' || executor === 'production' || executor === 'paper' ? executor : null;
}

/** Whether the day is the paper trader's, by the executor's mode. */
export function isOnPaper(executor: string | null | undefined): boolean | null {
  return executor == null ? null : executor === 'paper';
}

/** All paper accounts together; null for what one of them does not say. */
export function paperDay(accounts: readonly Schema<'PaperAccountAnswer'>[]): Day {
  const sum = (values: readonly (number | null)[]) =>
    values.reduce<number | null>((all, one) => (all === null || one === null ? null : all + one), 0);
  return {
    isPaper: true,
    quote: sum(accounts.map((each) => toNumber(each.net_today))),
    r: sum(accounts.map((each) => each.net_r_today)),
    open: sum(accounts.map((each) => each.open_positions)),
  };
}

/** The worst of what guard and executor say, in a word. */
export function riskWord(summary: Schema<'LiveSummary'>, paused: boolean, level: string | null): RiskWord {
  const why = summary.reasons.join('; ') || 'entries are allowed';
  if (summary.mode === 'paper') return { tone: 'neutral', word: level ?? 'paper', sentence: why };
  if (summary.guard.silent)
    return { tone: 'danger', word: 'guard silent', sentence: 'no entries: the guard is not heard' };
  if (summary.executor.silent) {
    return { tone: 'danger', word: 'executor silent', sentence: 'no entries: the executor is not heard' };
  }
  if (level === 'circuit_break') return { tone: 'danger', word: 'circuit break', sentence: why };
  if (paused) return { tone: 'degraded', word: 'paused', sentence: why };
  if (level === 'warning') return { tone: 'degraded', word: 'warning', sentence: why };
  if (!summary.entries_allowed) return { tone: 'degraded', word: 'no entries', sentence: why };
  return { tone: 'good', word: level ?? 'normal', sentence: why };
}

/** Whose money this page shows, as soon as it is known. */
export function useMode(): Mode | null {
  const server = useQuery(askServer);
  const summary = useQuery(askLiveSummary);
  return modeOf(server.data?.venue, summary.data?.mode);
}

/** The UTC day so far, of the account or, where none is traded, on paper. */
export function useDay(): Day {
  const summary = useQuery(askLiveSummary);
  const isPaper = isOnPaper(summary.data?.mode);
  const paper = useQuery({ ...askPaperSummary, enabled: isPaper === true });
  if (summary.data !== undefined && isPaper === false) {
    const { net_today, net_r_today, open_trades } = summary.data;
    return { isPaper, quote: toNumber(net_today), r: net_r_today, open: open_trades };
  }
  const isKnown = isPaper === true && paper.data !== undefined;
  return isKnown ? paperDay(paper.data.accounts) : { isPaper, quote: null, r: null, open: null };
}

/** The guard's state; null until somebody has said one. */
export function useRiskWord(): RiskWord | null {
  const { data, dataUpdatedAt } = useQuery(askLiveSummary);
  const { risk } = useRisk();
  const live = useOne({ channel: 'risk' }, data?.account ?? null);
  const isLive = isNewer(useFreshness(), dataUpdatedAt);
  return data === undefined ? null : riskWord(data, risk?.paused ?? false, (isLive ? live?.level : null) ?? data.level);
}

/** Whether the figures of the bar are old: the stream has ceased, or the summary could not be asked for. */
export function useIsOld(): boolean {
  const { isError } = useQuery(askLiveSummary);
  return !useFreshness().isFresh || isError;
}

export interface Completeness {
  /** Of the last hour, the worst symbol; parts per million. */
  ppm: number | null;
  /** Feeds that do not deliver, by name. */
  troubled: readonly string[];
}

/** Whether what is shown is all that happened. */
export function useCompleteness(): Completeness {
  const { rows } = useFeeds();
  const known = rows.map((each) => each.completeness_1h_ppm).filter((each) => each !== null);
  const troubled = rows.filter(isTroubled);
  return {
    ppm: known.length === 0 ? null : Math.min(...known),
    troubled: troubled.map((feed) => `${feed.feed} ${feed.symbol}: ${feed.state}`),
  };
}

export interface VenueClock {
  /** What to take from this machine's clock to have the venue's, ms. */
  ahead: number;
  /** How far the gateway's clock is ahead of the venue's, ms; null: nobody measures it. */
  offset: number | null;
}

/** The venue's clock, as well as it is known here. */
export function useVenueClock(): VenueClock {
  const state = useStreamState();
  const { data } = useQuery(askFeeds);
  const offsets = (data?.feeds ?? []).map((feed) => feed.clock_offset_ms).filter((each) => each !== null);
  const offset = offsets.length === 0 ? null : [...offsets].sort((a, b) => a - b)[Math.floor(offsets.length / 2)];
  const ours = state.kind === 'live' ? state.since - state.welcome.time_ms : 0;
  return { ahead: ours + (offset ?? 0), offset: offset ?? null };
}
