// What the demo takes from a flow record, one JSON line of an anabranch's log. The rest of the line is not looked at.

import { z } from 'zod';

const side = z.object({
  mptcp: z.string(),
  subflows: z.array(
    z.object({
      remote: z.object({ address: z.string() }),
      bytesSent: z.number(),
      rttMs: z.number(),
      retransmits: z.number(),
      closed: z.boolean(),
    }),
  ),
});

const record = z.object({
  end: z.string(),
  bytesDown: z.number(),
  longestStallMs: z.number(),
  clientSide: side.optional(),
  serverSide: side.optional(),
});
export type FlowSummary = z.output<typeof record>;

/** Undefined for a line that is no record. */
export function parseFlowRecord(line: string): FlowSummary | undefined {
  try {
    return record.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
