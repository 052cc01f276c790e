/** Figures with their colour and second sign; what is not known is a dash and grey. */
import { useEffect, useRef } from 'react';
import { direction, type Quantity, signed } from '@/format/numbers.ts';
import classes from './Figures.module.css';

const FLASH_EVERY_MS = 500;

interface FigureProps {
  value: Quantity;
  decimals: number;
  unit?: string;
}

/** Profit, CVD, R: its sign always, and the colour that says the same. */
export function Change({ value, decimals, unit }: FigureProps) {
  const way = direction(value);
  const colour = way > 0 ? classes.up : way < 0 ? classes.down : '';
  return (
    <span className={`${classes.figure} ${colour}`}>
      {signed(value, decimals)}
      {unit !== undefined && <span className={classes.unit}>{unit}</span>}
    </span>
  );
}

/** `▲ long`, `▼ short`: the side of a signal, trade or position. */
export function Side({ side }: { side: string | null | undefined }) {
  if (side !== 'long' && side !== 'short') return <span className={classes.figure}>–</span>;
  return (
    <span className={`${classes.figure} ${side === 'long' ? classes.up : classes.down}`}>
      <span className={classes.arrow} aria-hidden="true">
        {side === 'long' ? '▲' : '▼'}
      </span>
      {side}
    </span>
  );
}

/** Flashes for 300 ms when its text changes, at most twice a second, and never when it first appears. */
export function Flashing({ text, className }: { text: string; className?: string }) {
  const element = useRef<HTMLSpanElement>(null);
  const last = useRef({ text, at: 0 });
  useEffect(() => {
    const now = performance.now();
    if (last.current.text === text) return;
    const isDue = now - last.current.at >= FLASH_EVERY_MS;
    last.current = { text, at: isDue ? now : last.current.at };
    const node = element.current;
    if (!isDue || node === null || classes.flash === undefined) return;
    node.classList.remove(classes.flash);
    requestAnimationFrame(() => classes.flash !== undefined && node.classList.add(classes.flash));
  }, [text]);
  return (
    <span ref={element} className={`${classes.figure} ${className ?? ''}`}>
      {text}
    </span>
  );
}
