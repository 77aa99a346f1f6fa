/**
 * What a process was promised by its store and what it gave out, from the lines it wrote. One line
 * is one fact, written before what it permits and after what it says:
 *
 * `append N` is about to be asked, `appended N` confirmed; `acknowledge B N…` is about to be asked,
 * `acknowledged B N…` confirmed; `seen B S E Q N`: sequence Q of stream S, epoch E, held N and may
 * have been sent; `refuse B N`: it is about to go into quarantine, `refused B N`: it is there,
 * `named B S E Q`: its sequence is a gap; `resend B N`, `resent B N`: it is due again; `damaged`:
 * from here on the file may be set aside, and what was in it is excused; `aside F`: it was, under
 * this name. `answered`, `noted` and `mended` tell of a faulty disk.
 */
export class Obligations {
  readonly begun = new Set<number>();
  readonly confirmed = new Set<number>();
  /** Of `backend number`: those that may be gone, and those that must be. */
  readonly mayBeGone = new Set<string>();
  readonly gone = new Set<string>();
  /** Of `backend stream epoch sequence`: the number that was seen under it. */
  readonly seen = new Map<string, number>();
  /** Of `backend stream epoch sequence`: those that a gap must name. */
  readonly named = new Set<string>();
  /** Highest number begun, so that the next life goes on after it. */
  newest = -1;
  damaged = false;
  readonly asides = new Set<string>();

  take(line: string): void {
    const [word = '', ...rest] = line.split(' ');
    const take = TAKERS[word];
    if (take === undefined) throw new Error(`no fact: ${line}`);
    take(this, rest);
  }

  /** The same facts as lines: what a life that begins here takes over. */
  lines(): readonly string[] {
    const pairs = (word: string, set: ReadonlySet<string>) =>
      [...set].map((pair) => `${word} ${pair}`);
    return [
      ...(this.damaged ? ['damaged'] : []),
      ...[...this.asides].map((file) => `aside ${file}`),
      ...[...this.begun].map((number) => `append ${number}`),
      ...[...this.confirmed].map((number) => `appended ${number}`),
      ...pairs('acknowledge', this.mayBeGone),
      ...pairs('acknowledged', this.gone),
      ...[...this.named].map((key) => `named ${key}`),
      ...[...this.seen].map(([key, number]) => `seen ${key} ${number}`),
    ];
  }
}

type Taker = (to: Obligations, words: readonly string[]) => void;

const pairsOf = ([backend = '', ...numbers]: readonly string[]): readonly string[] =>
  numbers.map((number) => `${backend} ${number}`);
const leaves: Taker = (to, words) => pairsOf(words).forEach((pair) => to.mayBeGone.add(pair));
const left: Taker = (to, words) => pairsOf(words).forEach((pair) => to.gone.add(pair));
const nothing: Taker = () => undefined;

const TAKERS: Readonly<Record<string, Taker>> = {
  append(to, [number]) {
    to.begun.add(Number(number));
    to.newest = Math.max(to.newest, Number(number));
  },
  appended: (to, [number]) => to.confirmed.add(Number(number)),
  acknowledge: leaves,
  acknowledged: left,
  refuse: leaves,
  refused: left,
  named: (to, words) => to.named.add(words.join(' ')),
  resend: (to, words) => to.gone.delete(words.join(' ')),
  resent: (to, words) => to.mayBeGone.delete(words.join(' ')),
  seen: (to, words) => to.seen.set(words.slice(0, -1).join(' '), Number(words.at(-1))),
  aside: (to, [file = '']) => to.asides.add(file),
  damaged(to) {
    to.damaged = true;
    to.confirmed.clear();
    to.gone.clear();
    to.named.clear();
  },
  answered: nothing,
  noted: nothing,
  mended: nothing,
};
