// The spool's directory: numbered segments, each a row of frames. Numbers only grow; a segment is appended to by the
// process that made it and by no later one, so only its end can be torn.

import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FRAME_HEADER_BYTES, FrameError, parseFrameHeader } from './frame.ts';

const NAME = /^(\d{10})\.seg$/;

export interface Segment {
  readonly number: number;
  readonly bytes: number;
  /** As far as they can be read; 0 where they cannot. */
  readonly entries: number;
}

/** Up to where the spool has been stored: all earlier segments, and so much of this one. */
export interface SpoolPosition {
  readonly segment: number;
  readonly bytes: number;
  readonly entries: number;
}

export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(10, '0')}.seg`);
}

/** In order. Makes the directory when there is none. */
export async function listSegments(directory: string): Promise<Segment[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const names = (await readdir(directory)).filter((name) => NAME.test(name)).sort();
  const segments: Segment[] = [];
  // One by one: there may be a thousand of them.
  for (const name of names) {
    const path = join(directory, name);
    const { size } = await stat(path);
    segments.push({ number: Number.parseInt(name, 10), bytes: size, entries: await countEntries(path).catch(() => 0) });
  }
  return segments;
}

/** How many entries a segment holds, by its frames' headers; stops where it is torn. */
export async function countEntries(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const header = Buffer.alloc(FRAME_HEADER_BYTES);
    let count = 0;
    for (let at = 0; at + FRAME_HEADER_BYTES <= size; ) {
      await file.read(header, 0, FRAME_HEADER_BYTES, at);
      const frame = parseFrameHeader(header);
      if (frame === undefined || at + FRAME_HEADER_BYTES + frame.payloadBytes > size) break;
      count += frame.count;
      at += FRAME_HEADER_BYTES + frame.payloadBytes;
    }
    return count;
  } catch (error) {
    if (error instanceof FrameError) return 0;
    throw error;
  } finally {
    await file.close();
  }
}
