// What the YAML parser complains about, in words that tell what to do. Its own messages may quote the file, and with
// it a password; these do not.

import type { YAMLError } from 'yaml';

interface Words {
  readonly message: string;
  readonly hint: string;
}

const QUOTES_HINT = 'put text that begins with one of [ ] { } * & ! | > % @ ` or holds ": " or " #" into quotes';

/** The parser finds these only when it is asked for the values. */
export const BAD_ALIAS = {
  key: '',
  message: 'a * begins an alias here, and there is no such anchor',
  hint: QUOTES_HINT,
};

const WORDS: Readonly<Partial<Record<YAMLError['code'], Words>>> = {
  BAD_DQ_ESCAPE: { message: 'a backslash that begins no known escape', hint: "write \\\\, or use single quotes ('…')" },
  BAD_INDENT: { message: 'the indentation fits nothing above', hint: 'indent entries of one list or map alike' },
  BAD_SCALAR_START: { message: 'plain text cannot begin like this', hint: QUOTES_HINT },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second key on the same line',
    hint: 'a line of its own for each, or { a: 1, b: 2 }',
  },
  BLOCK_IN_FLOW: { message: 'an indented list or map inside of [ ] or { }', hint: 'close the bracket first' },
  DUPLICATE_KEY: { message: 'this key is there already', hint: 'keep one of the two' },
  MISSING_CHAR: {
    message: 'something is missing here: a closing bracket or quote, a comma, a colon or a space',
    hint: QUOTES_HINT,
  },
  MULTILINE_IMPLICIT_KEY: { message: 'a key cannot span lines', hint: 'is a colon missing after the key above?' },
  MULTIPLE_DOCS: { message: 'a second document begins', hint: 'one configuration a file: remove the --- line' },
  RESOURCE_EXHAUSTION: { message: 'lists or maps are nested too deeply', hint: 'at most a few levels are ever needed' },
  TAB_AS_INDENT: { message: 'a tab as indentation', hint: 'indent with spaces' },
  TAG_RESOLVE_FAILED: { message: 'a ! begins a tag here, and none is known', hint: QUOTES_HINT },
  UNEXPECTED_TOKEN: { message: 'this does not fit what stands before it', hint: QUOTES_HINT },
};

/** After these the rest of the file still means what it says; after the others, complaints about it would mislead. */
const HARMLESS: readonly string[] = ['DUPLICATE_KEY', 'TAG_RESOLVE_FAILED'];

export function wordsOf(error: YAMLError): Words {
  return WORDS[error.code] ?? { message: `this is not YAML (${error.code})`, hint: QUOTES_HINT };
}

export function leavesRestReadable(error: YAMLError): boolean {
  return HARMLESS.includes(error.code);
}
