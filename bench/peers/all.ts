// Every peer, in the order of the tables.

import { anabranch } from './anabranch.ts';
import { dante } from './dante.ts';
import { direct } from './direct.ts';
import { haproxy } from './haproxy.ts';
import { microsocks } from './microsocks.ts';
import { nginx } from './nginx.ts';
import { nodePipe } from './node-pipe.ts';
import type { Peer } from './peer.ts';
import { squid } from './squid.ts';

export const PEERS: readonly Peer[] = [anabranch, direct, haproxy, nginx, nodePipe, microsocks, dante, squid];
