// Whether connections have taken a path up. Pure.

import type { SubflowProgress } from '../wire/subflow-dump.ts';
import type { Path } from './path.ts';

/**
 * A subflow over another path, of a connection that should be using this one too; `undefined` when there is none, or when
 * any connection has a subflow here: then the path works, and beginning anew would take that away.
 */
export function findUnjoined(
  path: Path,
  paths: readonly Path[],
  subflows: readonly SubflowProgress[],
): SubflowProgress | undefined {
  if (subflows.some(({ local }) => local.address === path.address)) return undefined;
  const others = paths.filter((one) => one.family === path.family && one.index !== path.index);
  // Only the side that opened a connection opens further subflows.
  return subflows.find(({ initiated, local }) => initiated && others.some(({ address }) => address === local.address));
}
