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
  const password = await ask(terminal, 'Password: ');
  const again = await ask(terminal, 'Once more: ');
  if (password !== again) throw new CliError('the two passwords differ; nothing was made', 1);
  return password;
}

/** 128 + SIGINT, as a shell reports it. */
const INTERRUPTED = 130;
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';

/** Reads a line without echo. */
function ask(terminal: ReadStream, prompt: string): Promise<string> {
  process.stderr.write(prompt);
  terminal.setEncoding('utf8');
  terminal.setRawMode(true);
  terminal.resume();
  return new Promise((resolve, reject) => {
    /** Bounded by what a person types; a longer password than 255 bytes is refused afterwards. */
    let typed: string[] = [];
    const end = (settle: () => void) => {
      terminal.setRawMode(false);
      terminal.pause();
      terminal.off('data', onData);
      process.stderr.write('\n');
      settle();
    };
    const onData = (chunk: string) => {
      for (const character of chunk) {
        if (character === '\r' || character === '\n') return end(() => resolve(typed.join('')));
        if (character === CTRL_C) return end(() => reject(new CliError('interrupted', INTERRUPTED)));
        if (character === CTRL_D && typed.length === 0) return end(() => reject(new CliError('no password given', 1)));
        if (character === '\u007f' || character === '\b') typed.pop();
        else if (character === CTRL_U) typed = [];
        else if (character >= ' ') typed.push(character);
      }
    };
    terminal.on('data', onData);
  });
}
