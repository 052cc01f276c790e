/** The theme's colours for what is drawn on a canvas, which knows no CSS variables. */

export interface Palette {
  ground: string;
  text: string;
  dim: string;
  line: string;
  accent: string;
  up: string;
  down: string;
  degraded: string;
  hatch: string;
}

const NAMES = {
  ground: '--panel',
  text: '--text',
  dim: '--dim',
  line: '--line',
  accent: '--accent',
  up: '--up',
  down: '--down',
  degraded: '--degraded',
  hatch: '--hatch',
} as const satisfies Record<keyof Palette, string>;

/** As they are now. */
export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const named = Object.entries(NAMES).map(([name, variable]) => [name, style.getPropertyValue(variable).trim()]);
  return Object.fromEntries(named) as Palette;
}

/** Told when the theme or the pair of colours changes. */
export function onPalette(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributeFilter: ['data-mantine-color-scheme', 'data-pair'] });
  return () => observer.disconnect();
}

/** The colour, so much of it (0 to 1). */
export function faded(colour: string, share: number): string {
  return /^#[0-9a-f]{6}$/i.test(colour)
    ? colour +
        Math.round(share * 255)
          .toString(16)
          .padStart(2, '0')
    : colour;
}
