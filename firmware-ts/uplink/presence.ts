import { DICTIONARIES, type PublishedDictionary } from '#contract/dictionaries.ts';
import type { Message } from './session.ts';
import type { UplinkOptions } from './uplink.ts';

/** What `nd/1/{gateway}/st` says, in JSON so that any MQTT tool shows it; always retained. */
export interface Presence {
  readonly version: 1;
  readonly state: 'online' | 'offline';
  /** Why it is offline: it said goodbye, or the broker lost it. */
  readonly reason?: 'stopped' | 'lost';
  readonly software: string;
  /** What the head-end may find in the other topics. */
  readonly capabilities: readonly string[];
  /** With which payloads may be compressed; absent where none is. */
  readonly dictionaries?: readonly PublishedDictionary[];
}

export interface Presences {
  readonly birth: Message;
  readonly goodbye: Message;
  readonly will: Message;
}

export function presencesOf(
  topic: string,
  options: Pick<UplinkOptions, 'software' | 'format' | 'compression'>,
): Presences {
  const { software, format = 'senml+cbor', compression } = options;
  const bare = [format, 'pack'];
  const capabilities =
    compression === 'zstd'
      ? { capabilities: [...bare, 'zstd'], dictionaries: DICTIONARIES }
      : { capabilities: bare };
  const message = (presence: Pick<Presence, 'state' | 'reason'>): Message => {
    const whole: Presence = { version: 1, ...presence, software, ...capabilities };
    return { topic, payload: JSON.stringify(whole), retain: true };
  };
  return {
    birth: message({ state: 'online' }),
    goodbye: message({ state: 'offline', reason: 'stopped' }),
    will: message({ state: 'offline', reason: 'lost' }),
  };
}
