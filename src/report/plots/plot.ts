// A plot before it is drawn: a Vega-Lite specification with its data in it.

import type { TopLevelSpec } from 'vega-lite';

export interface Plot {
  /** Of its file, without an ending. */
  readonly name: string;
  readonly title: string;
  /** What is to be seen, for those who do not see it, and what to know about it. */
  readonly about: string;
  /** What its own numbers mean; it stands in the picture too. */
  readonly legend?: string;
  readonly spec: TopLevelSpec;
}

/** Inside the axes, in pixels. */
export const WIDTH = 680;
export const HEIGHT = 260;
