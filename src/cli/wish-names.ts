// Wishes that name a path which is not there: nothing is wrong with that while it is away, but a slip of the finger would
// never be found.

import type { Config, Wish } from '../config/config.ts';
import { suggest } from '../config/nearest.ts';

/** What to say of each such wish of the configuration. `names`: of the paths that there are, and of their interfaces. */
export function unknownWishes({ paths, rules }: Pick<Config, 'paths' | 'rules'>, names: readonly string[]): string[] {
  const known = new Set([...names, ...paths.known.flatMap(({ name }) => (name === undefined ? [] : [name]))]);
  const wishes: readonly (readonly [string, Wish | undefined])[] = [
    ['paths.wish', paths.wish],
    ...rules.map(({ wish }, index) => [`rules[${index}].wish`, wish] as const),
  ];
  return wishes.flatMap(([key, wish]) => {
    if (wish === undefined || !('path' in wish) || known.has(wish.path)) return [];
    return [`${key} names the path "${wish.path}", and there is none just now: ${suggest(wish.path, [...known])}`];
  });
}
