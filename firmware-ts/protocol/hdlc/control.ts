/** Control field of modulo 8 (IEC 62056-46, 6.4.3; ISO/IEC 13239, 5.3). */
export type HdlcControl =
  | { readonly kind: 'I'; readonly send: number; readonly receive: number; readonly poll: boolean }
  | { readonly kind: SupervisoryKind; readonly receive: number; readonly poll: boolean }
  | { readonly kind: UnnumberedKind; readonly poll: boolean }
  | { readonly kind: 'unknown'; readonly byte: number };

export type SupervisoryKind = keyof typeof SUPERVISORY;
export type UnnumberedKind = keyof typeof UNNUMBERED;

/** The poll/final bit left out. */
const UNNUMBERED = { SNRM: 0x83, DISC: 0x43, UA: 0x63, DM: 0x0f, FRMR: 0x87, UI: 0x03 } as const;
const SUPERVISORY = { RR: 0x01, RNR: 0x05, REJ: 0x09 } as const;
const POLL = 0x10;

export function controlFrom(byte: number): HdlcControl {
  const poll = (byte & POLL) !== 0;
  const receive = byte >>> 5;
  if ((byte & 1) === 0) return { kind: 'I', send: (byte >>> 1) & 7, receive, poll };
  for (const kind of Object.keys(SUPERVISORY) as SupervisoryKind[]) {
    if ((byte & 0x0f) === SUPERVISORY[kind]) return { kind, receive, poll };
  }
  for (const kind of Object.keys(UNNUMBERED) as UnnumberedKind[]) {
    if ((byte & ~POLL) === UNNUMBERED[kind]) return { kind, poll };
  }
  return { kind: 'unknown', byte };
}

export function byteOfControl(control: HdlcControl): number {
  switch (control.kind) {
    case 'unknown':
      return control.byte;
    case 'I':
      return (control.receive << 5) | pollBit(control.poll) | (control.send << 1);
    case 'RR':
    case 'RNR':
    case 'REJ':
      return (control.receive << 5) | pollBit(control.poll) | SUPERVISORY[control.kind];
    default:
      return UNNUMBERED[control.kind] | pollBit(control.poll);
  }
}

function pollBit(poll: boolean): number {
  return poll ? POLL : 0;
}
