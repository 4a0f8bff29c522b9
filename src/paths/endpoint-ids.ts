// Ids for endpoints: a new one each time, as long as there are any.

import type { PmAddress } from '../wire/mptcp-pm.ts';
import { ENDPOINT_ID_FIRST, ENDPOINT_ID_LAST } from './marks.ts';

export class EndpointIds {
  #next: number;

  /** After a crash, not an id that the one before has used just now. */
  constructor(endpoints: readonly PmAddress[]) {
    this.#next = Math.max(ENDPOINT_ID_FIRST - 1, ...endpoints.map(({ id }) => id)) + 1;
  }

  take(endpoints: readonly PmAddress[]): number {
    const taken = new Set(endpoints.map(({ id }) => id));
    for (;;) {
      if (this.#next > ENDPOINT_ID_LAST) this.#next = ENDPOINT_ID_FIRST;
      const id = this.#next++;
      // There are more ids than paths.
      if (!taken.has(id)) return id;
    }
  }
}
