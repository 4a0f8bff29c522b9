// The control socket of a running lab: one request, one answer, each a line of JSON. Whoever may write to the socket's
// file may change the lab, which is the user that built it, and root.

import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { z } from 'zod';
import type { Lab } from './lab.ts';
import { LabError, LabErrorCode } from './lab-error.ts';
import type { DirectionCounters } from './link-driver.ts';
import type { DirectionSettings } from './link-settings.ts';
import { controlPath, STATE_DIRECTORY } from './registry.ts';
import { CUTS, DIRECTIONS } from './timeline.ts';

const controlRequest = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('down'),
    link: z.string(),
    how: z.enum(CUTS).optional(),
    direction: z.enum(DIRECTIONS).optional(),
    side: z.string().optional(),
  }),
  z.object({ kind: z.literal('up'), link: z.string() }),
  z.object({ kind: z.literal('set'), link: z.string(), change: z.record(z.string(), z.unknown()) }),
  z.object({ kind: z.literal('address'), host: z.string(), link: z.string(), address: z.string() }),
  z.object({ kind: z.literal('show') }),
  z.object({ kind: z.literal('close') }),
]);
export type ControlRequest = z.output<typeof controlRequest>;

export interface LinkStatus {
  readonly name: string;
  readonly hosts: readonly [string, string];
  readonly up: DirectionSettings;
  readonly down: DirectionSettings;
  readonly counters: { readonly up: DirectionCounters; readonly down: DirectionCounters };
}

export type ControlAnswer =
  | { readonly ok: true; readonly links?: readonly LinkStatus[] }
  | { readonly ok: false; readonly code: LabErrorCode; readonly message: string };

const LINE_BYTES_MAX = 1 << 20;
const ANSWER_MS_MAX = 30_000;
/** Longer than any command waits in its place. */
const IDLE_MS_MAX = 60_000;
const CONNECTIONS_MAX = 32;

export interface Control {
  close(): void;
}

/** Lets other programs of this user act on the lab; `onClose` is called when one asks for its end. */
export async function openControl(lab: Lab, onClose: () => void, directory = STATE_DIRECTORY): Promise<Control> {
  const path = controlPath(lab.id, directory);
  /** Bounded by CONNECTIONS_MAX. */
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.setTimeout(IDLE_MS_MAX, () => socket.destroy());
    // Nobody is left to hear the answer, then.
    socket.on('error', () => undefined);
    readLine(socket)
      .then(async (line) => {
        const { reply, after } = await answer(lab, line, onClose);
        socket.end(`${JSON.stringify(reply)}\n`, after);
      })
      .catch(() => socket.destroy());
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(path);
  await once(server, 'listening');
  chmodSync(path, 0o600);
  // An idle control socket keeps no program alive.
  server.unref();
  return {
    close() {
      server.close();
      for (const socket of sockets) socket.destroySoon();
    },
  };
}

interface Answer {
  readonly reply: ControlAnswer;
  /** What is to happen once the reply is sent. */
  readonly after?: () => void;
}

async function answer(lab: Lab, line: string, onClose: () => void): Promise<Answer> {
  try {
    const request = controlRequest.parse(JSON.parse(line));
    if (request.kind === 'close') return { reply: { ok: true }, after: onClose };
    if (request.kind !== 'show') await act(lab, request);
    const links = [...lab.links.keys()].map((name) => statusOf(lab, name));
    return { reply: request.kind === 'show' ? { ok: true, links } : { ok: true } };
  } catch (error) {
    const code = error instanceof LabError ? error.code : LabErrorCode.command;
    return { reply: { ok: false, code, message: error instanceof Error ? error.message : String(error) } };
  }
}

function act(lab: Lab, request: Exclude<ControlRequest, { kind: 'show' | 'close' }>): Promise<void> {
  if (request.kind === 'address') return lab.act(request);
  const link = lab.link(request.link);
  if (request.kind === 'up') return link.up();
  if (request.kind === 'set') return link.set(request.change);
  const { how, direction, side } = request;
  return link.down({ how, direction, side });
}

function statusOf(lab: Lab, name: string): LinkStatus {
  const link = lab.link(name);
  const [first, second] = link.hosts;
  return {
    name,
    hosts: [first.name, second.name],
    up: link.settings('up'),
    down: link.settings('down'),
    counters: { up: link.counters('up'), down: link.counters('down') },
  };
}

/** Asks a running lab. Rejects with the LabError it answers, or with one that says why it cannot. */
export async function askLab(path: string, request: ControlRequest): Promise<ControlAnswer & { ok: true }> {
  const socket = connect(path);
  socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error(`no answer within ${ANSWER_MS_MAX / 1e3} s`)));
  try {
    const line = readLine(socket);
    socket.write(`${JSON.stringify(request)}\n`);
    const reply = JSON.parse(await line) as ControlAnswer;
    if (reply.ok) return reply;
    throw new LabError(reply.code, reply.message);
  } catch (error) {
    if (error instanceof LabError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'it does not take commands' : code === 'EACCES' ? 'it is of another user' : message;
    throw new LabError(LabErrorCode.missing, `the lab cannot be reached: ${why}`);
  } finally {
    socket.destroy();
  }
}

function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > LINE_BYTES_MAX) reject(new Error('the line is too long'));
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
}
