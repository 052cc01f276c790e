/** On a phone: what opens the pages that have no place in the bar. */
import { MoreHorizontal } from 'lucide-react';
import type { ComponentPropsWithRef } from 'react';
import classes from './Frame.module.css';

export function MoreButton(rest: ComponentPropsWithRef<'button'>) {
  return (
    <button {...rest} type="button" className={classes.link}>
      <MoreHorizontal size={17} aria-hidden="true" />
      More
    </button>
  );
}
