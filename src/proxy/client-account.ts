// The local account whose program opened a client's connection. It is the owner of the client's socket as of the first
// question: good to choose a path or an outbound by, no proof of who speaks. A program may hand its socket to another.

import type { Endpoint } from '../wire/destination.ts';

export interface Owners {
  /** Uid of whoever made the socket at `peer` that is connected to our end at `ours`; `undefined`: it is gone. */
  ownerOf(peer: Endpoint, ours: Endpoint): number | undefined;
}

export class ClientAccount {
  readonly #owners: Owners;
  readonly #client: Endpoint;
  readonly #local: () => Endpoint | undefined;
  #isAsked = false;
  #uid: number | undefined;

  /** `local`: where the client's connection ends here; `undefined`: it is closed. */
  constructor(owners: Owners, client: Endpoint, local: () => Endpoint | undefined) {
    this.#owners = owners;
    this.#client = client;
    this.#local = local;
  }

  /** Asks the kernel, once. For clients of this machine only; `undefined`: the client's socket is gone. */
  get uid(): number | undefined {
    if (!this.#isAsked) {
      this.#isAsked = true;
      const local = this.#local();
      if (local !== undefined) this.#uid = this.#owners.ownerOf(this.#client, local);
    }
    return this.#uid;
  }
}
