import type { Standing, StreamStanding } from '#store/store.ts';
import type { Telling } from './manifest-gaps.ts';

/** One manifest after another until all streams are named, where they do not go into one. */
export class ManifestRound {
  readonly #named = new Set<string>();
  #underWay = false;

  /** Whether the next manifest goes on with what the last one left. */
  get underWay(): boolean {
    return this.#underWay;
  }

  /** What the next manifest is to name: all streams where a round begins, else those left of it. */
  leftOf({ number, streams }: Standing): Standing {
    const left = streams.filter((stream) => !this.#named.has(keyOf(stream)));
    if (left.length === 0) this.end();
    return { number, streams: left.length === 0 ? streams : left };
  }

  /** The broker has it. */
  heard({ done, more }: Telling): void {
    for (const stream of done) this.#named.add(keyOf(stream));
    this.#underWay = more;
    if (!more) this.end();
  }

  /** The next manifest begins another round. */
  end(): void {
    this.#named.clear();
    this.#underWay = false;
  }
}

function keyOf({ stream, epoch }: StreamStanding): string {
  return `${stream}/${epoch}`;
}
