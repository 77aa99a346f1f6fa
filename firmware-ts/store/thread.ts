/** The store's thread: runs what `open.ts` asks for, one call after another, until `close`. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type OperatingError, failureOf } from '#bytes/failure.ts';
import { openLedger, replace } from './database.ts';
import { diskFailure, isUnusableFile } from './disk-failure.ts';
import type { Reply, Request, ThreadSetting } from './messages.ts';

if (parentPort !== null) serve(parentPort, workerData as ThreadSetting);

function serve(port: MessagePort, setting: ThreadSetting): void {
  const reply = (message: Reply): void => port.postMessage(message);
  let open: ReturnType<typeof openLedger>;
  try {
    open = openLedger(setting);
  } catch (error) {
    reply({ kind: 'refused', failure: failureOf(error) });
    port.close();
    return;
  }
  reply({ kind: 'opened', opening: open.opening });
  port.on('message', (request: Request) => {
    try {
      reply({ kind: 'answer', id: request.id, answer: answer(request) });
    } catch (error) {
      const failure = diskFailure(error);
      reply({ kind: 'failed', id: request.id, failure: failureOf(failure) });
      if (isUnusableFile(failure)) beginAnew(failure);
    }
    if (request.call === 'close') port.close();
  });

  function answer(request: Request) {
    switch (request.call) {
      case 'commit':
        return open.ledger.commit(request.ask);
      case 'due':
        return open.ledger.due(request.ask);
      case 'observations':
        return open.ledger.observations(request.ask);
      case 'counts':
        return open.ledger.counts();
      case 'close':
        open.ledger.close();
        return undefined;
    }
  }

  /** Damage found on use: what comes next goes into a new file, in an epoch not used before. */
  function beginAnew(failure: OperatingError): void {
    open.ledger.close();
    const newEpoch = Math.max(setting.newEpoch, open.opening.epoch + 1);
    open = replace(open.opening.file, { ...setting, newEpoch }, failure);
    reply({ kind: 'set-aside', opening: open.opening });
  }
}
