/** How this browser shows things: theme, pair of colours, time zone. */
import { SegmentedControl, Stack, useMantineColorScheme } from '@mantine/core';
import type { ReactNode } from 'react';
import { zoneName } from '@/format/time.ts';
import { Change, Side } from '@/parts/Figures.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { type Preferences, prefer, usePreferences } from '@/preferences/preferences.ts';
import classes from './Settings.module.css';

function Choice({ name, children, words }: { name: string; children: ReactNode; words?: ReactNode }) {
  return (
    <div className={classes.choice}>
      <span className={classes.name}>{name}</span>
      {children}
      <span className={classes.words}>{words}</span>
    </div>
  );
}

export function Appearance() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { pair, zone } = usePreferences();
  const example = (
    <>
      <Side side="long" /> <Change value={1.25} decimals={2} unit="R" /> <Side side="short" />{' '}
      <Change value={-0.8} decimals={2} unit="R" />
    </>
  );
  return (
    <Panel title="Appearance" isPadded note="kept in this browser">
      <Stack gap="md">
        <Choice name="Theme">
          <SegmentedControl
            size="xs"
            aria-label="Theme"
            value={colorScheme}
            onChange={(value) => setColorScheme(value as 'dark' | 'light' | 'auto')}
            data={[
              { value: 'dark', label: 'Dark' },
              { value: 'light', label: 'Light' },
              { value: 'auto', label: 'As the system' },
            ]}
          />
        </Choice>
        <Choice name="Colours" words={example}>
          <SegmentedControl
            size="xs"
            aria-label="Colours of up and down"
            value={pair}
            onChange={(value) => prefer({ pair: value as Preferences['pair'] })}
            data={[
              { value: 'classic', label: 'Green and red' },
              { value: 'blind-safe', label: 'Blue and orange' },
            ]}
          />
        </Choice>
        <Choice name="Times" words="The venue’s days end at midnight UTC, whatever is chosen here.">
          <SegmentedControl
            size="xs"
            aria-label="Time zone"
            value={zone}
            onChange={(value) => prefer({ zone: value as Preferences['zone'] })}
            data={[
              { value: 'utc', label: 'UTC' },
              { value: 'local', label: `This machine’s (${zoneName('local')})` },
            ]}
          />
        </Choice>
      </Stack>
    </Panel>
  );
}
