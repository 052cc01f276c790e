/** `/live/trades/:tradeId` */
import { NotYet } from '@/app/NotYet.tsx';

export default function LiveTradePage() {
  return <NotYet route="/api/live/trades" />;
}
