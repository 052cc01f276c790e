/** How long ago, with the exact instant where one points or tabs to. */
import { useNow } from '@/format/now.ts';
import { exact, type Instant, moment, relative, zoneName } from '@/format/time.ts';
import { usePreferences } from '@/preferences/preferences.ts';

export function Ago({ ms }: { ms: Instant }) {
  const now = useNow();
  const { zone } = usePreferences();
  if (ms === null || ms === undefined) return <span>–</span>;
  return (
    <time dateTime={new Date(ms).toISOString()} title={exact(ms, zone)}>
      {relative(ms, now)}
    </time>
  );
}

/** The instant itself, in the zone that the person has chosen. */
export function Moment({ ms }: { ms: Instant }) {
  const { zone } = usePreferences();
  if (ms === null || ms === undefined) return <span>–</span>;
  return (
    <time dateTime={new Date(ms).toISOString()} title={exact(ms, zone)}>
      {moment(ms, zone)}
    </time>
  );
}

/** Whose clock instants are written in, for the header above them. */
export function ZoneName() {
  return zoneName(usePreferences().zone);
}
