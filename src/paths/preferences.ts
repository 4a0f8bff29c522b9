// What the owner wants of his paths: by configuration, by word while it runs, and by what his budgets have left.

import type { PathCost, PathsConfig } from '../config/config.ts';
import { choosePaths, type PathState } from '../routing/path-choice.ts';
import { applyKnown, compileKnown, type FindKnown } from './known-path.ts';
import type { Path } from './path.ts';
import { statePath } from './path-state.ts';

/** What can be changed while it runs; what is not given stays. */
export interface PathSettings {
  readonly priority?: number;
  /** Instead of the configuration's flag, and of what follows from priorities. */
  readonly backup?: boolean;
  readonly cost?: PathCost;
  readonly ignore?: boolean;
}

/** What the preferences need of the configuration. */
export type Preferred = Pick<PathsConfig, 'known' | 'mode' | 'wish'>;

const NOTHING: Preferred = { known: [], mode: 'kernel', wish: { kind: 'max-throughput' } };

/** What has become of a path whose budget is nearly or wholly used up. */
export type Spent = 'backup' | 'off';

/** Asked of paths, with a budget or without. */
export type SpentOf = (path: Path) => Spent | undefined;

/** Names that may be set or remembered as ignored. */
const NAMES_MAX = 256;

export class Preferences {
  #config: Preferred;
  #findKnown: FindKnown = () => undefined;
  /** By name. Bounded by NAMES_MAX: the oldest goes. */
  readonly #settings = new Map<string, PathSettings>();
  readonly #spentOf: SpentOf;
  /** Paths that would be there, were they not ignored: names, by interface. Bounded by NAMES_MAX. */
  readonly #ignored = new Map<string, string>();
  /** Address of the path that came first last, by family. */
  readonly #before = new Map<4 | 6, string>();

  constructor(config: Preferred = NOTHING, spentOf: SpentOf = () => undefined) {
    this.#spentOf = spentOf;
    this.#config = config;
    this.configure(config);
  }

  /** What was set by word is forgotten: the file holds. */
  configure(config: Preferred): void {
    // Who has the connections does not change while they stand.
    this.#config = { ...config, mode: this.#config.mode };
    this.#findKnown = compileKnown(config.known);
    this.#settings.clear();
    this.#ignored.clear();
  }

  /** `name`: of one or several paths; see `names`. */
  set(name: string, settings: PathSettings): void {
    const next = { ...this.#settings.get(name), ...settings };
    this.#settings.delete(name);
    this.#settings.set(name, next);
    for (const oldest of this.#settings.keys()) {
      if (this.#settings.size <= NAMES_MAX) break;
      this.#settings.delete(oldest);
    }
  }

  /** Names of paths that are ignored just now. */
  get ignored(): readonly string[] {
    return [...new Set(this.#ignored.values())];
  }

  /** For discoverPaths. */
  readonly judge = (found: Path): Path | undefined => {
    const known = this.#findKnown(found);
    const name = known?.name ?? found.name;
    const said = this.#settings.get(name) ?? {};
    const ignore = said.ignore ?? known?.ignore;
    const path = applyKnown(found, { match: {}, ...known, ...(ignore === undefined ? {} : { ignore }) });
    if (path === undefined) {
      if (ignore === true && this.#ignored.size < NAMES_MAX) this.#ignored.set(found.interface, name);
      return undefined;
    }
    this.#ignored.delete(found.interface);
    const isOff = this.#spentOf(path) === 'off';
    return {
      ...path,
      cost: said.cost ?? path.cost,
      priority: said.priority ?? path.priority,
      backup: said.backup ?? path.backup,
      trouble: path.trouble ?? (isOff ? 'budget used up' : undefined),
    };
  };

  /** Who stands by, and who is left out. `isDead` and `rttMs` are asked of paths without trouble. */
  rank(
    paths: readonly Path[],
    isDead: (path: Path) => boolean = () => false,
    rttMs: (path: Path) => number | undefined = () => undefined,
  ): Path[] {
    const isFirst = (path: Path): boolean =>
      path.trouble === undefined && !path.backup && this.#spentOf(path) === undefined && !isDead(path);
    // Paths behind the best priority that works stand by.
    const best = Math.min(...paths.filter(isFirst).map(({ priority }) => priority));
    const ranked = paths.map((path) => {
      const said = this.#settings.get(path.name)?.backup;
      const spent = this.#spentOf(path) !== undefined;
      const backup = spent || (said ?? (path.backup || path.priority > best));
      return { ...path, backup, spent };
    });
    // In mode userspace each connection has a wish of its own.
    if (this.#config.mode === 'userspace' || this.#config.wish.kind === 'max-throughput') return ranked;
    const states = ranked.map((path) => ({ ...statePath(path, isDead(path), rttMs(path)), subject: path }));
    const wished = ([4, 6] as const).flatMap((family) => this.#wish(states.filter((one) => one.family === family)));
    return ranked.map((path) => {
      const { backup, spared } = wished.find(({ subject }) => subject === path) ?? path;
      return { ...path, backup, spared };
    });
  }

  /** What the wish makes of the paths of one family. */
  #wish(states: readonly RankedState[]): Wished[] {
    const { wish } = this.#config;
    const [first] = states;
    if (first === undefined) return [];
    const before = this.#before.get(first.family);
    const chosen = choosePaths(states, { wish, bytes: Number.POSITIVE_INFINITY, meteredAfter: undefined, before });
    if (chosen[0] !== undefined) this.#before.set(first.family, chosen[0].path.address);
    return states.map(({ subject, works, address }) => {
      const choice = chosen.find(({ path }) => path.address === address);
      if (choice !== undefined) return { subject, backup: choice.backup || subject.spent, spared: false };
      return { subject, backup: subject.backup, spared: works };
    });
  }
}

type RankedState = PathState & { readonly subject: Path };

interface Wished {
  readonly subject: Path;
  readonly backup: boolean;
  readonly spared: boolean;
}
