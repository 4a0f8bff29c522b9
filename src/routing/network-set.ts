// Networks as two binary tries, one a family: a look-up costs at most 32 or 128 steps, however many networks there are.

import { ipToBytes } from '../wire/ip.ts';
import { isNetworkFault, parseNetwork } from './network.ts';

/** A child's index in the trie; 0 is the root, which is nobody's child: so it stands for "none". */
const NONE = 0;
/** Marks a node where a network ends: everything below belongs to it. */
const WHOLE = -1;

export class NetworkSet {
  /** Two children a node. Bounded by the networks given: at most 32 or 128 nodes each. */
  readonly #v4: number[] = [NONE, NONE];
  readonly #v6: number[] = [NONE, NONE];

  /** Throws a RangeError on a text that `parseNetwork` refuses; the configuration has been checked before. */
  constructor(networks: readonly string[]) {
    for (const text of networks) {
      const network = parseNetwork(text);
      if (isNetworkFault(network)) throw new RangeError(`not a network: ${text}`);
      add(network.bytes.length === 4 ? this.#v4 : this.#v6, network.bytes, network.prefixLength);
    }
  }

  /** `address`: canonical text of wire/ip.ts. */
  has(address: string): boolean {
    return this.hasBytes(ipToBytes(address));
  }

  /** `bytes`: 4 or 16, as from `ipToBytes`, which turns IPv4-mapped addresses into IPv4. */
  hasBytes(bytes: Uint8Array): boolean {
    const trie = bytes.length === 4 ? this.#v4 : this.#v6;
    let node = 0;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      if (trie[node * 2] === WHOLE) return true;
      const next = trie[node * 2 + bitAt(bytes, bit)] as number;
      if (next === NONE) return false;
      node = next;
    }
    return trie[node * 2] === WHOLE;
  }
}

function add(trie: number[], bytes: Uint8Array, prefixLength: number): void {
  let node = 0;
  for (let bit = 0; bit < prefixLength; bit++) {
    // A wider network is there already.
    if (trie[node * 2] === WHOLE) return;
    const slot = node * 2 + bitAt(bytes, bit);
    if (trie[slot] === NONE) {
      trie[slot] = trie.length / 2;
      trie.push(NONE, NONE);
    }
    node = trie[slot] as number;
  }
  // Narrower ones below, if any, are out of reach from now on.
  trie[node * 2] = WHOLE;
}

function bitAt(bytes: Uint8Array, bit: number): 0 | 1 {
  return (((bytes[bit >> 3] as number) >> (7 - (bit & 7))) & 1) as 0 | 1;
}
