import type { Failure } from '#bytes/failure.ts';
import type { Lasting } from './delivery-parts.ts';

/** Sets one entry aside and tells it. Errors: those of the store. */
export async function setAside(
  { store, backend, log, events }: Pick<Lasting, 'store' | 'backend' | 'log' | 'events'>,
  { id, stream }: { readonly id: number; readonly stream: string },
  failure: Failure,
): Promise<void> {
  await store.quarantine(backend, id, failure);
  const { code, message } = failure;
  log('warning', 'uplink.quarantined', { backend, stream, id, code, message });
  const entry = await store.entry(backend, id);
  if (entry === undefined) return; // it was acknowledged after all
  const { epoch, sequence, count } = entry;
  events.tell('quarantined', {
    stream,
    epoch,
    from: sequence,
    through: sequence + count - 1,
    code,
  });
}
