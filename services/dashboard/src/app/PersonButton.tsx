/** Who is signed in. */
import { ActionIcon } from '@mantine/core';
import { CircleUserRound } from 'lucide-react';
import type { ComponentPropsWithRef } from 'react';
import type { Me } from '@/session/session.ts';

export function PersonButton({ me, ...rest }: { me: Me } & Omit<ComponentPropsWithRef<'button'>, 'color'>) {
  return (
    <ActionIcon variant="subtle" color="gray" aria-label={`${me.name}, ${me.role}`} {...rest}>
      <CircleUserRound size={18} aria-hidden="true" />
    </ActionIcon>
  );
}
