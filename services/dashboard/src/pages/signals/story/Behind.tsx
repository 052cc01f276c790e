/** The evaluation and the configuration behind a signal, as they were recorded. */
import { Accordion } from '@mantine/core';
import { Moment } from '@/parts/Ago.tsx';
import { Panel } from '@/parts/Panel.tsx';
import type { Story } from '../asking.ts';
import classes from './Story.module.css';

function Recorded({ value }: { value: unknown }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard
    <pre className={classes.json} tabIndex={0}>
      {JSON.stringify(value, null, 2)}
    </pre>
  );
}

export function Behind({ story }: { story: Story }) {
  const { configuration, evaluation } = story;
  return (
    <Panel title="As recorded" className={classes.wide}>
      <Accordion variant="default" chevronPosition="left">
        <Accordion.Item value="signal">
          <Accordion.Control>The signal’s event</Accordion.Control>
          <Accordion.Panel>
            <Recorded value={story.signal} />
          </Accordion.Panel>
        </Accordion.Item>
        <Accordion.Item value="evaluation">
          <Accordion.Control disabled={evaluation === null}>
            The evaluation it was made from{evaluation === null && ' (not stored)'}
          </Accordion.Control>
          <Accordion.Panel>
            <Recorded value={evaluation} />
          </Accordion.Panel>
        </Accordion.Item>
        <Accordion.Item value="configuration">
          <Accordion.Control disabled={configuration === null}>
            The configuration of {story.strategy} that counted
            {configuration === null ? ' (not known)' : `, activated by ${configuration.activated_by}`}
          </Accordion.Control>
          <Accordion.Panel>
            {configuration !== null && (
              <p className={classes.dim}>
                recorded <Moment ms={configuration.recorded_at_ms} />
              </p>
            )}
            <Recorded value={configuration?.definition} />
          </Accordion.Panel>
        </Accordion.Item>
      </Accordion>
    </Panel>
  );
}
