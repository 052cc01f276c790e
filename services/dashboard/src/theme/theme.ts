/** Mantine's components in our colours and sizes: dense, calm, one accent. */
import {
  type CSSVariablesResolver,
  createTheme,
  localStorageColorSchemeManager,
  type MantineColorsTuple,
} from '@mantine/core';

const accent: MantineColorsTuple = [
  '#eceeff',
  '#d5d9fb',
  '#b9c0ff',
  '#9aa8ff',
  '#7f8df2',
  '#6573e3',
  '#4f5cd0',
  '#4350c5',
  '#3743ad',
  '#2b358f',
];
/** Mantine's dark greys are warm; these are the tokens' own. */
const dark: MantineColorsTuple = [
  '#dde3ea',
  '#b8c2ce',
  '#93a0b0',
  '#66758a',
  '#3a4656',
  '#28323f',
  '#1b232d',
  '#141a22',
  '#0d1117',
  '#090c11',
];

export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: { light: 7, dark: 6 },
  colors: { accent, dark },
  defaultRadius: 'sm',
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  fontSizes: { xs: '11px', sm: '12px', md: '13px', lg: '15px', xl: '18px' },
  spacing: { xs: '6px', sm: '8px', md: '12px', lg: '16px', xl: '24px' },
  headings: { sizes: { h1: { fontSize: '18px' }, h2: { fontSize: '14px' }, h3: { fontSize: '13px' } } },
  cursorType: 'pointer',
  respectReducedMotion: true,
  // In a sentence a link is not to be told by its colour alone.
  components: { Anchor: { defaultProps: { underline: 'always' } } },
});

const WORDS = { '--mantine-color-dimmed': 'var(--dim)', '--mantine-color-error': 'var(--refused)' };
/** Mantine's quiet and warning words on our grounds: its own grey and red have too little contrast on the light one. */
export const variables: CSSVariablesResolver = () => ({ variables: {}, light: WORDS, dark: WORDS });

/** `public/scheme.js` reads the same key before the first paint. */
export const schemes = localStorageColorSchemeManager({ key: 'perpstream.scheme' });
