/** What whoever is signed in can choose: how the page looks, and to leave. */
import { Menu } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { Link } from 'react-router';
import { logOut, type Me } from '@/session/session.ts';
import { PersonButton } from './PersonButton.tsx';
import { SchemeMenu } from './SchemeMenu.tsx';
import { pressed } from './WhenPressed.tsx';

export default function PersonMenu({ me }: { me: Me }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => pressed(button.current), []);
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <PersonButton me={me} ref={button} />
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {me.is_local_viewer
            ? 'Local viewer of the demonstration: sees all, changes nothing'
            : `${me.name}, ${me.role}`}
        </Menu.Label>
        <SchemeMenu />
        <Menu.Divider />
        {me.is_local_viewer && (
          <Menu.Item component={Link} to="/login">
            Log in with an account
          </Menu.Item>
        )}
        <Menu.Item onClick={() => void logOut()}>Log out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
