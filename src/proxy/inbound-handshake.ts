// The handshake that belongs to each type of inbound.

import type { InboundConfig } from '../config/config.ts';
import { createHttpServer } from '../handshake/http-server.ts';
import type { InboundHandshake } from '../handshake/inbound.ts';
import { createMixed } from '../handshake/mixed.ts';
import { createSocksServer } from '../handshake/socks-server.ts';

const CREATORS = { socks: createSocksServer, http: createHttpServer, mixed: createMixed };

/** `undefined` for `forward`, whose clients say nothing of where they want to go. */
export function createInboundHandshake(inbound: InboundConfig): InboundHandshake | undefined {
  if (inbound.type === 'forward') return undefined;
  return CREATORS[inbound.type]({ authenticate: inbound.users.length > 0 });
}
