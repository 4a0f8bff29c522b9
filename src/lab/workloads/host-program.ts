// The lab's handle on one of its own programs inside a host.

import { StringDecoder } from 'node:string_decoder';
import { fileURLToPath } from 'node:url';
import type { ExecResult, Host, HostProcess } from '../host.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';

/** A report with all its samples is about a megabyte. */
const LINE_BYTES_MAX = 64 << 20;
/** After it was told to end. */
const END_MS_MAX = 10_000;

export class HostProgram<Line> {
  readonly process: HostProcess;
  readonly #what: string;
  /** Lines that nobody has waited for yet. Bounded by what the program says: a handful, for progress is passed on. */
  readonly #lines: Line[] = [];
  #waiting: (() => void) | undefined;
  #ended: ExecResult | undefined;
  #text = '';
  readonly #onLine: (line: Line) => boolean;

  /**
   * Starts `file` (beside this one) in a host; it waits for its job. `onLine` may take lines away by answering true.
   * The program is killed after `timeoutMs`.
   */
  constructor(host: Host, file: string, timeoutMs: number, onLine: (line: Line) => boolean = () => false) {
    this.#what = `the workload's ${file} on ${host.name}`;
    this.#onLine = onLine;
    const path = fileURLToPath(new URL(`./${file}.js`, import.meta.url));
    this.process = host.spawn([process.execPath, path], { timeoutMs });
    const { child, exited } = this.process;
    // The host reads the same stream, in bytes.
    const decoder = new StringDecoder('utf8');
    child.stdout.on('data', (bytes: Buffer) => this.#take(decoder.write(bytes)));
    exited.then(
      (result) => this.#end(result),
      (error: Error) => {
        this.#end({ status: undefined, signal: undefined, stdout: '', stderr: error.message, ms: 0 });
      },
    );
  }

  begin(job: object): void {
    this.process.child.stdin.write(`${JSON.stringify(job)}\n`);
  }

  /** The next line; rejects with a LabError when the program ends without one, or says nothing for `timeoutMs`. */
  async next(timeoutMs: number): Promise<Line> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.#ended !== undefined) throw this.#failure(this.#ended);
      const left = deadline - performance.now();
      if (left <= 0) throw new LabError(LabErrorCode.timeout, `${this.#what} said nothing for ${timeoutMs} ms`);
      await this.#wait(left);
    }
  }

  /** Tells the program to end; it may say something yet. */
  stop(): void {
    this.process.child.stdin.end();
  }

  /** Resolves once the program is gone, whatever it takes. */
  async close(): Promise<void> {
    this.stop();
    const deadline = performance.now() + END_MS_MAX;
    while (this.#ended === undefined && performance.now() < deadline) await this.#wait(deadline - performance.now());
    if (this.#ended !== undefined) return;
    this.process.kill('SIGKILL');
    await this.process.exited.catch(() => undefined);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#waiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #take(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() ?? '';
    if (this.#text.length > LINE_BYTES_MAX) this.process.kill('SIGKILL');
    for (const line of lines) {
      const value = JSON.parse(line) as Line;
      if (!this.#onLine(value)) this.#lines.push(value);
    }
    this.#waiting?.();
  }

  #end(result: ExecResult): void {
    this.#ended = result;
    this.#waiting?.();
  }

  #failure({ status, signal, stderr }: ExecResult): LabError {
    const said = stderr.trim().split('\n').slice(0, 8).join('\n');
    const how = signal === undefined ? `ended with status ${status}` : `was ended by ${signal}`;
    return new LabError(LabErrorCode.command, `${this.#what} ${how}${said && `: ${said}`}`);
  }
}
