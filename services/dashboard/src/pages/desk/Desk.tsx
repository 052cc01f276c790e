/** `/dashboard` */
import { NotYet } from '@/app/NotYet.tsx';

export default function Desk() {
  return <NotYet route="/api/live/summary" />;
}
