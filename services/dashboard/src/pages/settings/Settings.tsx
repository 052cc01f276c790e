/** `/settings`: the own account (sessions, password, second factor, tokens), and how this browser shows things. */
import { Anchor, Text } from '@mantine/core';
import { Link } from 'react-router';
import { Fact, Facts } from '@/parts/Facts.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { type Me, useMe } from '@/session/session.ts';
import { Appearance } from './Appearance.tsx';
import { Password } from './Password.tsx';
import { SecondFactor } from './SecondFactor.tsx';
import { Sessions } from './Sessions.tsx';
import classes from './Settings.module.css';
import { Tokens } from './Tokens.tsx';

const MAY: Record<Me['role'], string> = {
  viewer: 'look at everything, change nothing',
  trader: 'reduce risk; raise it with the second factor; run backtests',
  admin: 'all that a trader may, change limits and strategies, and invite people',
};

function Account({ me }: { me: Me }) {
  return (
    <Panel title="Account">
      <Facts label="Account">
        <Fact name="Name">{me.name}</Fact>
        <Fact name="Role">{me.role}</Fact>
        <Fact name="May">{MAY[me.role]}</Fact>
      </Facts>
      {me.is_local_viewer && (
        <Text size="sm" px={10} pb={10} c="dimmed">
          The demonstration has signed you in as its local viewer, who has no password, second factor or tokens. For an
          account of your own run <code>perpstream admin gen-invite --role admin</code> and{' '}
          <Anchor size="sm" component={Link} to="/register">
            register
          </Anchor>
          .
        </Text>
      )}
    </Panel>
  );
}

export default function Settings() {
  const me = useMe();
  return (
    <div className={classes.page}>
      <div className={classes.column}>
        <Account me={me} />
        <Appearance />
        {!me.is_local_viewer && <Password />}
      </div>
      {!me.is_local_viewer && (
        <div className={classes.column}>
          <SecondFactor />
          <Sessions />
          <Tokens />
        </div>
      )}
    </div>
  );
}
