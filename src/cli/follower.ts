// What runs while its part of the configuration says so, also after a reload.

import type { Config } from '../config/config.ts';

/** `start`: `undefined` where there is nothing to run, or it could not be started and has said so. */
export interface FollowerOptions<Running> {
  readonly part: (config: Config) => unknown;
  readonly start: (config: Config) => Promise<Running | undefined>;
  readonly stop: (running: Running) => void;
}

/** Started, stopped, and started anew where its part has changed; nothing else touches it. */
export class Follower<Running> {
  readonly #options: FollowerOptions<Running>;
  #running: Running | undefined;
  #part: string | undefined;
  /** Reloads may overlap; they are followed in their order. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: FollowerOptions<Running>) {
    this.#options = options;
  }

  get running(): Running | undefined {
    return this.#running;
  }

  follow(config: Config): Promise<void> {
    const done = this.#turn.then(() => this.#follow(config));
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Waits for what is being started. */
  async stop(): Promise<void> {
    await this.#turn;
    this.#end();
  }

  async #follow(config: Config): Promise<void> {
    const part = JSON.stringify(this.#options.part(config));
    // What could not be started is tried again.
    if (part === this.#part && this.#running !== undefined) return;
    this.#end();
    this.#running = await this.#options.start(config);
    this.#part = part;
  }

  #end(): void {
    const running = this.#running;
    this.#running = undefined;
    this.#part = undefined;
    if (running !== undefined) this.#options.stop(running);
  }
}
