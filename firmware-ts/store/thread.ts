/** The store's thread: runs what `open.ts` asks for, one call after another, until `close`. */
import type { MessagePort } from 'node:worker_threads';
import { parentPort, workerData } from 'node:worker_threads';
import { failureOf } from '#bytes/failure.ts';
import { keepOldSmall, releaseMemory } from '#system/memory.ts';
import { Books } from './books.ts';
import { diskFailure, isUnusableFile } from './disk-failure.ts';
import type { CallName, Calls, Reply, Request, ThreadSetting } from './messages.ts';

if (parentPort !== null) serve(parentPort, workerData as ThreadSetting);

function serve(port: MessagePort, setting: ThreadSetting): void {
  const reply = (message: Reply, moved: readonly ArrayBuffer[] = []): void => {
    port.postMessage(message, moved);
  };
  let books: Books;
  try {
    books = new Books(setting, {
      replaced: (opening) => reply({ kind: 'set-aside', opening }),
      named: (gaps) => reply({ kind: 'named', gaps }),
    });
  } catch (error) {
    reply({ kind: 'refused', failure: failureOf(diskFailure(error)) });
    port.close();
    return;
  }
  reply({ kind: 'opened', opening: books.opening });
  releaseMemory();
  keepOldSmall();
  port.on('message', (request: Request) => {
    try {
      const answer = books.answer(request);
      reply({ kind: 'answer', id: request.id, answer }, movedWith(request.call, answer));
    } catch (error) {
      const failure = diskFailure(error);
      reply({ kind: 'failed', id: request.id, failure: failureOf(failure) });
      if (isUnusableFile(failure)) books.condemn(failure);
    }
    if (request.call === 'close') port.close();
  });
}

/** The one buffer that all records of a page lie in (`ledger.ts`) is not copied. */
function movedWith(call: CallName, answer: Calls[CallName]['answer']): readonly ArrayBuffer[] {
  if (call !== 'due') return [];
  const [first] = answer as Calls['due']['answer'];
  return first?.records.buffer instanceof ArrayBuffer ? [first.records.buffer] : [];
}
