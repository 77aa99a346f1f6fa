/**
 * Who shares a line takes turns: one RS-485 bus or one gateway on TCP serves one meter at a time.
 * First come, first served, so that each meter has its turn before another has its second.
 */
export class LineTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` once all who came to `line` before are done, however that went. */
  async take<Result>(line: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(line) ?? Promise.resolve();
    const turn = before.then(work);
    const done = turn.catch(() => undefined);
    this.#last.set(line, done);
    try {
      return await turn;
    } finally {
      if (this.#last.get(line) === done) this.#last.delete(line);
    }
  }
}
