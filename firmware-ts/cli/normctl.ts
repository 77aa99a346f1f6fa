#!/usr/bin/env node
import { EXIT } from './exit-codes.ts';
import { runCommandLine } from './program.ts';
import { processTerminal } from './terminal.ts';

/** `normctl … | head` closes the pipe when it has seen enough: that is no error. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    process.stderr.write(`error output-failed: ${error.message}\n`);
    process.exit(EXIT.unexpected);
  });
}

process.exitCode = await runCommandLine(process.argv.slice(2), processTerminal());
