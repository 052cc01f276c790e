/** Everything by its name: pages, symbols, and what a person may do, on Ctrl-K. */
import { useMantineColorScheme } from '@mantine/core';
import { Spotlight, type SpotlightActionData, type SpotlightActionGroupData, spotlight } from '@mantine/spotlight';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { useNavigate } from 'react-router';
import type { Schema } from '@/api/client.ts';
import { askServer, askStrategies } from '@/api/queries.ts';
import { prefer, usePreferences } from '@/preferences/preferences.ts';
import { logOut, type Me } from '@/session/session.ts';
import { useRecent } from '@/stream/hooks.ts';
import { type Heard, NOTHING_HEARD, paletteOf } from './palette.ts';
import { LIST_EVENT, PALETTE_EVENT } from './shortcuts.ts';

type Role = Me['role'] | null;
const NONE: readonly string[] = [];
const symbolsOf = (server: Schema<'Server'>): readonly string[] => server.symbols;

/** Listens for as long as the palette is open, and not before. */
function Listening({ onHeard }: { onHeard: (heard: Heard) => void }) {
  const signals = useRecent({ channel: 'signals' });
  const live = useRecent({ channel: 'live' });
  const paper = useRecent({ channel: 'paper' });
  useEffect(() => onHeard({ signals, live, paper }), [signals, live, paper, onHeard]);
  return null;
}

/** What leads nowhere and changes how the page looks, or ends the session. */
function useSettings(role: Role): SpotlightActionData[] {
  const { setColorScheme, colorScheme } = useMantineColorScheme();
  const { pair } = usePreferences();
  return useMemo(() => {
    const other = colorScheme === 'light' ? 'dark' : 'light';
    const isClassic = pair === 'classic';
    const settings = [
      { id: 'scheme', label: `Use the ${other} theme`, onClick: () => setColorScheme(other) },
      {
        id: 'pair',
        label: isClassic ? 'Use colours that are safe for the colour-blind' : 'Use green and red',
        onClick: () => prefer({ pair: isClassic ? 'blind-safe' : 'classic' }),
      },
      {
        id: 'keys',
        label: 'Show the keys',
        description: '?',
        onClick: () => window.dispatchEvent(new Event(LIST_EVENT)),
      },
    ];
    return role === null ? settings : [...settings, { id: 'out', label: 'Log out', onClick: () => void logOut() }];
  }, [role, colorScheme, setColorScheme, pair]);
}

function useActions(role: Role, isOpen: boolean, heard: Heard): SpotlightActionGroupData[] {
  const navigate = useNavigate();
  const settings = useSettings(role);
  const enabled = isOpen && role !== null;
  const symbols = useQuery({ ...askServer, enabled, select: symbolsOf }).data ?? NONE;
  const asked = useQuery({ ...askStrategies, enabled }).data?.rows;
  return useMemo(() => {
    const strategies = asked?.map(({ strategy }) => strategy) ?? NONE;
    const found = paletteOf({ role, symbols, strategies, ...heard });
    const groups = found.map(({ group, entries }) => ({
      group,
      actions: entries.map(({ path, symbol, ...entry }) => ({
        ...entry,
        onClick: () => {
          if (symbol !== undefined) prefer({ symbol });
          void navigate(path);
        },
      })),
    }));
    return [...groups, { group: 'This page', actions: settings }];
  }, [role, symbols, asked, heard, settings, navigate]);
}

/** Loaded when it is wanted for the first time, and then it opens. */
export default function CommandPalette({ role }: { role: Role }) {
  const [isOpen, setOpen] = useState(false);
  const [heard, setHeard] = useState(NOTHING_HEARD);
  const actions = useActions(role, isOpen, heard);
  useEffect(() => {
    spotlight.open();
    window.addEventListener(PALETTE_EVENT, spotlight.toggle);
    return () => window.removeEventListener(PALETTE_EVENT, spotlight.toggle);
  }, []);
  return (
    <>
      {isOpen && role !== null && <Listening onHeard={setHeard} />}
      <Spotlight
        actions={actions}
        shortcut={null}
        onSpotlightOpen={() => setOpen(true)}
        onSpotlightClose={() => setOpen(false)}
        nothingFound="Nothing is called so"
        highlightQuery
        scrollable
        maxHeight={420}
        // Prices stay readable behind it.
        overlayProps={{ backgroundOpacity: 0.25, blur: 0 }}
        searchProps={{ placeholder: 'Page, symbol or action', 'aria-label': 'Page, symbol or action' }}
      />
    </>
  );
}
