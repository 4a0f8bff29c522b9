// Bars and sparklines of one line's height, for terminals with and without Unicode. Pure.

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const HEIGHTS = { unicode: '▁▂▃▄▅▆▇█', ascii: '_.,-~=*#' };

/** `width` characters, of which `share` (0 to 1, and clamped to it) are filled. */
export function bar(share: number, width: number, unicode: boolean): string {
  const filled = Math.min(1, Math.max(0, share)) * width;
  const full = Math.floor(filled);
  if (!unicode) return '#'.repeat(full).padEnd(width, '.');
  const rest = EIGHTHS[Math.floor((filled - full) * 8)] ?? '';
  return `${'█'.repeat(full)}${rest}`.padEnd(width, ' ');
}

/** The last `width` values as heights up to `most`, right-aligned; a value of nothing (below 1 %) leaves a gap. */
export function sparkline(values: readonly number[], most: number, width: number, unicode: boolean): string {
  const levels = unicode ? HEIGHTS.unicode : HEIGHTS.ascii;
  // Not slice(-width), which would be all of them for 0.
  const marks = values.slice(Math.max(0, values.length - width)).map((value) => {
    const share = value / most;
    if (share < 0.01) return ' ';
    return levels[Math.min(levels.length - 1, Math.floor(share * levels.length))] ?? ' ';
  });
  return marks.join('').padStart(width, ' ');
}
