import { OperatingError } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import type { Image, ImageProgress } from '#protocol/cosem/transfer-image.ts';
import { transferImage } from '#protocol/cosem/transfer-image.ts';
import { readBounded } from '#system/bounded-file.ts';
import type { Invocation } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import type { Terminal } from '../terminal.ts';
import { usage } from './usage.ts';
import { meterVerb, withMeter } from './session.ts';

/** `normctl meter image FILE --identifier TEXT [--signature HEX] [--resume] [--activate]` */
export const meterImage = meterVerb(async (invocation, terminal) => {
  const { resume, activate: activating } = invocation.options;
  const image = imageFrom(invocation);
  const activate = activating === true;
  if (activate) {
    await confirm('Activate it once verified? The meter will restart.', invocation, terminal);
  }
  const show = progressOn(terminal);
  const transfer = { image, resume: resume === true, activate };
  const status = await withMeter(invocation, terminal, (meter) =>
    meter.run(transferImage(transfer), show),
  );
  if (invocation.json) printData(terminal, invocation, { status, bytes: image.size });
  else terminal.out(`${status}  ${image.size} bytes`);
  return EXIT.ok;
});

/** Images of meters have up to some MiB; more is another file. */
const IMAGE_BYTES_MAX = 64 << 20;

/** Errors: `usage`, those of `readBounded`. */
function imageFrom({ arguments: [file = ''], options }: Invocation): Image {
  const { identifier, signature } = options;
  if (typeof identifier !== 'string') throw usage('--identifier is missing: the maker tells it');
  const bytes = readBounded(file, { users: 'anyone', bytesMax: IMAGE_BYTES_MAX });
  return {
    identifier: new TextEncoder().encode(identifier),
    size: bytes.length,
    ...(typeof signature === 'string' ? { signature: signatureFrom(signature) } : {}),
    block: (number, blockSize) => bytes.subarray(number * blockSize, (number + 1) * blockSize),
  };
}

function signatureFrom(word: string): Uint8Array {
  try {
    return fromHex(word);
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    throw usage(`--signature takes hex digits: ${error.message}`);
  }
}

const PER_CENT_STEP = 10;

/** A line for each step and each tenth of the way: a serial console has no more room. */
function progressOn(terminal: Terminal): (told: ImageProgress) => void {
  let shown = 0;
  return ({ step, blocksDone, blocks }) => {
    const perCent = Math.floor((blocksDone / Math.max(1, blocks)) * 100);
    const tenth = perCent - (perCent % PER_CENT_STEP);
    if (step === 'transferring' && tenth <= shown) return;
    shown = step === 'transferring' ? tenth : shown;
    const done = step === 'transferring' ? `  ${perCent} %` : '';
    terminal.err(`${step}${done}  ${blocksDone} of ${blocks} blocks`);
  };
}
