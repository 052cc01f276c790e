/** `/history` */
import { NotYet } from '@/app/NotYet.tsx';

export default function Funding() {
  return <NotYet route="/api/history" />;
}
