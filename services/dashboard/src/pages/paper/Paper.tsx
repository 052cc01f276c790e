/** `/paper` */
import { NotYet } from '@/app/NotYet.tsx';

export default function Paper() {
  return <NotYet route="/api/paper/summary" />;
}
