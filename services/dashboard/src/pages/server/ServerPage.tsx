/** `/server` */
import { NotYet } from '@/app/NotYet.tsx';

export default function ServerPage() {
  return <NotYet route="/api/server" />;
}
