import type { Clock } from '#system/clock.ts';
import type { WallClock } from './boot-clock.ts';
import type { ScriptedBroker } from './broker.ts';
import type { Cable } from './cable.ts';
import type { Chance } from './chance.ts';
import type { Diary } from './diary.ts';
import { WELL, someMood } from './mood.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const DAY_S = DAY_MS / 1000;

/** What befalls one part of the world now and then, and is over after a while. */
interface Trouble {
  /** Between the end of one and the beginning of the next. */
  readonly meanPauseMs: number;
  /** Before the first, where that is not the same. */
  readonly meanFirstPauseMs?: number;
  /** Begins; answers how long it lasts, and how it ends. */
  readonly begin: (chance: Chance) => { readonly forMs: number; readonly end: () => void };
}

export interface Troubled {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly diary: Diary;
  readonly wall: WallClock;
  readonly disk: { freeBytes: number };
  readonly cables: ReadonlyMap<string, Cable>;
  readonly brokers: ReadonlyMap<number, ScriptedBroker>;
  /** The disk is getting full. */
  readonly scarce: () => void;
}

/** All that goes wrong but with the process itself; `heal` ends it all for good. */
export function startTroubles(world: Troubled): { readonly heal: () => void } {
  const cancels = [
    ...Array.from(world.brokers, ([port, broker]) =>
      start(world, `broker-${port}`, ofBroker(broker)),
    ),
    ...Array.from(world.cables, ([host, cable]) =>
      start(world, `cable-${host}`, ofCable(cable, world.diary)),
    ),
    start(world, 'line', ofLine(world)),
    start(world, 'disk', ofDisk(world)),
    start(world, 'clock', ofClock(world)),
  ];
  return { heal: () => cancels.forEach((cancel) => cancel()) };
}

function start({ clock, chance, diary }: Troubled, name: string, trouble: Trouble): () => void {
  const own = chance.fork(name);
  let end = (): void => undefined;
  let cancel = (): void => undefined;
  const pause = (meanMs = trouble.meanPauseMs): void => {
    cancel = clock.after(own.wait(meanMs), () => {
      diary.note('trouble', name);
      const begun = trouble.begin(own);
      end = begun.end;
      cancel = clock.after(begun.forMs, () => {
        begun.end();
        diary.note('over', name);
        pause();
      });
    });
  };
  pause(trouble.meanFirstPauseMs);
  return () => {
    cancel();
    end();
  };
}

function ofBroker(broker: ScriptedBroker): Trouble {
  return {
    meanPauseMs: 12 * DAY_MS,
    begin(chance) {
      broker.mood = someMood(chance);
      return {
        forMs: chance.widely(1000, 3 * WEEK_MS),
        end: () => (broker.mood = WELL),
      };
    },
  };
}

function ofCable(cable: Cable, diary: Diary): Trouble {
  return {
    meanPauseMs: 20 * DAY_MS,
    begin(chance) {
      const noisy = chance.happens(0.5);
      diary.note(noisy ? 'cable.noisy' : 'cable.cut');
      if (noisy) cable.noise = chance.fraction();
      else cable.sound = false;
      return {
        forMs: chance.widely(1000, 2 * DAY_MS),
        end() {
          cable.noise = 0;
          cable.sound = true;
        },
      };
    },
  };
}

/** The way to all brokers is one: a modem, a provider. */
function ofLine({ brokers, diary }: Troubled): Trouble {
  return {
    meanPauseMs: 40 * DAY_MS,
    begin(chance) {
      diary.note('line.dead');
      setLine(brokers, true);
      return {
        forMs: chance.widely(MINUTE_MS, 2 * WEEK_MS),
        end: () => setLine(brokers, false),
      };
    },
  };
}

function setLine(brokers: Troubled['brokers'], cut: boolean): void {
  for (const broker of brokers.values()) broker.cut = cut;
}

/** None at all, less than the store asks for to grow, and a little more than that. */
const SCARCE_BYTES = [0, 0, 6 << 20, 13 << 20] as const;

/** What fills the disk often keeps the gateway from sending, too. */
function ofDisk({ disk, diary, brokers, scarce }: Troubled): Trouble {
  return {
    meanPauseMs: 60 * DAY_MS,
    // A file that once was long has pages to spare, and a month at home makes room for long.
    meanFirstPauseMs: 4 * DAY_MS,
    begin(chance) {
      disk.freeBytes = chance.pick(SCARCE_BYTES);
      const alone = chance.happens(0.3);
      diary.note(disk.freeBytes === 0 ? 'disk.full' : 'disk.scarce');
      scarce();
      if (!alone) setLine(brokers, true);
      return {
        forMs: alone ? chance.widely(MINUTE_MS, WEEK_MS) : chance.widely(2 * DAY_MS, 3 * WEEK_MS),
        end() {
          disk.freeBytes = Infinity;
          if (!alone) setLine(brokers, false);
        },
      };
    },
  };
}

function ofClock({ wall, diary }: Troubled): Trouble {
  return {
    meanPauseMs: 15 * DAY_MS,
    begin(chance) {
      const how = chance.pick(['loses', 'steps', 'steps', 'strays']);
      const offsetSeconds = chance.pick([-1, 1]) * chance.pick([chance.widely(1, DAY_S), DAY_S]);
      diary.note(`clock.${how}`, String(offsetSeconds));
      if (how === 'loses') wall.lose();
      else if (how === 'steps') wall.set(offsetSeconds);
      else wall.stray(offsetSeconds);
      if (how !== 'loses') diary.note(offsetSeconds < 0 ? 'clock.back' : 'clock.forward');
      return {
        forMs: chance.widely(MINUTE_MS, 3 * DAY_MS),
        end: () => wall.set(0),
      };
    },
  };
}
