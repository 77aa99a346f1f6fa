import type { EllipticKeyPair } from '#protocol/ciphers.ts';
import { fromHex } from '#bytes/hex.ts';
import { InvocationCounter } from '#protocol/dlms/invocation-counter.ts';
import type { KeyedOptions } from '#protocol/dlms/keyed-protection.ts';
import { keyPairOf, machineCiphers } from '#system/ciphers.ts';

export const CLIENT_TITLE = fromHex('4D4D4D0000BC614E');
export const SERVER_TITLE = fromHex('4D4D4D0000000001');
/** Key agreement pairs of the Green Book, Table C.1. */
export const CLIENT = keyPairOf(
  'P-256',
  fromHex('A51C16FF5C498FCC89323D4A9267CD71BF81FD6F6A891CD240DA7F3D6F283E65'),
);
export const SERVER = keyPairOf(
  'P-256',
  fromHex('AAD3FD0732E991CF52A74C66C1F2827DDC53522A2E0A169D7C4FFCC0FB5D6A4D'),
);

export const SIGNING = machineCiphers.generateKeyPair('P-256');
export const PEER_SIGNING = machineCiphers.generateKeyPair('P-256');
export const KEYS = {
  encryption: new Uint8Array(16).fill(1),
  authentication: fromHex('D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF'),
  broadcast: new Uint8Array(16).fill(2),
};

export function counter(): InvocationCounter {
  const counters = new InvocationCounter();
  counters.grant({ from: 0, until: 1000 });
  return counters;
}

export interface Pairs {
  readonly clientSigning: EllipticKeyPair;
  readonly serverSigning: EllipticKeyPair;
  readonly client: EllipticKeyPair;
  readonly server: EllipticKeyPair;
}

export const PAIRS: Pairs = {
  clientSigning: SIGNING,
  serverSigning: PEER_SIGNING,
  client: CLIENT,
  server: SERVER,
};

export type Side = 'client' | 'server';

/** Of one side of an association whose sides know each other. */
export function optionsOf(
  side: Side,
  keyInfo: KeyedOptions['keyInfo'],
  pairs = PAIRS,
): KeyedOptions {
  const isClient = side === 'client';
  return {
    side,
    suite: pairs.client.curve === 'P-384' ? 2 : 1,
    ownTitle: isClient ? CLIENT_TITLE : SERVER_TITLE,
    peerTitle: isClient ? SERVER_TITLE : CLIENT_TITLE,
    keys: KEYS,
    policy: 'require',
    level: 'authenticated-and-encrypted',
    cipher: machineCiphers.aesGcm,
    counters: counter(),
    ciphers: machineCiphers,
    keyInfo,
    master: new Uint8Array(16).fill(9),
    agreementKeys: isClient
      ? {
          agreement: pairs.client,
          peerAgreement: pairs.server.publicKey,
          signing: pairs.clientSigning,
          peerSigning: pairs.serverSigning.publicKey,
        }
      : {
          agreement: pairs.server,
          peerAgreement: pairs.client.publicKey,
          signing: pairs.serverSigning,
          peerSigning: pairs.clientSigning.publicKey,
        },
  };
}
