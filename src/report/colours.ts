// The colours of plots. Apart in hue and in lightness, so that they differ in grey and for the colour-blind too (after
// Okabe and Ito); lines also differ in their dashes. The first ones are those that the dashboard gives its paths.

/** A colour on light paper, and what takes its place on dark. */
interface Colour {
  readonly light: string;
  readonly dark: string;
}

const PATHS: readonly Colour[] = [
  { light: '#0b7285', dark: '#3bb5cc' },
  { light: '#e8890c', dark: '#f2a541' },
  { light: '#5f3dc4', dark: '#9d85f0' },
  { light: '#8ac926', dark: '#a6d854' },
  { light: '#c2255c', dark: '#ee6a98' },
  { light: '#5aa9e6', dark: '#8cc8f5' },
  { light: '#846000', dark: '#c9a23a' },
];
const REST: Colour = { light: '#868e96', dark: '#9aa2aa' };

export const INK: Colour = { light: '#1b2127', dark: '#e4e8ec' };
export const FAINT: Colour = { light: '#5c6670', dark: '#a3adb7' };
export const GRID: Colour = { light: '#dfe3e7', dark: '#333c45' };
export const PAPER: Colour = { light: '#ffffff', dark: '#14191e' };
/** Bars, dots and boxes that stand for no path. */
export const MAIN: Colour = { light: '#1c5d99', dark: '#69aee8' };
export const PALE: Colour = { light: '#b9cfe4', dark: '#2f5478' };
/** A cut, a loss, a mark of someone else's. */
export const ALARM: Colour = { light: '#b3261e', dark: '#ff8a80' };

export function pathColour(index: number): string {
  return (PATHS[index] ?? REST).light;
}

export const REST_COLOUR = REST.light;

/** Of lines; the first is solid. */
const DASHES: readonly (readonly number[])[] = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
  [4, 4],
  [10, 4],
  [1, 3],
];

export function pathDash(index: number): readonly number[] {
  return DASHES[index] ?? [1, 5];
}

export const COLOURS: readonly Colour[] = [...PATHS, REST, INK, FAINT, GRID, PAPER, MAIN, PALE, ALARM];

/** A picture in colours for light paper, in those for dark ground. */
export function onDark(svg: string): string {
  const dark = new Map(COLOURS.map((colour) => [colour.light, colour.dark]));
  return svg.replace(/((?:fill|stroke)=")(#[\da-f]{6})"/g, (whole, name: string, colour: string) => {
    const other = dark.get(colour);
    return other === undefined ? whole : `${name}${other}"`;
  });
}
