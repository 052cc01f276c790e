/** `/settings` */
import { NotYet } from '@/app/NotYet.tsx';

export default function Settings() {
  return <NotYet route="/api/auth/sessions" />;
}
