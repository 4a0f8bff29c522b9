// Names of inbounds: given, or made of the type. Works on values that may be faulty still.

/** A map of the file, its values not checked yet. */
export type RawMap = Readonly<Record<string, unknown>>;

/** The maps of a list, with their indices; anything else is left out. */
export function mapsOf(value: unknown): readonly { readonly index: number; readonly map: RawMap }[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown, index) => {
    return typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      ? [{ index, map: entry as RawMap }]
      : [];
  });
}

/**
 * One name for each inbound: its own, else its type, `type-2` and so on. Names given come first, wherever they stand,
 * so that adding an inbound without a name renames no other one that has one.
 */
export function inboundNames(inbounds: readonly RawMap[]): string[] {
  const taken = new Set(inbounds.map(({ name }) => name));
  const next = new Map<string, number>();
  return inbounds.map(({ name, type }) => {
    if (typeof name === 'string') return name;
    // A faulty type may be anything, also a map whose text cannot be had.
    const base = typeof type === 'string' ? type : 'inbound';
    for (let number = next.get(base) ?? 1; ; number++) {
      const made = number === 1 ? base : `${base}-${number}`;
      if (taken.has(made)) continue;
      next.set(base, number + 1);
      return made;
    }
  });
}
