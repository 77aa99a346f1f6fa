import { COUNTRIES } from '#protocol/cosem/companions/lookup.ts';
import type { Option } from '../command.ts';
import { SECURITY_OPTIONS } from './security.ts';

/** How a meter is reached: the same for every verb. */
export const METER_OPTIONS: readonly Option[] = [
  { flags: '--tcp <host:port>', description: 'a meter on the network' },
  { flags: '--udp <host:port>', description: 'a meter on the network that speaks UDP' },
  { flags: '--serial <path>', description: 'a meter on a serial port, at 8N1' },
  { flags: '--baud <rate>', description: 'of the serial port', default: '9600' },
  { flags: '--sign-on', description: 'optical head: begin at 300 baud, mode E of IEC 62056-21' },
  {
    flags: '--framing <kind>',
    description: 'wrapper is usual on TCP and UDP, hdlc on serial',
    choices: ['wrapper', 'hdlc'],
  },
  { flags: '--client <number>', description: 'who asks: 16 is the public client', default: '16' },
  { flags: '--logical <number>', description: 'logical device', default: '1' },
  { flags: '--physical <number>', description: 'physical device, on a shared HDLC line' },
  ...SECURITY_OPTIONS,
  {
    flags: '--trace <file>',
    description: 'record all octets in a new file, with passwords masked',
  },
];

/** Whose companion specification names objects that the general rules do not. */
export const COUNTRY: Option = {
  flags: '--country <code>',
  description: 'name objects as the specification of this country does',
  choices: COUNTRIES,
};

/** Of verbs that ask before they act. */
export const YES: Option = { flags: '--yes', description: 'do not ask: for programs' };
