/** What a list is narrowed to, kept in the page's address: it can be sent to somebody, and goes back with the browser. */
import { useSearchParams } from 'react-router';

/** A value of the address, or null for what is not there or not one of `allowed`. */
export function picked(parameters: URLSearchParams, name: string, allowed?: readonly string[]): string | null {
  const value = parameters.get(name);
  return value === null || value === '' || (allowed !== undefined && !allowed.includes(value)) ? null : value;
}

/** The address with that value; null takes it away. */
export function withValue(parameters: URLSearchParams, name: string, value: string | null): URLSearchParams {
  const next = new URLSearchParams(parameters);
  if (value === null || value === '') next.delete(name);
  else next.set(name, value);
  return next;
}

/** A filter and how it is changed; the page stays where it is in the history. */
export function useFilter(name: string, allowed?: readonly string[]): [string | null, (value: string | null) => void] {
  const [parameters, setParameters] = useSearchParams();
  const change = (value: string | null) =>
    setParameters((before) => withValue(before, name, value), { replace: true, preventScrollReset: true });
  return [picked(parameters, name, allowed), change];
}

export const SPANS = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000, '30d': 2_592_000_000 } as const;
export type Span = keyof typeof SPANS;
export const SPAN_NAMES = Object.keys(SPANS) as Span[];

/** When a span that ends now has begun, to the minute, so that it is one question and not a new one each second. */
export function beginningOf(span: string | null, now: number): number | null {
  if (span === null || !(span in SPANS)) return null;
  return Math.floor((now - SPANS[span as Span]) / 60_000) * 60_000;
}
