/** The window: a bar that never scrolls, the rail, and the page. */
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react';
import { useSession } from '@/session/session.ts';
import classes from './Frame.module.css';
import type { Page } from './pages.tsx';
import { BottomBar, Rail } from './Rail.tsx';
import { LIST_EVENT, PALETTE_EVENT, useShortcuts } from './shortcuts.ts';
import { TopBar } from './TopBar.tsx';

const CommandPalette = lazy(() => import('./CommandPalette.tsx'));

const ShortcutList = lazy(() => import('./ShortcutList.tsx'));

/** Whether somebody has asked for it; it is not loaded before. */
function useIsWanted(event: string): boolean {
  const [isWanted, setWanted] = useState(false);
  useEffect(() => {
    const want = () => setWanted(true);
    window.addEventListener(event, want);
    return () => window.removeEventListener(event, want);
  }, [event]);
  return isWanted;
}

export function Frame({ page, children }: { page: Page; children: ReactNode }) {
  const session = useSession();
  // Until it is known who this is, the pages that everybody has stand there: nothing jumps when it is.
  const role = session.kind === 'in' ? session.me.role : session.kind === 'out' ? null : 'viewer';
  useShortcuts(role);
  const isPaletteWanted = useIsWanted(PALETTE_EVENT);
  const isListWanted = useIsWanted(LIST_EVENT);
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
      <Suspense fallback={null}>
        {isPaletteWanted && <CommandPalette role={role} />}
        {isListWanted && <ShortcutList role={role} />}
      </Suspense>
    </div>
  );
}
