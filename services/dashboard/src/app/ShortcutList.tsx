/** The keys, on `?`. */
import { Kbd, Table } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Sheet } from '@/parts/Sheet.tsx';
import type { Me } from '@/session/session.ts';
import { pagesFor } from './pages.tsx';
import { LIST_EVENT } from './shortcuts.ts';

const EVERYWHERE: readonly (readonly [readonly string[], string])[] = [
  [['Ctrl', 'K'], 'Everything, by its name (⌘ K on a Mac)'],
  [['/'], 'Filter this page’s rows'],
  [['1', '…', '9'], 'Time frame of the chart'],
  [['Esc'], 'Close what is open'],
  [['?'], 'This list'],
];

function Keys({ keys }: { keys: readonly string[] }) {
  return keys.map((key) => (
    <Kbd key={key} size="xs" mr={4}>
      {key}
    </Kbd>
  ));
}

/** Loaded when it is wanted for the first time, and then it is open. */
export default function ShortcutList({ role }: { role: Me['role'] | null }) {
  const [isOpen, setOpen] = useState(true);
  useEffect(() => {
    const open = () => setOpen(true);
    window.addEventListener(LIST_EVENT, open);
    return () => window.removeEventListener(LIST_EVENT, open);
  }, []);
  if (!isOpen) return null;
  const pages = pagesFor(role).filter((page) => page.key !== undefined);
  return (
    <Sheet title="Keys" onClose={() => setOpen(false)}>
      <Table verticalSpacing={4}>
        <Table.Tbody>
          {[...EVERYWHERE, ...pages.map((page) => [['g', page.key ?? ''], page.name] as const)].map(([keys, words]) => (
            <Table.Tr key={words}>
              <Table.Td>
                <Keys keys={keys} />
              </Table.Td>
              <Table.Td>{words}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Sheet>
  );
}
