import ts from 'typescript';
import type { Finding, HouseFile, HouseRule } from './rule.ts';

const TABLE = 'firmware-ts/FAILURES.md';
const SOURCES = /^firmware-ts\/.*\.ts$/;

/** Every code that the sources can give stands in one table, once and in order, and no other. */
export const failureCodes: HouseRule = {
  name: 'failure codes',
  check(files) {
    const sources = files.filter(({ path }) => SOURCES.test(path));
    const table = files.find(({ path }) => path === TABLE)?.text ?? '';
    const listed = Array.from(table.matchAll(/^\| `([a-z0-9-]+)`/gm), ([, code]) => code ?? '');
    return [
      ...sources.flatMap((file) => unlisted(file, new Set(listed))),
      ...listed
        .filter((code) => sources.every(({ text }) => !text.includes(`'${code}'`)))
        .map((code) => ({ path: TABLE, what: `lists \`${code}\`, which nothing gives` })),
      ...listed
        .filter((code, index) => index > 0 && code <= (listed[index - 1] ?? ''))
        .map((code) => ({ path: TABLE, what: `has \`${code}\` twice or out of order` })),
    ];
  },
};

function unlisted(file: HouseFile, listed: ReadonlySet<string>): readonly Finding[] {
  return [...codesIn(file)]
    .filter((code) => !listed.has(code))
    .map((code) => ({ path: file.path, what: `\`${code}\` is missing in ${TABLE}` }));
}

/**
 * Codes that a file gives: to an OperatingError, as a property `code`, or to a function of its own
 * whose first parameter is a `code`.
 */
function codesIn({ path, text }: HouseFile): ReadonlySet<string> {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const givers = new Set(['OperatingError', ...giversIn(source)]);
  const codes = new Set<string>();
  const visit = (node: ts.Node): void => {
    const given =
      ts.isPropertyAssignment(node) && node.name.getText(source) === 'code'
        ? node.initializer
        : argumentOf(node, givers);
    for (const literal of literalsIn(given)) codes.add(literal);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return codes;
}

function giversIn(source: ts.SourceFile): readonly string[] {
  return source.statements.flatMap((statement) => {
    if (!ts.isFunctionDeclaration(statement)) return [];
    const first = statement.parameters[0]?.name.getText(source);
    return first === 'code' && statement.name !== undefined ? [statement.name.text] : [];
  });
}

function argumentOf(node: ts.Node, givers: ReadonlySet<string>): ts.Node | undefined {
  if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return undefined;
  return givers.has(node.expression.getText()) ? node.arguments?.[0] : undefined;
}

/** Also those of a choice: `full ? 'disk-full' : 'disk-error'`. */
function literalsIn(node: ts.Node | undefined): readonly string[] {
  if (node === undefined) return [];
  if (ts.isStringLiteral(node)) return [node.text];
  if (ts.isAsExpression(node)) return literalsIn(node.expression);
  if (!ts.isConditionalExpression(node)) return [];
  return [...literalsIn(node.whenTrue), ...literalsIn(node.whenFalse)];
}
