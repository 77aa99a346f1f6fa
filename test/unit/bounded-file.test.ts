import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { readKeyFile } from '#config/key-file.ts';
import { readBounded } from '#system/bounded-file.ts';
import { temporaryFolder } from '../support/outbox.ts';

const KEY = '00112233445566778899AABBCCDDEEFF';

test('a file is read up to its limit and no byte further', (context) => {
  const path = join(temporaryFolder(context), 'file');
  writeFileSync(path, '12345678');
  const read = (bytesMax: number): unknown => readBounded(path, { users: 'anyone', bytesMax });
  assert.deepEqual(read(8), Buffer.from('12345678'));
  assert.throws(() => read(7), { code: 'file-too-long', path });
});

test('a key file gives its bytes, and a refusal shows nothing of them', (context) => {
  const folder = temporaryFolder(context);
  for (const [name, content, mode] of [
    ['good.key', `${KEY}\n`, 0o600],
    ['open.key', KEY, 0o640],
    ['short.key', KEY.slice(2), 0o600],
    ['text.key', 'not hex', 0o600],
    ['long.key', KEY.repeat(40), 0o600],
  ] as const) {
    writeFileSync(join(folder, name), content, { mode });
    chmodSync(join(folder, name), mode);
  }
  execFileSync('mkfifo', ['-m', '600', join(folder, 'fifo.key')]);
  assert.equal(
    Buffer.from(readKeyFile(join(folder, 'good.key'))).toString('hex'),
    KEY.toLowerCase(),
  );
  for (const [name, code] of [
    ['none.key', 'missing-file'],
    ['fifo.key', 'unreadable-file'],
    ['open.key', 'file-too-open'],
    ['short.key', 'bad-key-file'],
    ['text.key', 'bad-key-file'],
    ['long.key', 'file-too-long'],
  ] as const) {
    try {
      readKeyFile(join(folder, name));
      assert.fail(name);
    } catch (error) {
      const failure = failureOf(error);
      assert.equal(failure.code, code, name);
      assert.ok(!/0011|no hex digit/.test(JSON.stringify(failure)), name);
    }
  }
});
