/** Simulated meters in a process of their own, each at a port of its own, told over the channel. */
import { meterDescriptionFrom } from '#sim/cosem/read-description.ts';
import { serve } from '#sim/cosem/serve.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { openLink } from '#link/open.ts';
import { machineClock as clock } from '#system/clock.ts';
import { machineEntropy as entropy } from '#system/entropy.ts';

const description = meterDescriptionFrom(
  'associations: [{ client: 16, mechanism: lowest }]\nprofile: { rows: 1 }',
);

const ports = Array.from({ length: Number(process.argv[2]) }, () => {
  const meter = new SimulatedMeter({ clock, description });
  const link = openLink({ kind: 'tcp-listen', port: 0 }, { clock, entropy });
  return serve({ link, connect: () => meter.connection('wrapper'), clock });
});

process.send?.(await Promise.all(ports));
