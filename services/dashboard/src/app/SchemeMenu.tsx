/** Theme, colours and time zone, in the person's menu. */
import { Menu, useMantineColorScheme } from '@mantine/core';
import { prefer, usePreferences } from '@/preferences/preferences.ts';

export function SchemeMenu() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { pair, zone } = usePreferences();
  return (
    <>
      {(['dark', 'light', 'auto'] as const).map((scheme) => (
        <Menu.Item
          key={scheme}
          closeMenuOnClick={false}
          rightSection={colorScheme === scheme ? '✓' : null}
          onClick={() => setColorScheme(scheme)}
        >
          {scheme === 'auto' ? 'Theme of the system' : `Theme: ${scheme}`}
        </Menu.Item>
      ))}
      <Menu.Divider />
      <Menu.Item
        closeMenuOnClick={false}
        rightSection={pair === 'blind-safe' ? '✓' : null}
        onClick={() => prefer({ pair: pair === 'classic' ? 'blind-safe' : 'classic' })}
      >
        Colours for the colour-blind
      </Menu.Item>
      <Menu.Item
        closeMenuOnClick={false}
        rightSection={zone === 'local' ? '✓' : null}
        onClick={() => prefer({ zone: zone === 'utc' ? 'local' : 'utc' })}
      >
        Times of this machine’s zone
      </Menu.Item>
    </>
  );
}
