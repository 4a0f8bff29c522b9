// What the owner wants of his paths: by configuration, by word while it runs, and by what his budgets have left.

import type { PathCost, PathsConfig } from '../config/config.ts';
import { applyKnown, compileKnown, type FindKnown } from './known-path.ts';
import type { Path } from './path.ts';

/** What can be changed while it runs; what is not given stays. */
export interface PathSettings {
  readonly priority?: number;
  /** Instead of the configuration's flag, and of what follows from priorities. */
  readonly backup?: boolean;
  readonly cost?: PathCost;
  readonly ignore?: boolean;
}

/** What the preferences need of the configuration. */
export type Preferred = Pick<PathsConfig, 'known'>;

/** What has become of a path whose budget is nearly or wholly used up. */
export type Spent = 'backup' | 'off';

/** Asked of paths, with a budget or without. */
export type SpentOf = (path: Path) => Spent | undefined;

/** Names that may be set or remembered as ignored. */
const NAMES_MAX = 256;

export class Preferences {
  #findKnown: FindKnown = () => undefined;
  /** By name. Bounded by NAMES_MAX: the oldest goes. */
  readonly #settings = new Map<string, PathSettings>();
  readonly #spentOf: SpentOf;
  /** Paths that would be there, were they not ignored: names, by interface. Bounded by NAMES_MAX. */
  readonly #ignored = new Map<string, string>();

  constructor(config: Preferred = { known: [] }, spentOf: SpentOf = () => undefined) {
    this.#spentOf = spentOf;
    this.configure(config);
  }

  /** What was set by word is forgotten: the file holds. */
  configure({ known }: Preferred): void {
    this.#findKnown = compileKnown(known);
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

  /**
   * Who stands by: of the paths that work, those behind the best priority. `works` is asked of paths without trouble.
   */
  rank(paths: readonly Path[], works: (path: Path) => boolean): Path[] {
    const first = paths.filter(
      (path) => path.trouble === undefined && !path.backup && this.#spentOf(path) === undefined && works(path),
    );
    const best = Math.min(...first.map(({ priority }) => priority));
    return paths.map((path) => {
      const said = this.#settings.get(path.name)?.backup;
      const backup = this.#spentOf(path) !== undefined || (said ?? (path.backup || path.priority > best));
      return backup === path.backup ? path : { ...path, backup };
    });
  }
}
