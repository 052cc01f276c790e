/** Every command that this page gives, as a call of the API. `key`: under which it is carried out once only. */
import { api, bodyOf } from '@/api/client.ts';
import type { CommandState } from '@/trading/telling.ts';

type Said = Promise<CommandState>;

export interface Entry {
  symbol: string;
  direction: 'long' | 'short';
  stop: string;
  take_profit_1: string | null;
  take_profit_2: string | null;
  risk: string | null;
}

const under = (key: string) => ({ header: { 'Idempotency-Key': key } });

export function pause(key: string, confirmation: string, reason: string): Said {
  return bodyOf(api.POST('/api/risk/pause', { params: under(key), body: { confirmation, reason } }));
}

export function resume(key: string, reason: string): Said {
  return bodyOf(api.POST('/api/risk/resume', { params: under(key), body: { reason } }));
}

/** `symbol`: one of them, or `all`. */
export function flatten(key: string, symbol: string, confirmation: string, reason: string): Said {
  return bodyOf(api.POST('/api/risk/flatten', { params: under(key), body: { symbol, confirmation, reason } }));
}

export function lock(key: string, symbol: string, seconds: number, reason: string): Said {
  return bodyOf(api.POST('/api/risk/lock', { params: under(key), body: { symbol, seconds, reason } }));
}

export function unlock(key: string, symbol: string, reason: string): Said {
  return bodyOf(api.POST('/api/risk/unlock', { params: under(key), body: { symbol, reason } }));
}

export function reset(key: string, breakNumber: number, reason: string): Said {
  return bodyOf(api.POST('/api/risk/reset', { params: under(key), body: { break_number: breakNumber, reason } }));
}

/** `share`: above 0, up to 1, as decimal text. */
export function close(key: string, symbol: string, share: string, tradeId: string | null, reason: string): Said {
  const body = { symbol, share, trade_id: tradeId, reason };
  return bodyOf(api.POST('/api/live/close', { params: under(key), body }));
}

export function moveStop(key: string, symbol: string, price: string, tradeId: string | null, reason: string): Said {
  const body = { symbol, price, trade_id: tradeId, reason };
  return bodyOf(api.POST('/api/live/move-stop', { params: under(key), body }));
}

export function cancelEntry(key: string, symbol: string, reason: string): Said {
  return bodyOf(api.POST('/api/live/cancel', { params: under(key), body: { symbol, reason } }));
}

export function enter(key: string, entry: Entry, reason: string): Said {
  return bodyOf(api.POST('/api/live/enter', { params: under(key), body: { ...entry, reason } }));
}

export function sync(key: string, reason: string): Said {
  return bodyOf(api.POST('/api/positions/sync', { params: under(key), body: { reason } }));
}

export interface Changes {
  base_version: number;
  changes: Record<string, string>;
}

export function changeConfig(key: string, changes: Changes, reason: string): Said {
  return bodyOf(api.PUT('/api/live/config', { params: under(key), body: { ...changes, reason } }));
}
