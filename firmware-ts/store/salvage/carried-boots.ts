import type { Boots } from '../boots.ts';
import type { Statements } from '../statements.ts';
import type { FoundBoot } from './found-tables.ts';

/** Boots of a damaged file under their numbers in the new one; those that no row names stay out. */
export class CarriedBoots {
  readonly #statements: Statements;
  readonly #boots: Boots;
  readonly #found: ReadonlyMap<number, FoundBoot>;
  readonly #ids = new Map<number, number>();

  constructor(statements: Statements, boots: Boots, found: ReadonlyMap<number, FoundBoot>) {
    this.#statements = statements;
    this.#boots = boots;
    this.#found = found;
  }

  /** Nothing for times that are dates, or will never be. */
  idOf(foundId: number | undefined): number | null {
    if (foundId === undefined) return null;
    const known = this.#ids.get(foundId);
    if (known !== undefined) return known;
    const found = this.#found.get(foundId);
    const id = found === undefined ? null : this.#boots.idOf(found.name);
    if (found === undefined || id === null) return null;
    if (found.offsetMs !== undefined) this.#statements.setBoot.run(found.offsetMs, found.trust, id);
    this.#ids.set(foundId, id);
    return id;
  }
}
