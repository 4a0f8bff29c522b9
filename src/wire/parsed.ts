// What a parser answers.

/** `undefined`: these bytes are a proper prefix of a message, more are needed. `bytesRead` counts from the offset. */
export type Parsed<T> = { readonly value: T; readonly bytesRead: number } | undefined;
