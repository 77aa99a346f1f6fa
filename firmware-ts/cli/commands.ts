import type { Argument, Command, Option } from './command.ts';
import { METER_COMMANDS } from './meter/commands.ts';
import { COUNTRY } from './meter/options.ts';
import { SIM_COMMANDS } from './sim/commands.ts';

const SOCKET_DEFAULT = '/run/normd/control.sock';

const SOCKET: Option = {
  flags: '--socket <path>',
  description: 'where normd answers',
  default: SOCKET_DEFAULT,
};

const ENTRY: readonly Argument[] = [
  { name: 'backend', description: 'its name in the configuration' },
  { name: 'id', description: 'of the entry, as the list tells it' },
];

const CHANGE_STATUS = 'Status 0: it is done; 1: there is no such entry; 3: normd is not reachable.';

/** Everything that normctl does; the program, its help and its documents come from here. */
export const COMMANDS: readonly Command[] = [
  {
    verb: 'config check',
    summary: 'tell all that is wrong with a configuration file',
    arguments: [{ name: 'file', description: 'the YAML file' }],
    options: [],
    load: async () => (await import('./config-check.ts')).configCheck,
  },
  {
    verb: 'config schema',
    summary: 'print the JSON Schema of the configuration, for editors',
    arguments: [],
    options: [],
    load: async () => (await import('./config-schema.ts')).configSchema,
  },
  {
    verb: 'decode',
    summary: 'show what is in the bytes of a meter or PMU, or in a payload',
    arguments: [
      {
        name: 'input',
        description:
          'a file (binary, hex text, pcap, pcapng, JSON vector), hex digits, or - for stdin',
      },
    ],
    options: [
      { flags: '--as <protocol>', description: 'what it is, instead of finding out' },
      COUNTRY,
      {
        flags: '--key <hex|@file>',
        description: 'encryption key; NORMD_KEY or @file keep it out of the shell history',
      },
      {
        flags: '--auth-key <hex|@file>',
        description: 'authentication key; NORMD_AUTH_KEY or @file likewise',
      },
    ],
    jsonLines: 'print lines of JSON, for programs',
    details: [
      'Protocols for --as: p1, dlms-push (or its framing: hdlc, mbus, wrapper, raw),',
      'dlms for a session with a meter, such as a trace, c37118, iec62056-21; senml for',
      'what a back-end receives, compressed or not.',
      '',
      'With --json each message, and each run of bytes that is none, is a line:',
      '  protocol  as a configuration calls it',
      '  offset    of its first byte in the stream; length: its bytes',
      '  ok        false if and only if there is an error',
      '  error     {code, message, offset, field?, hint?}; the offset in the stream',
      "  time      the device's, in UTC; quality: why not to trust time or values",
      '  readings  [{object, raw, scaler, value, unit, time?, quality?}]: value is',
      '            raw times ten to the power of scaler; integers beyond 2^53 are',
      '            strings, octets are hex, what is no number is null',
      '  stream    who said it, where the input has several streams',
      'and what else the protocol tells: frame, framing, check, verified, pmus, ...',
      '',
      'Status 0: all is good; 1: some was not; 4: nothing was recognised.',
    ].join('\n'),
    load: async () => (await import('./decode.ts')).decode,
  },
  ...METER_COMMANDS,
  {
    verb: 'outbox list',
    summary: 'show what waits for each back-end, where streams stand, what was set aside',
    arguments: [{ name: 'backend', description: 'only this one', optional: true }],
    options: [SOCKET],
    details: [
      'An entry that the broker refuses for what it is (too large, invalid, its',
      'topic) is set aside so that nothing waits for it, and named as a gap.',
      'Status 0: nothing is set aside; 1: something is; 3: normd is not reachable.',
    ].join('\n'),
    load: async () => (await import('./outbox-list.ts')).outboxList,
  },
  {
    verb: 'outbox show',
    summary: 'show the readings of an entry that was set aside, and why it was',
    arguments: ENTRY,
    options: [SOCKET],
    details: 'Status 0: all of it could be read; 1: not, or there is no such entry.',
    load: async () => (await import('./outbox-show.ts')).outboxShow,
  },
  {
    verb: 'outbox resend',
    summary: 'send an entry that was set aside once more',
    arguments: ENTRY,
    options: [SOCKET],
    details: `Its numbers stay named as a gap; a receiver takes it all the same.\n${CHANGE_STATUS}`,
    load: async () => (await import('./outbox-change.ts')).outboxResend,
  },
  {
    verb: 'outbox discard',
    summary: 'forget an entry that was set aside, for ever',
    arguments: ENTRY,
    options: [
      SOCKET,
      { flags: '--yes', description: 'do not ask' },
      { flags: '--no-input', description: 'never ask: fail without --yes' },
    ],
    details: CHANGE_STATUS,
    load: async () => (await import('./outbox-change.ts')).outboxDiscard,
  },
  ...SIM_COMMANDS,
  {
    verb: 'status',
    summary: 'show what normd does now: sources, last readings, queues, clock',
    arguments: [],
    options: [SOCKET, { flags: '--watch', description: 'again every two seconds, until Ctrl-C' }],
    details: 'Status 0: all is up; 1: a link or back-end is not; 3: normd is not reachable.',
    load: async () => (await import('./status.ts')).status,
  },
  {
    verb: 'verify',
    summary: 'prove from what a broker delivered that nothing is missing or altered',
    arguments: [{ name: 'input', description: 'a file of messages, one a line, or - for stdin' }],
    options: [
      {
        flags: '--since-first-manifest',
        description: 'take as given what had been delivered before the capture began',
      },
    ],
    details: [
      "A line is what mosquitto_sub -t 'nd/1/#' -F '%t %x' prints, or JSON:",
      '{"topic": "nd/1/...", "payload": "hex or base64"}, in any order, also repeated.',
      'Status 0: each stream is complete, and proven up to its last observation;',
      '1: one is not, or a message is unreadable; 4: no message of a gateway.',
    ].join('\n'),
    load: async () => (await import('./verify.ts')).verify,
  },
  {
    verb: 'version',
    summary: 'print the versions of normctl and of its parts',
    arguments: [],
    options: [],
    load: async () => (await import('./version.ts')).version,
  },
];
