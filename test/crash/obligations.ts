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
    const [backend = '', ...numbers] = rest;
    switch (word) {
      case 'append':
        this.begun.add(Number(backend));
        this.newest = Math.max(this.newest, Number(backend));
        break;
      case 'appended':
        this.confirmed.add(Number(backend));
        break;
      case 'acknowledge':
      case 'refuse':
        for (const number of numbers) this.mayBeGone.add(`${backend} ${number}`);
        break;
      case 'acknowledged':
      case 'refused':
        for (const number of numbers) this.gone.add(`${backend} ${number}`);
        break;
      case 'resend':
        this.gone.delete(rest.join(' '));
        break;
      case 'resent':
        this.mayBeGone.delete(rest.join(' '));
        break;
      case 'named':
        this.named.add(rest.join(' '));
        break;
      case 'seen':
        this.seen.set(rest.slice(0, -1).join(' '), Number(rest.at(-1)));
        break;
      case 'aside':
        this.asides.add(backend);
        break;
      case 'damaged':
        this.damaged = true;
        this.confirmed.clear();
        this.gone.clear();
        this.named.clear();
        break;
      case 'answered':
      case 'noted':
      case 'mended':
        break;
      default:
        throw new Error(`no fact: ${line}`);
    }
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
