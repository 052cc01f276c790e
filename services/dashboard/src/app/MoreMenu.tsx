/** On a phone: the pages that have no place in the bar. */
import { Menu } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { Link } from 'react-router';
import { MoreButton } from './MoreButton.tsx';
import type { Page } from './pages.tsx';
import { pressed } from './WhenPressed.tsx';

export default function MoreMenu({ pages }: { pages: readonly Page[] }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => pressed(button.current), []);
  return (
    <Menu position="top-end">
      <Menu.Target>
        <MoreButton ref={button} />
      </Menu.Target>
      <Menu.Dropdown>
        {pages.map((page) => (
          <Menu.Item key={page.path} component={Link} to={page.path}>
            {page.name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
