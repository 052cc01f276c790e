/** `/signals/:signalId` */
import { NotYet } from '@/app/NotYet.tsx';

export default function SignalPage() {
  return <NotYet route="/api/signals/history" />;
}
