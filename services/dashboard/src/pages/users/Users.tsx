/** `/users`, for administrators: accounts, invites, and who has changed what. */
import { FormWords } from '@/parts/FormWords.tsx';
import { Empty } from '@/parts/States.tsx';
import { useMe } from '@/session/session.ts';
import { Accounts } from './Accounts.tsx';
import { Audit } from './Audit.tsx';
import { useDoing } from './doing.ts';
import { InviteList } from './InviteList.tsx';
import classes from './Users.module.css';

function Administration() {
  const { doing, refusal, done, dialog } = useDoing();
  return (
    <div className={classes.page}>
      <FormWords refusal={refusal} done={done} />
      <div className={classes.lists}>
        <Accounts doing={doing} />
        <InviteList doing={doing} />
      </div>
      <Audit />
      {dialog}
    </div>
  );
}

export default function Users() {
  const me = useMe();
  if (me.role === 'admin') return <Administration />;
  return (
    <Empty title="This page is for administrators">
      You are signed in as {me.name}, {me.role}. An administrator can give you another role.
    </Empty>
  );
}
