/** `/about`: what this is, which version, and where its words are. */
import { Anchor, List, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, bodyOf } from '@/api/client.ts';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';

const LINKS: readonly (readonly [string, string, string])[] = [
  ['/docs', 'The API', 'every route with its fields, of this very gateway'],
  ['/api/openapi.json', 'OpenAPI', 'the same for programs'],
];

const PROMISES: readonly string[] = [
  'Every trade counts: the venue’s ids are checked, gaps are filled, and a hole that cannot be filled is said, never hidden.',
  'A signal knows how much of its data it had, and is refused with a reason when that was too little.',
  'A replay of a recorded day gives the same signals, to the last digit.',
  'One order for each signal, whatever dies; a position without its stop is protected or closed before anything else.',
  'The risk guard is a process of its own with its own connection, and only ever reduces risk.',
];

function Versions() {
  const health = useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/health', { signal })),
    refetchInterval: 10_000,
  });
  return (
    <Panel title="This installation" asked={health} isPadded lines={2}>
      <Stack gap="xs">
        <Text size="sm">
          Version {health.data?.version}{' '}
          <Mark tone={health.data?.status === 'ok' ? 'good' : 'degraded'}>{health.data?.status}</Mark>
        </Text>
        {Object.entries(health.data?.components ?? {}).map(([name, component]) => (
          <Text key={name} size="sm" c="dimmed">
            {name.replace('_', ' ')}: {component.detail}
          </Text>
        ))}
      </Stack>
    </Panel>
  );
}

export default function About() {
  return (
    <Stack gap="sm" maw={860}>
      <Panel title="Perpstream" isPadded>
        <Stack gap="sm">
          <Text size="sm">
            Perpstream turns every trade of perpetual futures into explained, scored signals, trades them on paper or,
            when its owner says so, on an account, and guards what is open.
          </Text>
          <List size="sm" spacing={4}>
            {PROMISES.map((promise) => (
              <List.Item key={promise}>{promise}</List.Item>
            ))}
          </List>
        </Stack>
      </Panel>
      <Versions />
      <Panel title="More" isPadded>
        <List size="sm" spacing={4}>
          {LINKS.map(([path, name, words]) => (
            <List.Item key={path}>
              <Anchor size="sm" href={path}>
                {name}
              </Anchor>
              : {words}
            </List.Item>
          ))}
          <List.Item>
            Charts by{' '}
            <Anchor size="sm" href="https://www.tradingview.com/" rel="noreferrer" target="_blank">
              TradingView
            </Anchor>{' '}
            (Lightweight Charts, Apache-2.0); Perpstream itself is under the Apache License 2.0 too.
          </List.Item>
        </List>
      </Panel>
    </Stack>
  );
}
