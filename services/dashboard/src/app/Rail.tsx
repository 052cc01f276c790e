/** Ways to the pages: a rail on the left, on a phone a bar at the bottom. */
import { Circle, PanelLeftClose, PanelLeftOpen } from 'lucide-react';
import { lazy } from 'react';
import { NavLink } from 'react-router';
import { prefer, usePreferences } from '@/preferences/preferences.ts';
import type { Me } from '@/session/session.ts';
import classes from './Frame.module.css';
import { MoreButton } from './MoreButton.tsx';
import { type Page, pagesFor } from './pages.tsx';
import { WhenPressed } from './WhenPressed.tsx';

const MoreMenu = lazy(() => import('./MoreMenu.tsx'));

const ON_A_PHONE = 4;

function PageLink({ page, isShort }: { page: Page; isShort: boolean }) {
  const Icon = page.icon ?? Circle;
  return (
    <NavLink to={page.path} end={page.path === '/'} className={classes.link} title={isShort ? page.name : undefined}>
      <Icon size={17} strokeWidth={1.75} aria-hidden="true" />
      <span className={isShort ? 'visually-hidden' : undefined}>{page.name}</span>
    </NavLink>
  );
}

export function Rail({ role }: { role: Me['role'] | null }) {
  const { rail } = usePreferences();
  const isShort = rail === 'narrow';
  const Icon = isShort ? PanelLeftOpen : PanelLeftClose;
  return (
    <nav className={classes.rail} data-rail={rail} aria-label="Pages">
      {pagesFor(role).map((page) => (
        <PageLink key={page.path} page={page} isShort={isShort} />
      ))}
      <button
        type="button"
        className={`${classes.link} ${classes.bottom}`}
        aria-expanded={!isShort}
        onClick={() => prefer({ rail: isShort ? 'wide' : 'narrow' })}
      >
        <Icon size={17} strokeWidth={1.75} aria-hidden="true" />
        <span className={isShort ? 'visually-hidden' : undefined}>{isShort ? 'Show names' : 'Icons only'}</span>
      </button>
    </nav>
  );
}

export function BottomBar({ role }: { role: Me['role'] | null }) {
  const pages = pagesFor(role);
  const more = pages.slice(ON_A_PHONE);
  return (
    <nav className={classes.bottombar} aria-label="Pages, short">
      {pages.slice(0, ON_A_PHONE).map((page) => (
        <PageLink key={page.path} page={page} isShort={false} />
      ))}
      {more.length > 0 && (
        <WhenPressed button={(press) => <MoreButton onClick={press} />} menu={() => <MoreMenu pages={more} />} />
      )}
    </nav>
  );
}
