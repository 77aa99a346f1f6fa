import type { Command } from '../command.ts';

/** Meters that there are none of, to try things at. */
export const SIM_COMMANDS: readonly Command[] = [
  {
    verb: 'sim meter',
    summary: 'be a DLMS/COSEM meter, until Ctrl-C',
    arguments: [],
    options: [
      { flags: '--tcp <port>', description: 'listen on TCP; 4059 where nothing else is said' },
      { flags: '--udp <port>', description: 'listen on UDP instead' },
      { flags: '--serial <path>', description: 'be at the end of a serial line instead' },
      {
        flags: '--pty <path>',
        description: 'make a serial line of this name, to be opened by somebody else',
      },
      { flags: '--baud <rate>', description: 'of the serial line, at 8N1', default: '9600' },
      { flags: '--listen <address>', description: 'for --tcp and --udp', default: '127.0.0.1' },
      {
        flags: '--framing <kind>',
        description: 'wrapper is usual on TCP and UDP, hdlc on serial',
        choices: ['wrapper', 'hdlc'],
      },
      { flags: '--meter <file>', description: 'a description of the meter, in YAML' },
      { flags: '--print', description: 'print the description of the usual meter, to begin with' },
      {
        flags: '--replay <file>',
        description: 'say again what the device of a trace said, turn by turn',
      },
      { flags: '--faults <list>', description: 'what is wrong with it, see below', default: '' },
      { flags: '--seed <word>', description: 'of the chance in faults', default: 'normd' },
    ],
    jsonLines: 'print lines of JSON: what it is, then each thing that happens',
    details: [
      'It has a clock, registers, a load profile that grows, a disconnector, image',
      'transfer, and a client for each mechanism, with keys and passwords that are no',
      'secrets.',
      'Clients 3 (suite 1) and 4 (suite 2) have every key: it answers in the form in which',
      'it is asked, ciphered under any key, and signed.',
      'Start it, and in another window ask it:',
      '  normctl meter objects --tcp 127.0.0.1:4059',
      '',
      'Faults, with commas between; a number up to 1 is a probability for each frame:',
      '  noise:0.05    octets of no meaning come before a frame',
      '  lost:0.02     a frame does not arrive',
      '  fcs:0.02      the check sequence of a frame, or its end, is wrong',
      '  delay:300     milliseconds until it answers',
      '  echo          the line gives back what is sent',
      '  counter:1000  it once wants an invocation counter that is so much higher',
      '',
      'Status 0: ended by Ctrl-C; 1: the port or line cannot be had; 2: wrong command',
      'line.',
    ].join('\n'),
    load: async () => (await import('./meter.ts')).simMeter,
  },
];
