import type { Command } from '../command.ts';
import { COUNTRY, METER_OPTIONS, YES } from './options.ts';

const STATUS = 'Status 0: done; 1: the meter refused; 2: wrong command line; 3: no answer.';

/** What normctl does with a meter that is asked: DLMS/COSEM, logical names. */
export const METER_COMMANDS: readonly Command[] = [
  {
    verb: 'meter objects',
    summary: 'list what a DLMS/COSEM meter lets this client see',
    arguments: [],
    options: [...METER_OPTIONS, COUNTRY],
    details: STATUS,
    load: async () => (await import('./objects.ts')).meterObjects,
  },
  {
    verb: 'meter read',
    summary: 'read a register or any attribute of a meter',
    arguments: [
      {
        name: 'object',
        description: '1-0:1.8.0*255, a name as "clock", or CLASS/OBIS/ATTRIBUTE',
      },
      {
        name: 'attribute',
        description: "its number or the class's name for it, as scaler_unit",
        optional: true,
      },
    ],
    options: [...METER_OPTIONS, COUNTRY],
    details: STATUS,
    load: async () => (await import('./read.ts')).meterRead,
  },
  {
    verb: 'meter write',
    summary: 'write an attribute of a meter, after a look at what it has',
    arguments: [
      { name: 'object', description: 'as of meter read' },
      { name: 'attribute', description: "its number or the class's name for it" },
      { name: 'value', description: 'a number, true, a text; lists and fields as JSON' },
    ],
    options: [
      ...METER_OPTIONS,
      { flags: '--dry-run', description: 'show the octets, and write nothing' },
      YES,
    ],
    details: [
      'The type is that of the class; where the class leaves it open, that of the value',
      'that is there. Octets are written in hex, bits as 0b0101, times as',
      '2026-11-21T06:15, logical names as 1-0:1.8.0*255, and enumerations in words or',
      'numbers.',
      STATUS,
    ].join('\n'),
    load: async () => (await import('./write.ts')).meterWrite,
  },
  {
    verb: 'meter profile',
    summary: 'read a profile of a meter, row by row as it comes',
    arguments: [{ name: 'obis', description: 'e.g. 1-0:99.1.0*255' }],
    options: [
      ...METER_OPTIONS,
      { flags: '--from <time>', description: "the meter's local time: 2026-11-21T06:15" },
      { flags: '--to <time>', description: 'likewise, now unless given; both ends are included' },
      { flags: '--entries <first-last>', description: 'by entry instead, counted from 1' },
    ],
    jsonLines: 'print lines of JSON: the columns, then a row each',
    details: STATUS,
    load: async () => (await import('./profile.ts')).meterProfile,
  },
  {
    verb: 'meter clock',
    summary: 'read the clock of a meter, or set it by this machine',
    arguments: [],
    options: [
      ...METER_OPTIONS,
      { flags: '--set', description: "set it to this machine's time" },
      {
        flags: '--step-max <seconds>',
        description: 'refuse a larger step: it would tear the load profile',
        default: '60',
      },
      {
        flags: '--time-zone <name>',
        description: 'of a meter that does not show how its time stands to UTC',
      },
    ],
    details: STATUS,
    load: async () => (await import('./clock.ts')).meterClock,
  },
  {
    verb: 'meter disconnect',
    summary: 'show the disconnector of a meter, or switch it',
    arguments: [],
    options: [
      ...METER_OPTIONS,
      {
        flags: '--to <state>',
        description: 'switch it to this state',
        choices: ['disconnected', 'connected'],
      },
      YES,
    ],
    details: STATUS,
    load: async () => (await import('./disconnect.ts')).meterDisconnect,
  },
  {
    verb: 'meter image',
    summary: 'transfer a firmware image to a meter, and let the meter verify it',
    arguments: [{ name: 'file', description: 'the image, as its maker gave it' }],
    options: [
      ...METER_OPTIONS,
      { flags: '--identifier <text>', description: 'its identifier, as its maker gave it' },
      {
        flags: '--signature <hex>',
        description: 'its signature, compared with what the meter says',
      },
      {
        flags: '--resume',
        description: 'go on after a cut with what is missing, if the meter has begun this image',
      },
      { flags: '--activate', description: 'activate it once it is verified' },
      YES,
    ],
    details: STATUS,
    load: async () => (await import('./image.ts')).meterImage,
  },
  {
    verb: 'meter keys',
    summary: 'give a meter a new global key, under its master key',
    arguments: [],
    options: [
      ...METER_OPTIONS,
      {
        flags: '--key <name>',
        description: 'which key',
        choices: ['encryption', 'authentication', 'broadcast'],
        default: 'encryption',
      },
      YES,
    ],
    details: [
      'The new key is made here, stands in the keyring as NAME.next before the meter',
      'has it, is tried, and only then takes the place of the old one, which is kept as',
      'NAME.before. After a cut run it again: it finds out which of both the meter has.',
      'No key is shown.',
      STATUS,
    ].join('\n'),
    load: async () => (await import('./keys.ts')).meterKeys,
  },
  {
    verb: 'meter replay',
    summary: 'say again to a meter what was said in a trace, and compare its answers',
    arguments: [{ name: 'file', description: 'what --trace recorded' }],
    options: METER_OPTIONS,
    details: [
      'Each turn is said once the meter has answered the one before. Counters, times',
      'and challenges differ by their nature; a password that was masked is refused.',
      'Status 0: all answers are as recorded; 1: some are not; 2: wrong command line;',
      '3: no answer. normctl sim meter --replay is the other side.',
    ].join('\n'),
    load: async () => (await import('./replay.ts')).meterReplay,
  },
];
