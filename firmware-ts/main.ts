#!/usr/bin/env node
/**
 * The daemon's process: arguments, configuration, signals and exit statuses. What it is made of
 * is composed in gateway/.
 */
import { parseArgs } from 'node:util';
import { type Failure, failureOf } from '#bytes/failure.ts';
import { type Loaded, loadConfiguration } from '#config/load.ts';
import { type Gateway, startGateway } from '#gateway/gateway.ts';
import { VERSION } from '#gateway/version.ts';
import { openMachineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { lineLog } from '#system/log.ts';
import { keepYoungSmall, releaseMemory } from '#system/memory.ts';

/** sysexits.h, so that an init system can tell a mistake from a fault. */
const EXIT = { ok: 0, usage: 64, unavailable: 69, software: 70, configuration: 78 } as const;
const CONFIGURATION_FILE = '/etc/normd/normd.yaml';
const USAGE = `usage: normd [--config FILE]   (default ${CONFIGURATION_FILE})
       normd --help | --version

normd reads meters and PMUs, keeps their readings and sends what the policy names to its back-ends.
It stops at SIGTERM or Ctrl-C. normctl config check FILE tells what is wrong with a configuration.
Exit status: 0 stopped as asked, 64 wrong arguments, 69 cannot run, 70 normd itself failed,
78 wrong configuration.`;

const log = lineLog((line) => void process.stdout.write(line), {
  journald: process.env['JOURNAL_STREAM'] !== undefined,
});

const OPTIONS = {
  config: { type: 'string', default: CONFIGURATION_FILE },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

async function processed(): Promise<number> {
  let values: { config: string; help?: boolean; version?: boolean };
  try {
    ({ values } = parseArgs({ options: OPTIONS }));
  } catch (error) {
    console.error(`normd: ${failureOf(error).message}\n${USAGE}`);
    return EXIT.usage;
  }
  if (values.help !== true && values.version !== true) return run(values.config);
  console.log(values.help === true ? USAGE : `normd ${VERSION}`);
  return EXIT.ok;
}

async function run(file: string): Promise<number> {
  keepYoungSmall();
  const loaded = loadedFrom(file);
  if (loaded === undefined) return EXIT.software;
  if ('problems' in loaded) {
    for (const { code, line, path, message, hint } of loaded.problems) {
      log('error', 'configuration.problem', { file, line, path, code, message, hint });
    }
    return EXIT.configuration;
  }
  const stopping = stopSignal();
  try {
    const gateway = await startGateway(loaded.configuration, {
      clock: openMachineClock(loaded.configuration.clock),
      entropy: machineEntropy,
      log,
    });
    releaseMemory();
    const end = await Promise.race([stopping, gateway.failed]);
    if (typeof end === 'object') return await giveUp(gateway, end);
    log('info', 'gateway.stopping', { signal: end });
    await gateway.stop();
    return EXIT.ok;
  } catch (error) {
    return unavailable(failureOf(error));
  }
}

/** Nothing where the loader itself fails: what a file may hold never makes it. */
function loadedFrom(file: string): Loaded | undefined {
  try {
    return loadConfiguration(file);
  } catch (error) {
    const { code, message } = failureOf(error);
    log('error', 'configuration.failed', { file, code, message });
    return undefined;
  }
}

/** An init system starts normd again. That it cannot stop well follows from the failure. */
async function giveUp(gateway: Gateway, failure: Failure): Promise<number> {
  const status = unavailable(failure);
  await Promise.allSettled([gateway.stop()]);
  return status;
}

function unavailable({ code, message, hint }: Failure): number {
  log('error', 'gateway.failed', { code, message, hint });
  return EXIT.unavailable;
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

process.exitCode = await processed();
