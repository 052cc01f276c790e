/** Something that is shown this once: to be copied, and gone when the page is left. */
import { Button, CopyButton, Group, Text } from '@mantine/core';
import classes from './Secret.module.css';

export function Secret({ label, value }: { label: string; value: string }) {
  return (
    <div className={classes.secret}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Group gap="xs" wrap="nowrap" align="center">
        <code className={classes.value}>{value}</code>
        <CopyButton value={value}>
          {({ copied, copy }) => (
            <Button size="compact-xs" variant="default" onClick={copy}>
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
      </Group>
    </div>
  );
}
