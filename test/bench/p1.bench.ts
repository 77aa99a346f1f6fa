import { P1Connection } from '#protocol/p1/connection.ts';
import { p1TelegramAt } from '#sim/p1-meter.ts';
import { type Bench, ratePerSecond } from './bench.ts';

const TELEGRAMS = 200;

/** A stream of telegrams, cut and decoded with its CRC checked, in chunks of `size` bytes. */
function decoded(size: number): Bench {
  return {
    name: `p1.decode.${size}B-chunks`,
    unit: 'telegrams/s',
    run: () => {
      const stream = Buffer.concat(
        Array.from({ length: TELEGRAMS }, (_, index) => p1TelegramAt(index, index)),
      );
      return ratePerSecond(TELEGRAMS, () => {
        const connection = new P1Connection();
        connection.start(0);
        let messages = 0;
        for (let index = 0; index < stream.length; index += size) {
          messages += connection.receive(stream.subarray(index, index + size), 0).events.length;
        }
        if (messages !== TELEGRAMS) throw new Error(`${messages} of ${TELEGRAMS} telegrams`);
      });
    },
  };
}

export const benches: readonly Bench[] = [decoded(1), decoded(64), decoded(1024)];
