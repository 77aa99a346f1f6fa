import type { Failure } from '#bytes/failure.ts';
import { OperatingError } from '#bytes/failure.ts';
import { unwrapPayload } from '#contract/envelope.ts';
import { formsOfPack } from '#contract/records.ts';
import type { Clock } from '#system/clock.ts';
import { machineZstd } from '#system/zstd.ts';
import { refusalOf } from '#uplink/refusal.ts';
import type { Dialing, Message } from '#uplink/session.ts';
import type { Fate } from './broker-session.ts';
import { BrokerSession } from './broker-session.ts';
import type { Chance } from './chance.ts';
import type { Diary } from './diary.ts';
import type { Mood } from './mood.ts';
import { WELL } from './mood.ts';

export interface BrokerParts {
  readonly name: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly diary: Diary;
  /** The broker has this; its back-end will see it. */
  readonly taken: (topic: string, payload: Uint8Array) => void;
  /** It does not take this. */
  readonly refused: (topic: string, payload: Uint8Array) => void;
  /** The gateway sends this, which may arrive or not. */
  readonly sent: (topic: string) => void;
  /** Somebody knocks, with what proves who it is. */
  readonly knocked: (dialing: Pick<Dialing, 'target' | 'credentials'>) => void;
}

/** One way, while all is well. */
const WAY_MS = 20;
/** Of a thousand observations, those that a picky broker refuses. */
const POISON_PER_THOUSAND = 100;
const PAYLOAD_INVALID = 0x99;

/** A broker that takes, refuses, forgets and dies as its mood is. It speaks no bytes. */
export class ScriptedBroker {
  readonly #parts: BrokerParts;
  readonly #sessions = new Set<BrokerSession>();
  #mood: Mood = WELL;
  #moodSinceMs = 0;
  #turns = 0;
  #cut = false;
  readonly #retained = new Map<string, Uint8Array>();
  /** When its mood or the way to it changed last. */
  changedMs = 0;

  constructor(parts: BrokerParts) {
    this.#parts = parts;
  }

  get mood(): Mood {
    return this.#mood;
  }

  set mood(mood: Mood) {
    const { clock, diary, name } = this.#parts;
    this.#mood = mood;
    this.#moodSinceMs = clock.monotonic();
    this.changedMs = this.#moodSinceMs;
    this.#turns += 1;
    diary.note(`broker.${mood.kind}`, name);
    if (mood.kind === 'flapping') this.#flap(mood.periodMs, this.#turns);
    // What stands may be cut by whatever has changed, or not.
    const lasting = mood.kind === 'silent' || mood.kind === 'well';
    if (!lasting || this.#parts.chance.happens(0.3)) this.restart();
  }

  get cut(): boolean {
    return this.#cut;
  }

  /** The way there: nothing passes, and nobody tells. */
  set cut(cut: boolean) {
    this.#cut = cut;
    this.changedMs = this.#parts.clock.monotonic();
    if (cut) this.restart();
  }

  /** A message of the back-end, retained for who comes later. */
  say(topic: string, payload: Uint8Array): void {
    this.#retained.set(topic, payload);
    if (this.#mood.kind === 'silent') return;
    for (const session of this.#sessions) session.tell(topic, payload);
  }

  sent({ topic }: Message): void {
    this.#parts.sent(topic);
  }

  /** All connections end; what had arrived is kept. */
  restart(): void {
    for (const session of this.#sessions) session.lose(CLOSED);
  }

  dial(dialing: Omit<Dialing, 'clientId' | 'will'>): Promise<BrokerSession> {
    const { clock, knocked } = this.#parts;
    if (!this.#cut) knocked(dialing);
    return new Promise((resolve, reject) => {
      const given = (): void => reject(new OperatingError('stopped', 'given up'));
      dialing.signal.addEventListener('abort', given, { once: true });
      clock.after(2 * this.wayMs(), () => {
        dialing.signal.removeEventListener('abort', given);
        if (dialing.signal.aborted) return;
        const refusal = this.#refusal();
        if (refusal !== undefined) reject(refusal);
        else if (this.#mood.kind === 'silent') {
          dialing.signal.addEventListener('abort', given, { once: true });
        } else resolve(this.#welcome());
      });
    });
  }

  wayMs(): number {
    const { chance } = this.#parts;
    const delayMs = this.#mood.kind === 'slow' ? this.#mood.delayMs : WAY_MS;
    return chance.between(delayMs / 2, delayMs * 1.5);
  }

  judgeSubscription(): Fate {
    return this.#mood.kind === 'silent' ? { kind: 'unanswered' } : this.#answer();
  }

  retained(topic: string): Uint8Array | undefined {
    return this.#retained.get(topic);
  }

  /** Decides about a message, and takes it where it does. */
  judge({ topic, payload }: Message): Fate {
    const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
    const { chance } = this.#parts;
    const mood = this.#mood;
    const take = (): void => this.#parts.taken(topic, bytes);
    const refuse = (reasonCode: number): Fate => {
      this.#parts.refused(topic, bytes);
      return this.#answer(refusalOf(reasonCode));
    };
    switch (mood.kind) {
      case 'refusing':
        return refuse(mood.reasonCode);
      case 'picky':
        if (isPoison(topic, bytes)) return refuse(PAYLOAD_INVALID);
        break;
      case 'silent':
        if (chance.happens(0.5)) take();
        return { kind: 'unanswered' };
      case 'forgetful':
        take();
        return chance.happens(mood.share) ? { kind: 'unanswered' } : this.#answer();
      case 'hanging-up':
        if (!chance.happens(mood.share)) break;
        if (chance.happens(0.5)) take();
        return { kind: 'hung-up' };
      default:
    }
    take();
    return this.#answer();
  }

  #answer(refusal?: Failure): Fate {
    const delayMs = this.wayMs();
    return { kind: 'answered', delayMs, ...(refusal === undefined ? {} : { refusal }) };
  }

  #welcome(): BrokerSession {
    const { clock, diary, name } = this.#parts;
    diary.note('broker.welcomes', name);
    const mood = this.#mood;
    const limits = mood.kind === 'small' ? { packetBytesMax: mood.packetBytesMax } : {};
    const session = new BrokerSession(this, clock, limits);
    this.#sessions.add(session);
    void session.lost.then(() => this.#sessions.delete(session));
    return session;
  }

  #refusal(): OperatingError | undefined {
    const mood = this.#mood;
    if (this.#cut) return new OperatingError('connection-refused', 'the line is dead');
    if (mood.kind === 'down' || (mood.kind === 'flapping' && !this.#flappedUp(mood.periodMs))) {
      return new OperatingError('connection-refused', 'nothing listens there');
    }
    if (mood.kind === 'portal') return new OperatingError('not-tls', 'a captive portal');
    return undefined;
  }

  #flappedUp(periodMs: number): boolean {
    const sinceMs = this.#parts.clock.monotonic() - this.#moodSinceMs;
    return Math.floor(sinceMs / periodMs) % 2 === 0;
  }

  /** Nobody sees it go but who is connected. */
  #flap(periodMs: number, turns: number): void {
    this.#parts.clock.after(Math.max(periodMs, FLAP_LOOK_MS), () => {
      if (this.#turns !== turns) return;
      if (this.#sessions.size > 0) this.restart();
      this.#flap(periodMs, turns);
    });
  }
}

/** A flapping of hours would else be all that happens. */
const FLAP_LOOK_MS = 5000;
const CLOSED: Failure = { code: 'connection-closed', message: 'the broker has gone' };

/** By content alone, so that a message refused once is refused for ever. */
function isPoison(topic: string, payload: Uint8Array): boolean {
  if (!/\/(up|lv)\//.test(topic)) return false;
  return formsOfPack(unwrapPayload(payload, machineZstd)).forms.some((form) => {
    const sum = form.reduce((hash, byte) => (Math.imul(hash, 31) + byte) >>> 0, 7);
    return sum % 1000 < POISON_PER_THOUSAND;
  });
}
