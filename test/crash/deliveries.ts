import assert from 'node:assert/strict';
import { type Received, type Record, numberOf } from '../support/subscriber.ts';

const LABEL = { baseTime: -3, name: 0, value: 2 } as const;

/** An observation as it arrived. */
interface Delivered {
  readonly timeMs: number;
  /** Everything that a receiver takes from it. */
  readonly content: string;
}

/**
 * What a head-end has of one stream: it drops repeats by their content key alone, and holds against
 * the sender what it then lacks, gets out of order, or gets under a key that meant something else.
 */
export class Deliveries {
  readonly observations: Delivered[] = [];
  repeats = 0;
  readonly #baseName: string;
  #epoch: number | undefined;

  constructor(gateway: string, stream: string) {
    this.#baseName = `${gateway}/${stream}/`;
  }

  take(pack: Received): void {
    if (pack.baseName !== this.#baseName || !pack.topic.includes('/up/')) return;
    this.#epoch ??= pack.epoch;
    assert.equal(pack.epoch, this.#epoch, 'a kill begins no epoch');
    const groups = observationsIn(pack.records);
    assert.equal(groups.length, pack.count);
    for (const [index, delivered] of groups.entries()) {
      this.#takeOne(pack.sequence + index, delivered);
    }
  }

  #takeOne(sequence: number, delivered: Delivered): void {
    const next = this.observations.length;
    assert.ok(sequence <= next, `${this.#baseName}: ${sequence} came where ${next} is due`);
    if (sequence === next) {
      this.observations.push(delivered);
      return;
    }
    this.repeats += 1;
    assert.equal(delivered.content, this.observations[sequence]?.content, 'a repeat is the same');
  }
}

/** An observation begins where a base time does. */
function observationsIn(records: readonly Record[]): readonly Delivered[] {
  const starts = records.flatMap((record, index) => (record.has(LABEL.baseTime) ? [index] : []));
  return starts.map((start, index) => {
    const group = records.slice(start, starts[index + 1]);
    const timeMs = Math.round(numberOf(group[0]?.get(LABEL.baseTime)) * 1000);
    const values = group.map((record) => `${String(record.get(LABEL.name))}=${textOf(record)}`);
    return { timeMs, content: `${timeMs}: ${values.join(' ')}` };
  });
}

function textOf(record: Record): string {
  return JSON.stringify(record.get(LABEL.value), (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}
