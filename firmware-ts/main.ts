#!/usr/bin/env node
/**
 * The daemon's process: arguments, configuration, signals and exit statuses. What it is made of
 * is composed in gateway/.
 */
import { parseArgs } from 'node:util';
import { failureOf } from '#bytes/failure.ts';
import { loadConfiguration } from '#config/load.ts';
import { startGateway } from '#gateway/gateway.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { lineLog } from '#system/log.ts';

/** sysexits.h, so that an init system can tell a mistake from a fault. */
const EXIT = { ok: 0, usage: 64, unavailable: 69, configuration: 78 } as const;
const CONFIGURATION_FILE = '/etc/normd/normd.yaml';
const USAGE = `usage: normd [--config FILE]   (default ${CONFIGURATION_FILE})`;

const log = lineLog((line) => void process.stdout.write(line), {
  journald: process.env['JOURNAL_STREAM'] !== undefined,
});

function configurationFile(): string | undefined {
  try {
    const { values } = parseArgs({ options: { config: { type: 'string' } } });
    return values.config ?? CONFIGURATION_FILE;
  } catch (error) {
    console.error(`normd: ${failureOf(error).message}\n${USAGE}`);
    return undefined;
  }
}

async function run(file: string): Promise<number> {
  const loaded = loadConfiguration(file);
  if ('problems' in loaded) {
    for (const { code, line, path, message, hint } of loaded.problems) {
      log('error', 'configuration.problem', { file, line, path, code, message, hint });
    }
    return EXIT.configuration;
  }
  const stopping = stopSignal();
  try {
    const gateway = await startGateway(loaded.configuration, {
      clock: machineClock,
      entropy: machineEntropy,
      log,
    });
    log('info', 'gateway.stopping', { signal: await stopping });
    await gateway.stop();
    return EXIT.ok;
  } catch (error) {
    const { code, message, hint } = failureOf(error);
    log('error', 'gateway.failed', { code, message, hint });
    return EXIT.unavailable;
  }
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

const file = configurationFile();
process.exitCode = file === undefined ? EXIT.usage : await run(file);
