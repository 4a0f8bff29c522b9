// `anabranch run`: the proxy itself. What it takes to run is loaded only here, so that the other commands start at once.

import type { Command } from 'commander';
import { addConfigOptions, type RunFlags } from './config-options.ts';

export function register(program: Command): void {
  const command = program
    .command('run')
    .summary('run the proxy')
    .description(
      'Runs the proxy until it is told to stop: SIGTERM or ^C lets live connections end (for timeouts.drain), a second ' +
        'one cuts them. SIGHUP reads the configuration again. Without a file and flags it serves SOCKS and HTTP on 127.0.0.1:1080.',
    )
    .argument('[file]', 'configuration file (YAML)');
  addConfigOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  anabranch run\n' +
        '  anabranch run /etc/anabranch/config.yaml\n' +
        '  anabranch run --listen 127.0.0.1:1080 --outbound socks5://gw.example.net:1080\n\n' +
        'Exit codes: 0 stopped in order, 1 failed, 2 wrong usage or configuration, 3 an address or file is not to be had,\n' +
        '4 stopped with connections cut.\n',
    )
    .action(async (file: string | undefined, flags: RunFlags) => {
      const [{ createConfigSource }, { runProxy }] = await Promise.all([
        import('./config-source.ts'),
        import('./proxy-process.ts'),
      ]);
      process.exitCode = await runProxy(createConfigSource(file, flags));
    });
}
