// Text from other programs on its way to a terminal.

const LENGTH_MAX = 300;

/** One line without control characters, so that nothing in it can steer a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '?').slice(0, LENGTH_MAX);
}
