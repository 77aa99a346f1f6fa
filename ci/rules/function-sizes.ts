import ts from 'typescript';
import type { HouseFile, HouseRule } from './rule.ts';

const LONG_LINES = 40;
const LONG_SHARE_MAX = 0.1;

/** Nine functions in ten stay under forty lines; ESLint refuses any over seventy. */
export const functionSizes: HouseRule = {
  name: 'nine functions in ten under forty lines',
  check(files) {
    const sizes = files
      .filter(({ path }) => /^firmware-ts\/.*\.ts$/.test(path))
      .flatMap((file) => sizesIn(file));
    const long = sizes.filter((lines) => lines >= LONG_LINES).length;
    return long <= sizes.length * LONG_SHARE_MAX
      ? []
      : [{ path: 'firmware-ts', what: `${long} of ${sizes.length} functions are too long` }];
  },
};

function sizesIn({ path, text }: HouseFile): readonly number[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const sizes: number[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const first = source.getLineAndCharacterOfPosition(node.getStart()).line;
      sizes.push(source.getLineAndCharacterOfPosition(node.end).line - first + 1);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return sizes;
}
