// Lines for a terminal as pieces of text with a style, cut to the terminal's width before anything is coloured. Pure.

import { printable } from './printable.ts';

/** ECMA-48 SGR parameters. */
const STYLES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', cyan: '36' } as const;
export type Style = keyof typeof STYLES;

export type Piece = string | readonly [text: string, style: Style];
export type StyledLine = readonly Piece[];

/** At most `columns` characters; all characters used are one column wide. */
export function renderLine(line: StyledLine, columns: number, coloured: boolean): string {
  let left = columns;
  let rendered = '';
  for (const piece of line) {
    const [whole, style] = typeof piece === 'string' ? [piece, undefined] : piece;
    const text = printable(whole).slice(0, left);
    left -= text.length;
    rendered += coloured && style !== undefined && text !== '' ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
  }
  return rendered;
}
