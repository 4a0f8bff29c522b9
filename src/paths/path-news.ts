// Says what has become of each path, when it is something else than before.

import { type Path, pathKey } from './path.ts';

export interface PathCondition {
  /** Nothing comes through, although nobody said so. */
  readonly isDead: boolean;
  /** Its endpoint is somebody else's. */
  readonly others: boolean;
}

export class PathNews {
  /** What was said about each path last. Bounded by the paths. */
  #said = new Map<string, string>();
  readonly #say: (text: string) => void;

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  tell(paths: readonly Path[], conditionOf: (path: Path) => PathCondition): void {
    const said = new Map<string, string>();
    for (const path of paths)
      said.set(pathKey(path), `${path.name} (${path.address}): ${stateOf(path, conditionOf(path))}`);
    for (const [key, text] of said) if (this.#said.get(key) !== text) this.#say(text);
    for (const [key, text] of this.#said) {
      if (!said.has(key)) this.#say(`${text.slice(0, text.lastIndexOf('): ') + 1)}: gone`);
    }
    this.#said = said;
  }
}

function stateOf({ trouble, gateway, backup, spared }: Path, { isDead, others }: PathCondition): string {
  if (trouble !== undefined) return trouble;
  if (isDead) return 'silent, nothing comes through';
  const by = gateway === undefined ? '' : ` by ${gateway}`;
  const use = spared ? '; left out, as is wished' : backup ? '; stands by' : '';
  return `up${by}${use}${others ? '; its MPTCP endpoint is not ours' : ''}`;
}
