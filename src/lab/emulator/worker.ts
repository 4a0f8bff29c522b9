// The emulator's thread: moves frames between the ends of every link of one lab, each through its model. It never
// returns to Node's event loop while the lab lives; the main thread reaches it by a port and an eventfd.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { readMailbox } from '../../dataplane/mailbox.ts';
import { close, drainEventfd } from '../../ffi/descriptors.ts';
import { enterNetworkNamespace } from '../../ffi/namespaces.ts';
import { NativeBuffer } from '../../ffi/native-buffer.ts';
import { disableOffloads, openPacketSocket, PacketBatch } from '../../ffi/packet.ts';
import { PollSet } from '../../ffi/poll.ts';
import { runInRealTime, setTimerSlack } from '../../ffi/scheduling.ts';
import { LinkModel, Refusal } from '../link-model.ts';
import { createRandom } from '../random.ts';
import {
  COUNTERS_PER_DIRECTION,
  Counter,
  type EmulatorPlan,
  type EmulatorReply,
  type EmulatorRequest,
} from './protocol.ts';

export interface EmulatorWorkerData {
  readonly plan: EmulatorPlan;
  readonly counters: SharedArrayBuffer;
  readonly requests: MessagePort;
  readonly wakeFd: number;
}

/** Frames per system call. */
const BATCH = 32;
/** Batches taken from one device before the others have their turn. */
const BATCHES_PER_TURN = 4;
/** What the kernel may hold for one device until this thread has run: some 3,000 frames, or 100 ms at 400 Mbit/s. */
const RECEIVE_BYTES = 8 << 20;
/** Frames in the queue, and again in the delay line, of one direction: 8,192 full frames are 490 ms at 200 Mbit/s. */
const FRAMES_PER_DIRECTION = 8_192;
/** All frames of a lab at once; memory is touched only as it is used. */
const FRAMES_MAX = 65_536;
/**
 * Rounds are at least this far apart, so that under load each carries several frames; a frame then comes up to this much
 * later than the model says. At 200 Mbit/s each way it more than halves the cost.
 */
const ROUND_US_MIN = 150;
/** A wait is never longer, so that a lost wake-up cannot hang the thread. */
const WAIT_US_MAX = 500_000;

class Direction {
  readonly model: LinkModel;
  readonly counters: Float64Array;
  readonly toFd: number;

  constructor(model: LinkModel, counters: Float64Array, toFd: number) {
    this.model = model;
    this.counters = counters;
    this.toFd = toFd;
  }

  count(field: number, by = 1): void {
    this.counters[field]! += by;
  }
}

class Emulator {
  readonly #requests: MessagePort;
  readonly #wakeFd: number;
  readonly #fds: readonly number[];
  readonly #directions: readonly Direction[];
  readonly #poll: PollSet;
  readonly #pause = new PollSet([]);
  #lastRound = 0;
  readonly #frameBytes: number;
  readonly #lengths: Int32Array;
  /** Numbers of the unused frames; a stack, so that the warm ones are used first. */
  readonly #free: Int32Array;
  #freeCount: number;
  /** A frame that is never handed out: there goes what must be read but cannot be kept. */
  readonly #waste: number;
  readonly #receiving: PacketBatch;
  readonly #sending: PacketBatch;
  readonly #arrived = new Int32Array(BATCH);
  readonly #sendingFrames = new Int32Array(BATCH);
  #running = true;

  constructor({ plan, counters, requests, wakeFd }: EmulatorWorkerData) {
    this.#requests = requests;
    this.#wakeFd = wakeFd;
    const count = plan.links.length * 2;
    const frames = Math.min(FRAMES_MAX, FRAMES_PER_DIRECTION * count);
    this.#frameBytes = (plan.frameBytesMax + 63) & ~63;
    const memory = new NativeBuffer((frames + 1) * this.#frameBytes);
    this.#lengths = new Int32Array(frames);
    this.#free = Int32Array.from({ length: frames }, (_, i) => frames - 1 - i);
    this.#freeCount = frames;
    this.#waste = frames * this.#frameBytes;
    this.#receiving = new PacketBatch(BATCH, memory);
    this.#sending = new PacketBatch(BATCH, memory);

    for (const end of plan.links.flatMap(({ ends }) => ends)) {
      enterNetworkNamespace(end.hostNamespace);
      disableOffloads(end.hostDevice);
    }
    enterNetworkNamespace(plan.namespace);
    this.#fds = plan.links.flatMap(({ ends }) =>
      ends.map(({ device }) => {
        disableOffloads(device);
        return openPacketSocket(device, RECEIVE_BYTES);
      }),
    );
    const release = (frame: number): void => {
      this.#free[this.#freeCount++] = frame;
    };
    this.#directions = this.#fds.map((_, i) => {
      const link = plan.links[i >> 1]!;
      const offset = i * COUNTERS_PER_DIRECTION * 8;
      const counted = new Float64Array(counters, offset, COUNTERS_PER_DIRECTION);
      const model = new LinkModel(i % 2 === 0 ? link.up : link.down, {
        capacity: FRAMES_PER_DIRECTION,
        random: createRandom(plan.seed * 1_000_003 + i),
        onLost: (frame) => {
          counted[Counter.lost]! += 1;
          release(frame);
        },
      });
      return new Direction(model, counted, this.#fds[i ^ 1]!);
    });
    this.#poll = new PollSet([wakeFd, ...this.#fds]);
  }

  run(): void {
    this.#onWake();
    while (this.#running) this.#round();
    for (const fd of this.#fds) close(fd);
  }

  #round(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const { model } of this.#directions) {
      const at = model.nextAt();
      if (at < next) next = at;
    }
    let now = nowUs();
    const early = this.#lastRound + ROUND_US_MIN - now;
    if (early > 0) {
      this.#pause.wait(early);
      now += early;
    }
    const ready = this.#poll.wait(Math.min(Math.max(next - now, 0), WAIT_US_MAX));
    this.#lastRound = nowUs();
    if (ready > 0) {
      if (this.#poll.readyAt(0) !== 0) {
        drainEventfd(this.#wakeFd);
        this.#onWake();
      }
      for (let i = 0; i < this.#fds.length; i++) if (this.#poll.readyAt(i + 1) !== 0) this.#receive(i);
    }
    now = nowUs();
    for (const direction of this.#directions) {
      if (direction.model.nextAt() <= now) this.#deliver(direction, now);
      direction.counters[Counter.queuedBytes] = direction.model.queuedBytes;
    }
  }

  #onWake(): void {
    readMailbox<EmulatorRequest>(this.#requests, (request) => {
      if (request.kind === 'stop') {
        this.#running = false;
        return;
      }
      const direction = this.#directions[request.direction];
      if (request.kind === 'configure') direction?.model.configure(request.settings, nowUs());
      else direction?.model.silence(request.silent);
      parentPort?.postMessage({ kind: 'done', id: request.id } satisfies EmulatorReply);
    });
  }

  #receive(i: number): void {
    const fd = this.#fds[i]!;
    const direction = this.#directions[i]!;
    for (let turn = 0; turn < BATCHES_PER_TURN; turn++) {
      const room = Math.min(BATCH, this.#freeCount);
      const wanted = room > 0 ? room : BATCH;
      for (let m = 0; m < wanted; m++) {
        const at = room > 0 ? this.#free[this.#freeCount - 1 - m]! * this.#frameBytes : this.#waste;
        this.#receiving.place(m, at, this.#frameBytes);
      }
      // Errors say that the device is down just now, and are cleared by being read.
      const received = this.#receiving.receive(fd, wanted);
      if (received <= 0) return;
      if (room > 0) this.#accept(direction, received);
      else direction.count(Counter.failed, received);
      if (received < wanted) return;
    }
  }

  /** The frames just received lie on top of the stack of free ones, the first one topmost. */
  #accept(direction: Direction, received: number): void {
    const top = this.#freeCount;
    const now = nowUs();
    // Taken off before the model sees them: it may give frames back, lost ones, while it is being offered others.
    this.#freeCount = top - received;
    for (let m = 0; m < received; m++) this.#arrived[m] = this.#free[top - 1 - m]!;
    for (let m = 0; m < received; m++) {
      const frame = this.#arrived[m]!;
      const bytes = this.#receiving.lengthAt(m);
      direction.count(Counter.framesIn);
      direction.count(Counter.bytesIn, bytes);
      this.#lengths[frame] = bytes;
      const refusal = bytes > this.#frameBytes ? Refusal.noRoom : direction.model.offer(frame, bytes, now);
      if (refusal === 0) continue;
      this.#free[this.#freeCount++] = frame;
      if (refusal === Refusal.queueFull) direction.count(Counter.queueFull);
      else direction.count(refusal === Refusal.silent ? Counter.silenced : Counter.failed);
    }
  }

  #deliver(direction: Direction, now: number): void {
    for (;;) {
      let count = 0;
      for (; count < BATCH; count++) {
        const frame = direction.model.take(now);
        if (frame < 0) break;
        this.#sendingFrames[count] = frame;
        this.#sending.place(count, frame * this.#frameBytes, this.#lengths[frame]!);
      }
      if (count === 0) return;
      this.#send(direction, count);
      if (count < BATCH) return;
    }
  }

  #send(direction: Direction, count: number): void {
    let next = 0;
    while (next < count) {
      const sent = this.#sending.send(direction.toFd, next, count);
      if (sent <= 0) {
        // The device is down, or takes no frame as long as this one: a wire would lose it too.
        direction.count(Counter.failed);
        next++;
        continue;
      }
      for (let m = next; m < next + sent; m++) {
        direction.count(Counter.framesOut);
        direction.count(Counter.bytesOut, this.#lengths[this.#sendingFrames[m]!]!);
      }
      next += sent;
    }
    for (let m = 0; m < count; m++) this.#free[this.#freeCount++] = this.#sendingFrames[m]!;
  }
}

function nowUs(): number {
  return performance.now() * 1e3;
}

const emulator = new Emulator(workerData as EmulatorWorkerData);
setTimerSlack(1_000);
// A frame late for want of a processor is a wrong result. Only root may; without, the links are as good as they can be.
runInRealTime();
parentPort?.postMessage({ kind: 'ready' } satisfies EmulatorReply);
emulator.run();
