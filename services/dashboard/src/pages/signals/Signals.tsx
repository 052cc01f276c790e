/** `/signals` */
import { NotYet } from '@/app/NotYet.tsx';

export default function Signals() {
  return <NotYet route="/api/signals/history" />;
}
