/** Every page: where it is, what it is called, and its code, which is loaded when somebody goes there. One line a page. */
import {
  Activity,
  CandlestickChart,
  FlaskConical,
  History,
  Info,
  LayoutDashboard,
  LineChart,
  type LucideIcon,
  NotebookPen,
  Radio,
  Server,
  Settings,
  ShieldCheck,
  Users,
} from 'lucide-react';
import { type ComponentType, lazy } from 'react';
import type { Me } from '@/session/session.ts';

type Loaded = Promise<{ default: ComponentType }>;

export interface Page {
  path: string;
  name: string;
  icon?: LucideIcon;
  /** Pressed after `g`. */
  key?: string;
  /** Whose rail and palette it stands in; without one, everybody's. */
  role?: Me['role'];
  /** Leads to a page of the rail, and stands in none itself. */
  isHidden?: boolean;
  /** Needs nobody to be signed in. */
  isPublic?: boolean;
  /** Without rail and bar around it. */
  isBare?: boolean;
  /** Leads there instead. */
  movedTo?: string;
  Content?: ComponentType;
}

const page = (path: string, name: string, load: () => Loaded, more: Partial<Page> = {}): Page => ({
  path,
  name,
  Content: lazy(load),
  ...more,
});

const hidden = { isHidden: true };
const before = { isHidden: true, isPublic: true, isBare: true };

/** An old path, which leads to the page that has taken its place. */
const moved = (path: string, to: string, name: string): Page => ({ path, name, ...hidden, movedTo: to });

export const PAGES: readonly Page[] = [
  page('/', 'Market', () => import('@/pages/home/Home.tsx'), { icon: CandlestickChart, key: 'm' }),
  page('/dashboard', 'Desk', () => import('@/pages/desk/Desk.tsx'), { icon: LayoutDashboard, key: 'd' }),
  page('/signals', 'Signals', () => import('@/pages/signals/Signals.tsx'), { icon: Radio, key: 's' }),
  page('/signals/:signalId', 'Signal', () => import('@/pages/signals/SignalPage.tsx'), hidden),
  moved('/signals-v52', '/signals?strategy=v52', 'Signals, v52'),
  page('/live', 'Live', () => import('@/pages/live/Live.tsx'), { icon: ShieldCheck, key: 'l' }),
  page('/live/trades/:tradeId', 'Trade', () => import('@/pages/live/LiveTradePage.tsx'), hidden),
  page('/paper', 'Paper', () => import('@/pages/paper/Paper.tsx'), { icon: NotebookPen, key: 'p' }),
  moved('/paper-v52', '/paper?strategy=v52', 'Paper, v52'),
  page('/kline', 'Candles', () => import('@/pages/kline/Kline.tsx'), { icon: LineChart, key: 'k' }),
  page('/trades', 'Trades', () => import('@/pages/trades/Trades.tsx'), { icon: Activity, key: 't' }),
  page('/history', 'Funding', () => import('@/pages/history/Funding.tsx'), { icon: History, key: 'h' }),
  page('/backtests', 'Backtests', () => import('@/pages/backtests/Backtests.tsx'), { icon: FlaskConical, key: 'b' }),
  page('/backtests/:backtestId', 'Backtest', () => import('@/pages/backtests/BacktestPage.tsx'), hidden),
  page('/server', 'Server', () => import('@/pages/server/ServerPage.tsx'), { icon: Server, key: 'v' }),
  page('/users', 'Users', () => import('@/pages/users/Users.tsx'), { icon: Users, key: 'u', role: 'admin' }),
  page('/settings', 'Settings', () => import('@/pages/settings/Settings.tsx'), { icon: Settings, key: 'e' }),
  page('/about', 'About', () => import('@/pages/about/About.tsx'), { icon: Info, key: 'a', isPublic: true }),
  page('/login', 'Log in', () => import('@/pages/login/Login.tsx'), before),
  page('/register', 'Register', () => import('@/pages/register/Register.tsx'), before),
];

const RANK: Record<Me['role'], number> = { viewer: 0, trader: 1, admin: 2 };

/** The pages of somebody's rail and palette, in their order. */
export function pagesFor(role: Me['role'] | null): readonly Page[] {
  return PAGES.filter(
    (each) =>
      !each.isHidden && RANK[role ?? 'viewer'] >= RANK[each.role ?? 'viewer'] && (role !== null || each.isPublic),
  );
}
