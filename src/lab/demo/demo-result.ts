// What the demo tells: while it runs, samples and events; at the end, the result. Also the shape of `--json`.

import type { DemoSettings, TransferName } from './demo-settings.ts';

export interface TransferSample {
  /** Received by curl. */
  readonly bytes: number;
  readonly over: boolean;
  /** Received by the client over each path since the start, as its interfaces count: headers included. */
  readonly pathBytes: readonly [number, number];
}

/** Milliseconds since both downloads began. */
export interface DemoSample extends Readonly<Record<TransferName, TransferSample>> {
  readonly atMs: number;
}

/** `regained`: a path that was cut and came back carries data of this transfer again. */
export interface DemoEvent {
  readonly atMs: number;
  readonly kind: 'cut' | 'back' | 'regained' | 'finished' | 'failed';
  readonly transfer?: TransferName;
  readonly path?: 1 | 2;
}

export interface TransferResult {
  readonly finished: boolean;
  readonly sha256Ok: boolean;
  readonly seconds: number;
  readonly longestStallMs: number;
  /** Received by curl; and by the client's interfaces over each path, headers included. */
  readonly bytes: number;
  readonly bytesPerPath: { readonly path1: number; readonly path2: number };
  /** What curl said, safe to print. */
  readonly failure: string | undefined;
}

export interface SubflowResult {
  /** Undefined for an address that is on neither path. */
  readonly path: number | undefined;
  readonly bytesSent: number;
  readonly rttMs: number;
  readonly retransmits: number;
  readonly closed: boolean;
}

export interface DemoResult extends Readonly<Record<TransferName, TransferResult>> {
  readonly events: readonly DemoEvent[];
  /** The download in the flow record of the gateway: how each side travelled, and the subflows of the client's. */
  readonly flow:
    | {
        readonly end: string;
        readonly longestStallMs: number;
        readonly clientSide: string | undefined;
        readonly serverSide: string | undefined;
        readonly subflows: readonly SubflowResult[];
      }
    | undefined;
  readonly settings: DemoSettings;
  readonly versions: Readonly<Record<'anabranch' | 'kernel' | 'node' | 'curl', string>>;
}

/** The one thing the demo promises: over MPTCP the whole file came, cut or not. */
export function isWhole({ finished, sha256Ok }: TransferResult): boolean {
  return finished && sha256Ok;
}
