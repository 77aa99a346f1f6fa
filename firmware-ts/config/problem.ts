/** One thing wrong with a configuration, where it stands, and what to write instead. */
export interface Problem {
  readonly code: ProblemCode;
  readonly file: string;
  /** Counted from 1, as editors do; 1:1 where the problem is the file itself. */
  readonly line: number;
  readonly column: number;
  /** `sources[1].link.port`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
  readonly allowed?: readonly string[];
  readonly hint: string;
}

export type ProblemCode =
  | 'unreadable-file'
  | 'too-large'
  | 'not-text'
  | 'yaml-syntax'
  | 'yaml-tag'
  | 'yaml-alias'
  | 'several-documents'
  | 'duplicate-key'
  | 'unknown-key'
  | 'missing-key'
  | 'wrong-type'
  | 'out-of-range'
  | 'not-allowed'
  | 'duplicate-name'
  | 'unknown-reference'
  | 'missing-file'
  | 'file-too-open'
  | 'bad-key-file'
  | 'bad-url'
  | 'plaintext-refused'
  | 'unknown-time-zone'
  | 'bad-schedule'
  | 'bad-name';

/** A problem before its place in the file is counted out in lines and columns. */
export type Finding = Omit<Problem, 'file' | 'line' | 'column'> & {
  /** Offset of the offending text in the file. */
  readonly at: number;
};
