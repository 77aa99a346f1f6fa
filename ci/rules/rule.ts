export interface HouseFile {
  /** From the root of the checkout, with `/`. */
  readonly path: string;
  readonly text: string;
}

export interface Finding {
  readonly path: string;
  readonly what: string;
}

export interface HouseRule {
  readonly name: string;
  readonly check: (files: readonly HouseFile[]) => readonly Finding[];
}

/** A rule that looks at one file at a time. */
export function perFile(
  name: string,
  matches: RegExp,
  look: (file: HouseFile) => readonly string[],
): HouseRule {
  return {
    name,
    check: (files) =>
      files
        .filter(({ path }) => matches.test(path))
        .flatMap((file) => look(file).map((what) => ({ path: file.path, what }))),
  };
}
