import type { BackendStatus, GatewayStatus, OutboxCounts, SourceStatus } from '#control/status.ts';

/** What in a status needs somebody to look at it. */
export interface StatusProblem {
  readonly code: string;
  /** `source meter1`, `back-end utility`. */
  readonly where: string;
  readonly message: string;
  readonly hint?: string;
}

export function problemsOf({ sources, backends }: GatewayStatus): readonly StatusProblem[] {
  return [...sources.flatMap(sourceProblems), ...backends.flatMap(backendProblems)];
}

function sourceProblems({
  name,
  link,
  refused,
  ...source
}: SourceStatus): readonly StatusProblem[] {
  const where = `source ${name}`;
  const down = { code: 'link-waiting', message: 'not connected yet', ...link.failure };
  const clock = source.meterClock?.failure;
  const full = { code: 'store-refused', message: `${refused} readings could not be stored` };
  return [
    ...(link.state === 'waiting' ? [{ ...down, where }] : []),
    ...(refused > 0 ? [{ ...full, where, hint: 'is the disk full? df, journalctl -u normd' }] : []),
    ...(clock === undefined ? [] : [{ ...clock, where: `${where}, clock` }]),
    ...Object.entries(source.refusedObjects ?? {}).map(([object, refusal]) => ({
      ...refusal,
      where: `${where}, ${object}`,
    })),
  ];
}

function backendProblems(backend: BackendStatus): readonly StatusProblem[] {
  const { name, state, failure, refusedStreams, receipts, outbox } = backend;
  const where = `back-end ${name}`;
  const down = { code: `backend-${state}`, message: 'not connected yet', ...failure };
  return [
    ...(state === 'online' ? [] : [{ ...down, where }]),
    ...Object.entries(refusedStreams).map(([stream, refusal]) => ({
      ...refusal,
      where: `${where}, stream ${stream}`,
    })),
    ...receiptProblems(where, receipts),
    ...setAsideProblems(where, name, outbox),
    ...gapProblems(where, outbox),
  ];
}

function receiptProblems(
  where: string,
  receipts: BackendStatus['receipts'],
): readonly StatusProblem[] {
  if (receipts?.failure !== undefined)
    return [{ ...receipts.failure, where: `${where}, receipts` }];
  if (receipts?.overdue !== true) return [];
  const minutes = Math.floor((receipts.awaitedMs ?? 0) / 60_000);
  const message = `no receipt for ${minutes} min, though the broker has taken something`;
  const hint = 'what is not confirmed fills the outbox; ask the operator of the back-end';
  return [{ code: 'receipts-overdue', where, message, hint }];
}

function setAsideProblems(
  where: string,
  name: string,
  { quarantined }: OutboxCounts,
): readonly StatusProblem[] {
  if (quarantined === 0) return [];
  const message = `${quarantined} entries are set aside: the broker refuses what they are`;
  return [{ code: 'quarantined', where, message, hint: `normctl outbox list ${name}` }];
}

/** What lies in quarantine is still there, and told as such. */
function gapProblems(where: string, { gaps }: OutboxCounts): readonly StatusProblem[] {
  const lost = Object.entries(gaps).filter(([reason]) => reason !== 'quarantined');
  if (lost.length === 0) return [];
  const reasons = lost.map(([reason, count]) => `${count} (${reason})`).join(', ');
  const message = `observations that will not come, since this start: ${reasons}`;
  return [
    {
      code: 'gap-named',
      where,
      message,
      hint: 'the manifest names each; see store.gap in the log',
    },
  ];
}
