/** The house's own rules, which no common tool knows. Prints what breaks them; exit status 1. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RULES } from './rules/table.ts';
import type { HouseFile } from './rules/rule.ts';

const ROOT = join(import.meta.dirname, '..');

const files: HouseFile[] = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => /\.(ts|mjs|cjs|json|md|yaml|sh|cddl)$|^ci\/run$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

const findings = RULES.flatMap(({ name, check }) =>
  check(files).map((finding) => `${finding.path}: ${finding.what} (${name})`),
);
for (const line of findings) console.log(line);
console.log(
  `house rules: ${RULES.length} rules, ${files.length} files, ${findings.length} findings`,
);
process.exitCode = findings.length === 0 ? 0 : 1;
