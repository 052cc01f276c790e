/** Everything by its name: pages, symbols, and what a person may do, on Ctrl-K. */
import { useMantineColorScheme } from '@mantine/core';
import { Spotlight, type SpotlightActionData } from '@mantine/spotlight';
import { useNavigate } from 'react-router';
import { prefer, usePreferences } from '@/preferences/preferences.ts';
import { logOut, type Me } from '@/session/session.ts';
import { useLatest } from '@/stream/hooks.ts';
import { pagesFor } from './pages.tsx';
import { LIST_EVENT } from './shortcuts.ts';

function useActions(role: Me['role'] | null): SpotlightActionData[] {
  const navigate = useNavigate();
  const { setColorScheme, colorScheme } = useMantineColorScheme();
  const { pair } = usePreferences();
  const prices = useLatest({ channel: 'prices' });
  const pages = pagesFor(role).map((page) => ({
    id: page.path,
    label: page.name,
    description: page.key === undefined ? '' : `g ${page.key}`,
    onClick: () => void navigate(page.path),
  }));
  const symbols = [...prices.keys()].map((symbol) => ({
    id: `symbol ${symbol}`,
    label: symbol,
    description: 'Show its chart',
    onClick: () => {
      prefer({ symbol });
      void navigate('/');
    },
  }));
  const other = colorScheme === 'light' ? 'dark' : 'light';
  const settings = [
    { id: 'scheme', label: `Use the ${other} theme`, onClick: () => setColorScheme(other) },
    {
      id: 'pair',
      label: pair === 'classic' ? 'Use colours that are safe for the colour-blind' : 'Use green and red',
      onClick: () => prefer({ pair: pair === 'classic' ? 'blind-safe' : 'classic' }),
    },
    {
      id: 'keys',
      label: 'Show the keys',
      description: '?',
      onClick: () => window.dispatchEvent(new Event(LIST_EVENT)),
    },
  ];
  const leaving = role === null ? [] : [{ id: 'out', label: 'Log out', onClick: () => void logOut() }];
  return [...pages, ...symbols, ...settings, ...leaving];
}

export function CommandPalette({ role }: { role: Me['role'] | null }) {
  const actions = useActions(role);
  return (
    <Spotlight
      actions={actions}
      shortcut={['mod + K']}
      nothingFound="Nothing is called so"
      highlightQuery
      scrollable
      maxHeight={420}
      // Prices stay readable behind it.
      overlayProps={{ backgroundOpacity: 0.25, blur: 0 }}
      searchProps={{ placeholder: 'Page, symbol or action', 'aria-label': 'Page, symbol or action' }}
    />
  );
}
