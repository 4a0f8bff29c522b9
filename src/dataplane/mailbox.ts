// Messages to a data-plane thread, which sits in epoll_wait and not in Node's event loop: a MessagePort read
// synchronously, and an eventfd that wakes the reader.

import { type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import { close, signalEventfd } from '../ffi/descriptors.ts';

/** Sends to a thread; any thread may hold one. Whoever calls `close` gives it the eventfd. */
export class Mailbox<Message> {
  readonly #port: MessagePort | Worker;
  readonly #wakeFd: number;
  #closed = false;

  constructor(port: MessagePort | Worker, wakeFd: number) {
    this.#port = port;
    this.#wakeFd = wakeFd;
  }

  /** Does nothing once closed. `transfer`: ports of the message, which move to the reader. */
  post(message: Message, transfer: readonly MessagePort[] = []): void {
    if (this.#closed) return;
    this.#port.postMessage(message, transfer);
    signalEventfd(this.#wakeFd);
  }

  /** Closes the eventfd. Call once the reading thread has ended. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    close(this.#wakeFd);
  }
}

/** Taken in one round at most, so that a flood of messages does not starve the sockets. */
const MESSAGES_PER_ROUND = 1_000;

/** Hands the waiting messages to `onMessage`; true when there may be more, for another round. */
export function readMailbox<Message>(port: MessagePort, onMessage: (message: Message) => void): boolean {
  for (let i = 0; i < MESSAGES_PER_ROUND; i++) {
    const received = receiveMessageOnPort(port);
    if (received === undefined) return false;
    onMessage(received.message as Message);
  }
  return true;
}
