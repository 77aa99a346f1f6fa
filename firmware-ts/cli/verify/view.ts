import type { Range } from '#contract/ranges.ts';
import type { StreamReport, Verdict } from '#contract/stream-check.ts';
import type { VerifierReport } from '#contract/verify.ts';
import { troubleOf } from '../report.ts';
import type { Terminal } from '../terminal.ts';

const RANGES_SHOWN = 8;
const FAULTS_SHOWN = 10;

/** What each verdict says to who has to act on it. */
export const MEANINGS: Readonly<Record<Verdict, string>> = {
  altered: 'what came is not what the gateway sent',
  missing: 'something that was delivered has not come',
  unchecked: 'nothing is missing, but its content could not be proven',
  'no-manifest': 'no manifest says what should have come',
  open: 'good as far as manifests say; the next one will tell about the rest',
  complete: 'nothing is missing or altered',
};

/** The report for people: a stream a paragraph, worst things named by their numbers. */
export function printVerified(terminal: Terminal, report: VerifierReport): void {
  for (const stream of report.streams) printStream(terminal, stream);
  for (const fault of report.faults.slice(0, FAULTS_SHOWN)) {
    const { code, message, where } = troubleOf(fault);
    const at = where === undefined ? '' : `, ${where}`;
    const topic = fault.topic === '' ? '' : ` on ${fault.topic}`;
    terminal.out(`message ${fault.place}${topic}: error ${code}: ${message}${at}`);
  }
  const unseen = report.faultCount - Math.min(report.faults.length, FAULTS_SHOWN);
  if (unseen > 0) terminal.out(`and ${unseen} more that could not be read`);
  const { up, lv, mf, other } = report.messages;
  terminal.out(`messages: ${up} up, ${lv} live, ${mf} manifests, ${other} other`);
}

function printStream(terminal: Terminal, stream: StreamReport): void {
  const { verdict, gateway, epoch } = stream;
  terminal.out(
    { style: 'strong', text: `${gateway}/${stream.stream}` },
    ` epoch ${epoch}: `,
    { style: verdict === 'complete' ? 'good' : 'bad', text: verdict },
    ` (${MEANINGS[verdict]})`,
  );
  for (const line of factsOf(stream)) terminal.out(`  ${line}`);
}

function factsOf(stream: StreamReport): readonly string[] {
  const { observations, received, repeats, live, outOfOrder, conflicts, beyond, stopped } = stream;
  return [
    `received ${observations}: ${rangesText(received)}`,
    ...counted('repeated', repeats),
    ...counted('came live first', live),
    ...counted('packs out of order', outOfOrder),
    ...counted('numbers with two contents', conflicts),
    ...listed('missing', stream.holes),
    ...stream.gaps.slice(0, RANGES_SHOWN).map(gapText),
    ...counted('more gaps', Math.max(0, stream.gaps.length - RANGES_SHOWN)),
    ...listed('proven', stream.proven),
    ...listed('altered within', stream.broken),
    ...listed('not checked', stream.unchecked),
    ...(stopped === undefined ? [] : [`checking stopped at ${stopped.at}: ${stopped.reason}`]),
    ...counted('after the last manifest', beyond),
  ];
}

function gapText({ from, through, reason, at }: StreamReport['gaps'][number]): string {
  return `gap ${rangeText([from, through])}: ${reason}, named ${at}`;
}

function counted(what: string, count: number): readonly string[] {
  return count === 0 ? [] : [`${what}: ${count}`];
}

function listed(what: string, ranges: readonly Range[]): readonly string[] {
  return ranges.length === 0 ? [] : [`${what}: ${rangesText(ranges)}`];
}

function rangesText(ranges: readonly Range[]): string {
  const shown = ranges.slice(0, RANGES_SHOWN).map(rangeText).join(', ');
  const more = ranges.length - RANGES_SHOWN;
  return ranges.length === 0 ? 'none' : `${shown}${more > 0 ? ` and ${more} more ranges` : ''}`;
}

function rangeText([from, through]: Range): string {
  return from === through ? String(from) : `${from}-${through}`;
}
