// Values of keys that are there.

export type Present<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

/** Without keys that are there and undefined. */
export function withoutUndefined<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>;
}
