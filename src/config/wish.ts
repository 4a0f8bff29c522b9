// What the owner wants of his paths: for everything, or for what a rule matches.

import type { Wish } from './config.ts';
import type { Reading } from './readings.ts';

export const WISH_HINT = 'max-throughput, low-latency, avoid metered, prefer NAME, or only NAME';
/** A path's name is given, or its interface's. */
const WISH_PATH = /^[^\s/\p{C}]{1,63}$/u;

export function readWish(text: string): Reading<Wish> {
  const words = text.trim().split(/\s+/);
  const [verb = '', path, ...rest] = words;
  const plain = words.join('-');
  if (plain === 'max-throughput' || plain === 'low-latency' || plain === 'avoid-metered') {
    return { value: { kind: plain } };
  }
  if (verb === 'redundant') {
    return {
      wrong:
        'cannot be had: MPTCP sends data twice by its scheduler alone, and the kernel lets nobody choose that per connection',
      hint: WISH_HINT,
    };
  }
  if (verb !== 'prefer' && verb !== 'only') return { wrong: 'is no wish', hint: WISH_HINT };
  if (path === undefined) return { wrong: 'names no path', hint: `${verb} NAME: as \`anabranch paths\` shows it` };
  if (rest.length > 0 || !WISH_PATH.test(path)) {
    return { wrong: 'is not one name of a path', hint: `${verb} NAME: as \`anabranch paths\` shows it` };
  }
  return { value: { kind: verb, path } };
}

/** In the words of the configuration. */
export function formatWish(wish: Wish): string {
  if (wish.kind === 'avoid-metered') return 'avoid metered';
  return 'path' in wish ? `${wish.kind} ${wish.path}` : wish.kind;
}
