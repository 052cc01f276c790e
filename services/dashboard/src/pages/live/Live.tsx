/** `/live` */
import { NotYet } from '@/app/NotYet.tsx';

export default function Live() {
  return <NotYet route="/api/live/summary" />;
}
