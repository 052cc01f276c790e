/** What to replay: a range, symbols, the account; costs are on unless one says otherwise. */
import { Button, Checkbox, Group, MultiSelect, NativeSelect, Stack, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useNavigate } from 'react-router';
import { text, useSending } from '@/pages/login/sending.ts';
import { askMeta } from '@/pages/trades/tape.ts';
import { FormWords } from '@/parts/FormWords.tsx';
import { useSymbols } from '@/parts/SymbolChoice.tsx';
import classes from './Backtests.module.css';
import { fieldOf, instantOf, start } from './runs.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MONEY = '[0-9]{1,15}(\\.[0-9]{1,18})?';

/** Where there are trades, in whole minutes: what a range may be. */
function useStored(): { from: number; to: number } | null {
  const meta = useQuery(askMeta).data?.symbols ?? [];
  const firsts = meta.map((row) => row.first_time_ms).filter((ms) => ms !== null);
  const lasts = meta.map((row) => row.last_time_ms).filter((ms) => ms !== null);
  if (firsts.length === 0 || lasts.length === 0) return null;
  const from = Math.ceil(Math.max(...firsts) / MINUTE) * MINUTE;
  const to = Math.floor(Math.min(...lasts) / MINUTE) * MINUTE;
  return from < to ? { from, to } : null;
}

function Instant({ name, label, value }: { name: string; label: string; value: number }) {
  return <TextInput type="datetime-local" name={name} label={label} defaultValue={fieldOf(value)} required />;
}

function Fields({ stored, children }: { stored: { from: number; to: number }; children: ReactNode }) {
  const symbols = useSymbols();
  return (
    <div className={classes.fields}>
      <Instant name="start" label="From, UTC" value={Math.max(stored.from, stored.to - 24 * HOUR)} />
      <Instant name="end" label="To, UTC" value={stored.to} />
      <MultiSelect
        name="symbols"
        label="Symbols"
        placeholder="all followed"
        data={[...symbols]}
        searchable
        clearable
        hidePickedOptions
      />
      <TextInput
        name="starting_balance"
        label="Starting balance, USDT"
        defaultValue="10000"
        pattern={MONEY}
        inputMode="decimal"
        required
      />
      <TextInput
        name="risk_per_trade"
        label="Risk per trade (1 R), USDT"
        defaultValue="100"
        pattern={MONEY}
        inputMode="decimal"
        required
      />
      <TextInput
        name="max_positions"
        label="Positions at most"
        type="number"
        min={1}
        max={100}
        defaultValue={4}
        required
      />
      <TextInput
        name="warm_up_hours"
        label="Warm-up, hours"
        type="number"
        min={0}
        max={240}
        step="any"
        defaultValue={0}
        required
      />
      <NativeSelect
        name="view"
        label="Trades"
        data={[
          { value: 'as-seen', label: 'as the live engine saw them' },
          { value: 'repaired', label: 'with holes filled afterwards' },
        ]}
      />
      {children}
    </div>
  );
}

export function NewBacktest({ isBusy }: { isBusy: boolean }) {
  const stored = useStored();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [isIdeal, setIdeal] = useState(false);
  const { isSending, refusal, submit } = useSending(async (fields) => {
    const run = await start({
      start: instantOf(text(fields, 'start')),
      end: instantOf(text(fields, 'end')),
      symbols: text(fields, 'symbols').split(',').filter(Boolean),
      starting_balance: text(fields, 'starting_balance'),
      risk_per_trade: text(fields, 'risk_per_trade'),
      max_positions: Number(text(fields, 'max_positions')),
      warm_up_hours: Number(text(fields, 'warm_up_hours')),
      view: text(fields, 'view') === 'repaired' ? 'repaired' : 'as-seen',
      allow_gaps: fields.get('allow_gaps') !== null,
      ideal: isIdeal,
    });
    await client.invalidateQueries({ queryKey: ['backtests'] });
    await navigate(`/backtests/${run.backtest_id}`);
  });
  if (stored === null)
    return (
      <p className={classes.none}>Less than a whole minute of trades is stored: there is nothing to replay yet.</p>
    );
  return (
    <form onSubmit={submit}>
      <Stack gap="sm" p="sm">
        <FormWords refusal={refusal} />
        <Fields stored={stored}>
          <Checkbox name="allow_gaps" label="Also where trades are missing" description="The report says how many" />
          <Checkbox
            label="Without any costs"
            description={
              isIdeal ? '▲ No account could make such results' : 'Fees, slippage, latency and funding are on'
            }
            checked={isIdeal}
            onChange={(event) => setIdeal(event.currentTarget.checked)}
          />
        </Fields>
        <Group gap="sm">
          <Button type="submit" loading={isSending} disabled={isBusy}>
            Start the backtest
          </Button>
          {isBusy && <span className={classes.dim}>One runs at a time: wait for it, or cancel it.</span>}
        </Group>
      </Stack>
    </form>
  );
}
