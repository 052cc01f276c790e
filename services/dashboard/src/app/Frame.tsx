/** The window: a bar that never scrolls, the rail, and the page. */
import { type ReactNode, useEffect } from 'react';
import { useSession } from '@/session/session.ts';
import { CommandPalette } from './CommandPalette.tsx';
import classes from './Frame.module.css';
import type { Page } from './pages.tsx';
import { BottomBar, Rail } from './Rail.tsx';
import { ShortcutList } from './ShortcutList.tsx';
import { useShortcuts } from './shortcuts.ts';
import { TopBar } from './TopBar.tsx';

export function Frame({ page, children }: { page: Page; children: ReactNode }) {
  const session = useSession();
  // Until it is known who this is, the pages that everybody has stand there: nothing jumps when it is.
  const role = session.kind === 'in' ? session.me.role : session.kind === 'out' ? null : 'viewer';
  useShortcuts(role);
  useEffect(() => {
    document.title = `${page.name} · Perpstream`;
  }, [page.name]);
  return (
    <div className={classes.frame}>
      <a className={classes.skip} href="#main">
        To the page
      </a>
      <TopBar />
      <Rail role={role} />
      <main className={classes.main} id="main" tabIndex={-1}>
        <h1 className="visually-hidden">{page.name}</h1>
        {children}
      </main>
      <BottomBar role={role} />
      <CommandPalette role={role} />
      <ShortcutList role={role} />
    </div>
  );
}
