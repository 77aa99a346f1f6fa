/** What a number of `npm run bench` is asked to be. */
export interface Mark {
  /** Of a bench or of a study. */
  readonly number: string;
  /** In the words of the promise. */
  readonly asks: string;
  readonly relation: '≥' | '<' | '≤';
  readonly than: number;
}

/** The promise counts in megabytes, the machine in MiB. */
const MEBIBYTES_PER_MEGABYTE = 1e6 / 2 ** 20;

/** Judged by the median of the runs. A mark that is missed is told, and fails nothing. */
export const MARKS: readonly Mark[] = [
  append('store.append.1', 'one reading an observation'),
  append('store.append.10', 'ten readings an observation'),
  drain('backlog.drain', 'a million queued readings'),
  drain('uplink.drain', 'one reading an observation, over TLS to mosquitto'),
  {
    number: 'peers.normd.ofClient',
    asks: 'messages appended and sent, as a share of what the MQTT client sends',
    relation: '≥',
    than: 1,
  },
  {
    number: 'longway.full',
    asks: 'acknowledgements take 100 ms: share of the link in use',
    relation: '≥',
    than: 0.9,
  },
  {
    number: 'backlog.first',
    asks: 'recovery and first delivery, a million queued',
    relation: '<',
    than: 1000,
  },
  {
    number: 'bundle.idleRss',
    asks: 'resident memory, idle',
    relation: '<',
    than: 70 * MEBIBYTES_PER_MEGABYTE,
  },
  flat('backlog.rss.grown.queued', 'a million readings wait'),
  flat('backlog.rss.grown.draining', 'a million readings drain'),
  written('store.written.online.10ms.1', 'commitDelayMs 10, the default'),
  written('store.written.online.500ms.1', 'commitDelayMs 500'),
  written('store.written.away.500ms.1', 'commitDelayMs 500, back-end away'),
  written('store.written.online.500ms.10', 'commitDelayMs 500, ten meters'),
  written('store.written.online.1000ms.10', 'commitDelayMs 1000, ten meters'),
  { number: 'backlog.live.p99', asks: 'live, while a backlog drains', relation: '<', than: 1000 },
  {
    number: 'profile.values',
    asks: 'a month of quarter hours, six columns, to numbers: MB of A-XDR a second',
    relation: '≥',
    than: 240,
  },
  {
    number: 'line.9600.share',
    asks: 'a month of quarter hours at 9600 Bd: share of what its frames take',
    relation: '≥',
    than: 0.95,
  },
  {
    number: 'meters.2000.get.p99',
    asks: '2000 meters, ten GETs a minute each: from when one is due',
    relation: '<',
    than: 1000,
  },
  { number: 'scene.s19.late', asks: 'S19: over one second', relation: '≤', than: 0 },
  { number: 'scene.s19.missing', asks: 'S19: not delivered', relation: '≤', than: 0 },
  { number: 'loop.delay.p99.fsync200', asks: 'loop, fsync of 200 ms', relation: '<', than: 20 },
];

function append(number: string, of: string): Mark {
  return { number, asks: `confirmed after the fsync, ${of}`, relation: '≥', than: 20_000 };
}

function drain(number: string, of: string): Mark {
  return { number, asks: `drained, ${of}`, relation: '≥', than: 50_000 };
}

function flat(number: string, when: string): Mark {
  return {
    number,
    asks: `resident memory more while ${when}`,
    relation: '≤',
    than: 10 * MEBIBYTES_PER_MEGABYTE,
  };
}

function written(number: string, when: string): Mark {
  return {
    number,
    asks: `written per payload byte at 100 messages/s of 190 bytes, ${when}`,
    relation: '<',
    than: 2,
  };
}

/** What is no number holds nothing. */
export function holds({ relation, than }: Pick<Mark, 'relation' | 'than'>, value: number): boolean {
  if (relation === '≥') return value >= than;
  return relation === '<' ? value < than : value <= than;
}
