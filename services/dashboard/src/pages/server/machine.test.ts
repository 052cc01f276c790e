import { describe, expect, it } from 'vitest';
import { paceOf, type Service, stateOf, troubledFirst, usage } from './machine.ts';

function service(changes: Partial<Service>): Service {
  const shipped = { name: 'recorder', ready: true, missing: {}, version: '1', uptime_seconds: 1, memory_bytes: 1 };
  return { ...shipped, restarts: 0, lag_records: 0, per_second: {}, ...changes };
}

describe('a service', () => {
  it('is ready, behind, not ready, or not known, and says why', () => {
    expect(stateOf(service({})).word).toBe('ready');
    expect(stateOf(service({ lag_records: 90_000 })).word).toBe('behind');
    expect(stateOf(service({ ready: null })).word).toBe('not known');
    const waiting = stateOf(service({ ready: false, missing: { kafka_broker: 'does not answer' } }));
    expect(waiting).toEqual({ tone: 'danger', word: 'not ready', why: 'kafka broker: does not answer' });
  });

  it('stands first when it is in trouble', () => {
    const all = [
      service({ name: 'a' }),
      service({ name: 'c', ready: false }),
      service({ name: 'b', lag_records: 90_000 }),
    ];
    expect(troubledFirst(all).map(({ name }) => name)).toEqual(['c', 'b', 'a']);
  });

  it('says its paces, and none that are nothing', () => {
    expect(paceOf(service({ per_second: { rows_written: 410.5, records_consumed: 12, idle: 0 } }))).toBe(
      '411 rows written, 12.00 records consumed',
    );
    expect(paceOf(service({}))).toBe('');
  });
});

describe('room', () => {
  it('is said with its danger, and unknown where nothing is measured', () => {
    expect(usage(50, 100).tone).toBe('good');
    expect(usage(10, 100).tone).toBe('degraded');
    expect(usage(1, 100).tone).toBe('danger');
    expect(usage(0, 0).share).toBeNull();
  });
});
