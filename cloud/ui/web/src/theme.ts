import {
  ActionIcon, Badge, Button, createTheme, Modal, NavLink, Text, type CSSVariablesResolver,
  type MantineColorsTuple,
} from '@mantine/core';

const steel: MantineColorsTuple = [
  '#eef4fb', '#dbe6f3', '#b4cbe6', '#8aafd9', '#6797ce', '#4f87c7', '#2f6cb0', '#1f5796',
  '#1a4a80', '#123a67',
];

export const theme = createTheme({
  primaryColor: 'steel',
  primaryShade: { light: 7, dark: 6 },
  colors: { steel },
  autoContrast: true,
  luminanceThreshold: 0.32,
  defaultRadius: 'sm',
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif',
  headings: { sizes: { h1: { fontSize: '1.35rem' }, h2: { fontSize: '1.05rem' }, h3: { fontSize: '0.95rem' } } },
  cursorType: 'pointer',
  components: {
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle' } }),
    Badge: Badge.extend({ styles: { label: { textTransform: 'none' } } }),
    Button: Button.extend({ defaultProps: { size: 'sm' } }),
    Modal: Modal.extend({ defaultProps: { centered: true } }),
    NavLink: NavLink.extend({}),
    Text: Text.extend({}),
  },
});

/** Colours of states: text on a pale ground, at least 4.5 : 1 in both themes. */
const STATES = {
  light: {
    alarm: ['#a3150c', '#fde7e4'], alert: ['#7a4300', '#fff0d4'], normal: ['#17613a', '#e0f4e7'],
    learning: ['#174ea6', '#e4eefe'], silent: ['#5f2a91', '#f0e7fa'], unknown: ['#4a5460', '#eceff2'],
  },
  dark: {
    alarm: ['#ffa79d', '#541a15'], alert: ['#ffc876', '#493309'], normal: ['#8fe0ac', '#143b25'],
    learning: ['#a3c8ff', '#172f53'], silent: ['#dbbcf8', '#3a1f55'], unknown: ['#b9c1c9', '#2f353b'],
  },
} as const;

function variables(scheme: 'light' | 'dark'): Record<string, string> {
  const pairs = Object.entries(STATES[scheme]).flatMap(([state, [ink, ground]]) => [
    [`--state-${state}`, ink],
    [`--state-${state}-bg`, ground],
  ]);
  return Object.fromEntries(pairs) as Record<string, string>;
}

export const resolver: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    ...variables('light'),
    '--mantine-color-dimmed': '#55606b',
    '--line': '#d9dee3',
    '--chosen': '#dbe6f3',
    '--chosen-ink': '#123a67',
    '--ground': '#f6f8fa',
    '--chart-line': '#1f5796',
    '--chart-grid': '#e6eaee',
    '--chart-axis': '#55606b',
    '--chart-fan': 'rgba(163, 21, 12, 0.16)',
    '--mantine-color-placeholder': '#5f6a75',
  },
  dark: {
    ...variables('dark'),
    '--mantine-color-dimmed': '#a6b0ba',
    '--line': '#3a4149',
    '--chosen': '#21405f',
    '--chosen-ink': '#dbe9fb',
    '--ground': '#16191d',
    '--mantine-color-body': '#1b1f24',
    '--chart-line': '#7fb3ec',
    '--chart-grid': '#2c3238',
    '--chart-axis': '#a6b0ba',
    '--chart-fan': 'rgba(255, 167, 157, 0.2)',
    '--mantine-color-placeholder': '#98a2ac',
  },
});
