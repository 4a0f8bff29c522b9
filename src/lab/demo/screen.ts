// A block of lines at the bottom of a terminal, drawn again in place (ECMA-48 control sequences). Pure: it returns what
// is to be written.

import { renderLine, type StyledLine } from './styled-line.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_LINE_REST = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const CLEAR_ALL = '\u001b[2J\u001b[H';

export class Screen {
  readonly #coloured: boolean;
  /** Lines of the last drawing, and the size it was made for. */
  #drawn = 0;
  #size: Size = { columns: 0, rows: 0 };

  constructor({ coloured }: { coloured: boolean }) {
    this.#coloured = coloured;
  }

  /** What to write so that the lines take the place of those before. Those without room are left out at the end. */
  draw(lines: readonly StyledLine[], size: Size): string {
    const { columns, rows } = size;
    const fitting = lines.slice(0, Math.max(1, rows - 1));
    // One column stays free: a character in the last one would make some terminals begin a line.
    const text = fitting.map((line) => `${renderLine(line, columns - 1, this.#coloured)}${CLEAR_LINE_REST}\n`);
    const start = this.#start(size);
    this.#drawn = fitting.length;
    this.#size = size;
    return `${start}${text.join('')}${CLEAR_BELOW}`;
  }

  /** Gives the cursor back. What was drawn stays, and what is written next comes below. Safe to repeat. */
  end(): string {
    const before = this.#drawn;
    this.#drawn = 0;
    return before > 0 ? SHOW_CURSOR : '';
  }

  #start({ columns, rows }: Size): string {
    if (this.#drawn === 0) return HIDE_CURSOR;
    // A terminal that was made narrower has broken our lines, and nobody knows where they are now.
    if (columns !== this.#size.columns || rows !== this.#size.rows) return CLEAR_ALL;
    return `\r\u001b[${this.#drawn}A`;
  }
}
