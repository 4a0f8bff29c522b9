// What the services have to say, structured; the composition root decides where it goes.

/** `code` is stable and greppable; `fields` hold no secrets. */
export interface Log {
  info(code: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(code: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(code: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
}
