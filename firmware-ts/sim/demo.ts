/**
 * `npm start`: the main job on embedded parts, shown live. `--seconds N` ends it by itself,
 * `--json` prints one object at the end instead. Exit status 0 only if everything that was taken
 * has been acknowledged, and the broker got each observation, in order, none missing.
 */
import { parseArgs } from 'node:util';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { askStatus } from '#control/client.ts';
import type { GatewayStatus } from '#control/status.ts';
import { reportOf } from './demo-report.ts';
import { screenPrinter } from './demo-screen.ts';
import { screenOf } from './demo-view.ts';
import { openScene } from './scene.ts';
import type { Scene } from './scene.ts';
import { Stopwatch } from './stopwatch.ts';

const EXIT = { ok: 0, incomplete: 1, usage: 2 } as const;
const USAGE = 'usage: npm start -- [--seconds N] [--json]';
const SECONDS_MAX = 86_400;
const REFRESH_MS = 1000;
const START_WAIT_MS = 15_000;
/** After the devices have fallen silent, what is queued has this long to be acknowledged. */
const DRAIN_WAIT_MS = 15_000;
const POLL_MS = 100;

/** What to do next, a paragraph each. */
const nextSteps = (socket: string): readonly string[] => [
  'These are simulated devices. Ctrl-C stops. While it runs, in another terminal:',
  `npm run -s normctl -- status --socket ${socket}`,
  'Next: copy firmware-ts/config/example.yaml, name your devices and your broker in it, and ' +
    'check it: npm run -s normctl -- config check FILE',
];

interface Options {
  readonly seconds: number;
  readonly json: boolean;
}

function optionsFrom(words: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...words],
    options: { seconds: { type: 'string' }, json: { type: 'boolean', default: false } },
  });
  const seconds = values.seconds === undefined ? Infinity : Number(values.seconds);
  if (!(seconds > 0) || (seconds !== Infinity && seconds > SECONDS_MAX)) {
    throw new OperatingError('bad-seconds', `--seconds takes a number up to ${SECONDS_MAX}`);
  }
  return { seconds, json: values.json };
}

async function run({ seconds, json }: Options): Promise<number> {
  const watch = new Stopwatch();
  const say = (line: string): void =>
    void (json ? process.stderr : process.stdout).write(`${line}\n`);
  say('Starting a broker, three simulated devices and normd on this machine ...');
  const scene = await openScene();
  try {
    await started(scene, watch);
    await showUntil(scene, seconds, watch, json ? () => undefined : shower(scene.socket));
    await scene.silence();
    const status = await drained(scene, watch);
    const exitStatus = await scene.end();
    const report = reportOf(status, scene, exitStatus);
    if (json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else say(report.ok ? 'Stopped: all that was taken has been acknowledged.' : 'Incomplete.');
    return report.ok ? EXIT.ok : EXIT.incomplete;
  } catch (error) {
    for (const line of scene.daemon.log()) say(line);
    await scene.end();
    throw error;
  }
}

async function started(scene: Scene, watch: Stopwatch): Promise<void> {
  const died = scene.daemon.ended.then((status) => {
    throw new OperatingError('normd-died', `normd ended with status ${String(status)}`);
  });
  const ready = watch.until(START_WAIT_MS, POLL_MS, async () => {
    const status = await statusIfThere(scene);
    return status?.sources.every(({ taken }) => taken > 0) === true ? status : undefined;
  });
  if ((await Promise.race([ready, died])) === undefined) {
    throw new OperatingError('not-started', `no readings after ${START_WAIT_MS / 1000} s`);
  }
}

async function showUntil(
  scene: Scene,
  seconds: number,
  watch: Stopwatch,
  show: (status: GatewayStatus) => void,
): Promise<void> {
  const end = watch.elapsedMs + seconds * 1000;
  while (watch.elapsedMs < end && !watch.interrupted) {
    show(await askStatus(scene.socket));
    await watch.pause(Math.min(REFRESH_MS, end - watch.elapsedMs));
  }
}

/** The status once everything taken has been acknowledged, or the last one in time. */
async function drained(scene: Scene, watch: Stopwatch): Promise<GatewayStatus> {
  let status = await askStatus(scene.socket);
  await watch.until(DRAIN_WAIT_MS, POLL_MS, async () => {
    const taken = status.sources.reduce((sum, source) => sum + source.taken, 0);
    status = await askStatus(scene.socket);
    const now = status.sources.reduce((sum, source) => sum + source.taken, 0);
    const acknowledged = status.backends.reduce((sum, backend) => sum + backend.acknowledged, 0);
    return taken === now && acknowledged === now ? true : undefined;
  });
  return status;
}

function shower(socket: string): (status: GatewayStatus) => void {
  const print = screenPrinter(process.stdout, process.env['TERM'] ?? '');
  return (status) => print((extent) => screenOf(status, nextSteps(socket), extent));
}

async function statusIfThere(scene: Scene): Promise<GatewayStatus | undefined> {
  try {
    return await askStatus(scene.socket);
  } catch (error) {
    if (failureOf(error).code === 'daemon-not-running') return undefined;
    throw error;
  }
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = optionsFrom(process.argv.slice(2));
  } catch (error) {
    console.error(`${failureOf(error).message}\n${USAGE}`);
    return EXIT.usage;
  }
  try {
    return await run(options);
  } catch (error) {
    const { code, message, hint } = failureOf(error);
    console.error(`error ${code}: ${message}${hint === undefined ? '' : `\ntry: ${hint}`}`);
    return EXIT.incomplete;
  }
}

process.exitCode = await main();
