import { createHash } from 'node:crypto';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { Verifier } from '#contract/verify.ts';
import type { VerifierReport } from '#contract/verify.ts';
import { machineZstd } from '#system/zstd.ts';
import type { Verb } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { printData, printProblems, reportFailure } from './report.ts';
import { linesOf } from './verify/lines.ts';
import { messageOf } from './verify/message.ts';
import { MEANINGS, printVerified } from './verify/view.ts';

/** `normctl verify FILE|-` */
export const verify: Verb = async (invocation, terminal) => {
  const since = invocation.options['sinceFirstManifest'] === true ? 'first-manifest' : 'epoch';
  const verifier = new Verifier({
    sha256: (bytes) => createHash('sha256').update(bytes).digest(),
    compression: machineZstd,
    since,
  });
  let lines = 0;
  try {
    for await (const line of linesOf(invocation.arguments[0] ?? '', process.stdin)) {
      if (line?.trim() === '') continue;
      lines += 1;
      takeLine(verifier, line);
    }
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return reportFailure(terminal, invocation, failureOf(error), EXIT.unreadable);
  }
  const report = verifier.report();
  if (report.streams.length === 0) {
    const failure = {
      code: 'not-recognised',
      message: `no message of a gateway in ${lines} lines`,
      hint: "capture with mosquitto_sub -t 'nd/1/#' -F '%t %x'",
    };
    return reportFailure(terminal, invocation, failure);
  }
  if (!invocation.json) printVerified(terminal, report);
  else if (report.complete) printData(terminal, invocation, report);
  else printProblems(terminal, invocation, problemsOf(report), report);
  return report.complete ? EXIT.ok : EXIT.notGood;
};

function takeLine(verifier: Verifier, line: string | undefined): void {
  try {
    if (line === undefined) throw new OperatingError('bad-line', 'longer than any message');
    const { topic, payload } = messageOf(line);
    verifier.take(topic, payload);
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    verifier.fault(failureOf(error));
  }
}

/** A problem a stream that is not complete, and one for each message that could not be read. */
function problemsOf({ streams, faults }: VerifierReport): readonly object[] {
  const bad = streams
    .filter(({ verdict }) => verdict !== 'complete')
    .map(({ verdict, gateway, stream, epoch }) => {
      return { code: verdict, message: MEANINGS[verdict], gateway, stream, epoch };
    });
  return [...bad, ...faults];
}
