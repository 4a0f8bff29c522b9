// Messages to a data-plane thread, which sits in epoll_wait and not in Node's event loop: a MessagePort read
// synchronously, and an eventfd that wakes the reader.

import { type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import { signalEventfd } from '../ffi/descriptors.ts';

/** Sends to a thread; any thread may hold one. */
export class Mailbox<Message> {
  readonly #port: MessagePort | Worker;
  readonly #wakeFd: number;

  constructor(port: MessagePort | Worker, wakeFd: number) {
    this.#port = port;
    this.#wakeFd = wakeFd;
  }

  post(message: Message): void {
    this.#port.postMessage(message);
    signalEventfd(this.#wakeFd);
  }
}

/** Taken in one round at most, so that a flood of messages does not starve the sockets. */
const MESSAGES_PER_ROUND = 1_000;

/** Hands every waiting message to `onMessage`. */
export function readMailbox<Message>(port: MessagePort, onMessage: (message: Message) => void): void {
  for (let i = 0; i < MESSAGES_PER_ROUND; i++) {
    const received = receiveMessageOnPort(port);
    if (received === undefined) return;
    onMessage(received.message as Message);
  }
}
