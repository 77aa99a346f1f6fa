import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const UNWANTED = [
  { selector: 'ExportDefaultDeclaration', message: 'no default exports' },
  { selector: 'TSEnumDeclaration', message: 'use `as const`' },
  { selector: 'ExportAllDeclaration', message: 'no barrel files' },
];

export default tseslint.config(
  { ignores: ['dist/**', '.cache/**', 'node_modules/**'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      complexity: ['error', 15],
      eqeqeq: 'error',
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'no-bitwise': 'off',
      'no-restricted-syntax': ['error', ...UNWANTED],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    // Rooms that have come to one style of importing types; the others follow as they are touched.
    files: [
      'firmware-ts/{acquisition,bytes,config,contract,control,gateway,identity}/**/*.ts',
      'firmware-ts/{link,policy,protocol,reading,sim,system}/**/*.ts',
    ],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...UNWANTED,
        { selector: "ImportSpecifier[importKind='type']", message: 'write `import type { … }`' },
      ],
    },
  },
  {
    // node:test's test() returns a promise that the runner itself awaits.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['test', 'suite', 'describe', 'it'], package: 'node:test' },
          ],
        },
      ],
      'max-lines-per-function': 'off',
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  { files: ['*.config.mjs'], rules: { 'no-restricted-syntax': 'off' } },
);
