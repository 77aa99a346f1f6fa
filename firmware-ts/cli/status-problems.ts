import type { BackendStatus, GatewayStatus, SourceStatus } from '#control/status.ts';

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

function sourceProblems({ name, link, refused }: SourceStatus): readonly StatusProblem[] {
  const where = `source ${name}`;
  const down = { code: 'link-waiting', message: 'not connected yet', ...link.failure };
  const full = { code: 'store-refused', message: `${refused} readings could not be stored` };
  return [
    ...(link.state === 'waiting' ? [{ ...down, where }] : []),
    ...(refused > 0 ? [{ ...full, where, hint: 'is the disk full? df, journalctl -u normd' }] : []),
  ];
}

function backendProblems(backend: BackendStatus): readonly StatusProblem[] {
  const { name, state, failure, refusedStreams } = backend;
  const where = `back-end ${name}`;
  const down = { code: `backend-${state}`, message: 'not connected yet', ...failure };
  return [
    ...(state === 'online' ? [] : [{ ...down, where }]),
    ...Object.entries(refusedStreams).map(([stream, refusal]) => ({
      ...refusal,
      where: `${where}, stream ${stream}`,
    })),
  ];
}
