// A block of lines at the bottom of a terminal, drawn again in place (ECMA-48 control sequences).

import { renderLine, type StyledLine } from './styled-line.ts';

/** What a screen needs of a terminal; a tty.WriteStream is one. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
}

export interface ScreenOptions {
  readonly coloured: boolean;
}

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_LINE_REST = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const CLEAR_ALL = '\u001b[2J\u001b[H';

export class Screen {
  readonly #terminal: Terminal;
  readonly #options: ScreenOptions;
  /** Lines of the last drawing, and the size it was made for. */
  #drawn = 0;
  #size = '';

  constructor(terminal: Terminal, options: ScreenOptions) {
    this.#terminal = terminal;
    this.#options = options;
  }

  /** Lines that the terminal has no room for are left out at the end. */
  draw(lines: readonly StyledLine[]): void {
    const { columns, rows } = this.#terminal;
    const size = `${columns}x${rows}`;
    // A terminal that was made narrower has broken our lines, and nobody knows where they are now.
    const start = this.#drawn === 0 ? HIDE_CURSOR : size === this.#size ? `\r\u001b[${this.#drawn}A` : CLEAR_ALL;
    const fitting = lines.slice(0, Math.max(1, rows - 1));
    // One column stays free: a character in the last one would make some terminals begin a line.
    const text = fitting.map((line) => `${renderLine(line, columns - 1, this.#options.coloured)}${CLEAR_LINE_REST}\n`);
    this.#terminal.write(`${start}${text.join('')}${CLEAR_BELOW}`);
    this.#drawn = fitting.length;
    this.#size = size;
  }

  /** Gives the cursor back. What was drawn stays, and what is written next comes below. Safe to repeat. */
  end(): void {
    if (this.#drawn > 0) this.#terminal.write(SHOW_CURSOR);
    this.#drawn = 0;
  }
}
