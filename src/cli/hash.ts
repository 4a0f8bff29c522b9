// anabranch hash: makes the hash of a password for the configuration. The password is never an argument: those are
// seen by every user of the machine, and stay in the shell's history.

import { text } from 'node:stream/consumers';
import type { ReadStream } from 'node:tty';
import type { Command } from 'commander';
import { hashPassword } from '../proxy/passwords.ts';
import { CliError } from './cli-error.ts';

const EXAMPLES = `
Examples:
  anabranch hash                        asks for the password twice, without showing it
  pass show proxy | anabranch hash      takes the first line of standard input

The line it prints goes into the configuration:
  users: [{ name: guest, password: "scrypt:…" }]`;

export function register(program: Command): void {
  program
    .command('hash')
    .description('make the hash of a password, for users in the configuration')
    .option('--stdin', 'read the password from standard input even if that is a terminal')
    .addHelpText('after', EXAMPLES)
    .action(async ({ stdin = false }: { stdin?: boolean }) => {
      const password = process.stdin.isTTY && !stdin ? await askTwice(process.stdin) : await firstLine();
      console.log(await hashOrRefuse(password));
    });
}

async function hashOrRefuse(password: string): Promise<string> {
  try {
    return await hashPassword(password);
  } catch (error) {
    if (error instanceof RangeError) throw new CliError(`${error.message}; give one of 1 to 255 bytes`, 1);
    throw error;
  }
}

async function firstLine(): Promise<string> {
  return (await text(process.stdin)).split(/\r?\n/, 1)[0] as string;
}

async function askTwice(terminal: ReadStream): Promise<string> {
  const [password, again] = await readHidden(terminal, ['Password: ', 'Once more: ']);
  if (password !== again) throw new CliError('the two passwords differ; nothing was made', 1);
  return password as string;
}

/** 128 + SIGINT, as a shell reports it. */
const INTERRUPTED = 130;
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
const ERASE = ['\u007f', '\b'];

/**
 * Reads a line for each prompt. The terminal echoes nothing from before the first prompt until after the last line, so
 * that what is typed or pasted ahead is not shown either.
 */
function readHidden(terminal: ReadStream, prompts: readonly string[]): Promise<string[]> {
  terminal.setEncoding('utf8');
  terminal.setRawMode(true);
  process.stderr.write(prompts[0] as string);
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    /** Bounded by what a person types; a password of more than 255 bytes is refused afterwards. */
    let typed: string[] = [];
    const end = (settle: () => void) => {
      terminal.off('data', onData);
      terminal.setRawMode(false);
      terminal.pause();
      process.stderr.write('\n');
      settle();
    };
    const onData = (chunk: string) => {
      for (const character of chunk) {
        if (character === CTRL_C) return end(() => reject(new CliError('interrupted', INTERRUPTED)));
        if (character === CTRL_D && typed.length === 0) return end(() => reject(new CliError('no password given', 1)));
        if (character === '\r' || character === '\n') {
          lines.push(typed.join(''));
          typed = [];
          if (lines.length === prompts.length) return end(() => resolve(lines));
          process.stderr.write(`\n${prompts[lines.length]}`);
        } else if (ERASE.includes(character)) typed.pop();
        else if (character === CTRL_U) typed = [];
        else if (character >= ' ') typed.push(character);
      }
    };
    terminal.on('data', onData);
  });
}
