// What the owner knows of his paths, made ready to be looked up. Pure.

import type { KnownPath } from '../config/config.ts';
import { NetworkSet } from '../routing/network-set.ts';
import type { Path } from './path.ts';

/** The first entry that means the path; `undefined`: its owner says nothing of it. */
export type FindKnown = (path: Path) => KnownPath | undefined;

export function compileKnown(known: readonly KnownPath[]): FindKnown {
  const entries = known.map((entry) => ({ entry, isMeant: compileMatch(entry.match) }));
  return (path) => entries.find(({ isMeant }) => isMeant(path))?.entry;
}

function compileMatch({ interface: name, kind, address }: KnownPath['match']): (path: Path) => boolean {
  const pattern = name === undefined ? undefined : compileGlob(name);
  const networks = address === undefined ? undefined : new NetworkSet([address]);
  return (path) =>
    (pattern === undefined || pattern.test(path.interface)) &&
    (kind === undefined || kind === path.kind) &&
    (networks === undefined || networks.has(path.address));
}

/** `*` stands for any letters, `?` for one. */
function compileGlob(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'u');
}

/** The path as its owner knows it; `undefined`: it is to be none. Budgets and priorities of other paths aside. */
export function applyKnown(found: Path, known: KnownPath): Path | undefined {
  if (known.ignore === true || (found.kind === 'tunnel' && known.ignore !== false)) return undefined;
  const kind = known.kind ?? found.kind;
  const wanted = known.endpoint ?? found.wanted;
  return {
    ...found,
    name: known.name ?? found.name,
    kind,
    cost: known.cost ?? (kind === 'cellular' ? 'metered' : 'free'),
    priority: known.priority ?? 0,
    backup: wanted.backup,
    wanted,
    budget: known.budget,
  };
}
