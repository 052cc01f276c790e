/** `/users` */
import { NotYet } from '@/app/NotYet.tsx';

export default function Users() {
  return <NotYet route="/api/users" />;
}
