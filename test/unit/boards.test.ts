import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import Schema from 'typebox/schema';

const ROOT = join(import.meta.dirname, '../..');
const BOARDS = join(ROOT, 'boards');
const read = (...path: readonly string[]): unknown =>
  JSON.parse(readFileSync(join(...path), 'utf8'));

test('every board follows the schema, names its folder and a Node that the lock file has', () => {
  const schema = read(BOARDS, 'board.schema.json') as object;
  const lock = read(ROOT, 'package-lock.json') as { packages: Record<string, unknown> };
  const boards = readdirSync(BOARDS).filter((name) => existsSync(join(BOARDS, name, 'board.json')));
  assert.ok(boards.length >= 2);
  for (const name of boards) {
    const board = read(BOARDS, name, 'board.json') as { board: string; node: string };
    assert.ok(Schema.Check(schema, board), name);
    assert.equal(board.board, name);
    assert.ok(`node_modules/${board.node}` in lock.packages, `${name}: ${board.node}`);
  }
});
