/** What the exit status of normctl means; scripts depend on it, so a number never changes. */
export const EXIT = {
  ok: 0,
  /** The thing that was checked, decoded or asked about is not good. */
  notGood: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** The daemon, or the meter, cannot be reached. */
  unreachable: 3,
  /** The input cannot be read, or nothing in it is known. */
  unreadable: 4,
  /** normctl itself failed. */
  unexpected: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** For the help text. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: 'good',
  1: 'what was checked or decoded is not good',
  2: 'wrong command line',
  3: 'the daemon, or the meter, cannot be reached',
  4: 'the input cannot be read, or nothing in it is known',
  5: 'normctl itself failed',
};
