// The past, over HTTP: connections that are over, and pictures of the log. Drawing takes a second of a processor, so only
// one visitor at a time has something drawn.

import type { PastQuery, PastSource } from './source.ts';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const SEARCH_CHARS_MAX = 200;
const OFF = {
  available: false,
  why: 'Connections are not logged. Start anabranch with --log embedded, or say `log: embedded` in its configuration.',
};
const UNPAGED = {
  available: false,
  why: 'The log is a file of JSON lines, which is not searched here; its pictures are below. With `log: embedded` past connections can be looked through.',
};

export class Past {
  readonly #source: PastSource | undefined;
  #drawing = false;

  constructor(source: PastSource | undefined) {
    this.#source = source;
  }

  /** `undefined`: the path is not ours. Never rejects: what went wrong is in the answer. */
  async answer(path: string, given: URLSearchParams): Promise<Answer | undefined> {
    try {
      if (path === '/past') return await this.#list(given);
      if (path === '/report') return await this.#draw((source) => source.report(numberOf(given.get('since'))));
      if (path === '/time-line') return await this.#draw((source) => source.timeLine(textOf(given.get('id')) ?? ''));
      return undefined;
    } catch (error) {
      // Not a 503, which browsers report on their console: a log that is still empty or being made is no fault of the page.
      return { status: 200, body: { available: false, why: error instanceof Error ? error.message : String(error) } };
    }
  }

  async #list(given: URLSearchParams): Promise<Answer> {
    if (this.#source === undefined) return { status: 200, body: OFF };
    if (this.#source.list === undefined) return { status: 200, body: UNPAGED };
    const query: PastQuery = {
      search: textOf(given.get('search')),
      since: numberOf(given.get('since')),
      after: textOf(given.get('after')),
    };
    return { status: 200, body: { available: true, ...(await this.#source.list(query)) } };
  }

  async #draw(draw: (source: PastSource) => Promise<unknown>): Promise<Answer> {
    if (this.#source === undefined) return { status: 200, body: OFF };
    if (this.#drawing) {
      return { status: 200, body: { available: false, why: 'Another picture is being drawn; try again in a moment.' } };
    }
    this.#drawing = true;
    try {
      return { status: 200, body: { available: true, pictures: await draw(this.#source) } };
    } finally {
      this.#drawing = false;
    }
  }
}

function textOf(text: string | null): string | undefined {
  return text === null || text === '' ? undefined : text.slice(0, SEARCH_CHARS_MAX);
}

function numberOf(text: string | null): number | undefined {
  const value = Number(text ?? Number.NaN);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
