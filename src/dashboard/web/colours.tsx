// The paths' colours, the same everywhere: apart in hue and in lightness, so that they differ in grey and for the
// colour-blind too (after Okabe and Ito).

const COLOURS = ['#0b7285', '#e8890c', '#5f3dc4', '#2b8a3e', '#c2255c', '#1864ab', '#846000', '#495057'];

export function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] as string;
}
