// A live flow, as `status` shows it.

import type { Endpoint } from '../wire/destination.ts';
import type { SideRecord } from './flow-record.ts';

export type FlowPhase = 'handshake' | 'authenticating' | 'connecting' | 'relaying' | 'closing';

export interface FlowStatus {
  readonly id: string;
  readonly phase: FlowPhase;
  readonly inbound: string;
  readonly client: Endpoint;
  readonly user: string | undefined;
  readonly asked: { readonly host: string; readonly port: number } | undefined;
  readonly reached: Endpoint | undefined;
  readonly outbound: string | undefined;
  /** Milliseconds since 1970. */
  readonly acceptedAt: number;
  readonly idleMs: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly clientSide: SideRecord | undefined;
  readonly serverSide: SideRecord | undefined;
}
