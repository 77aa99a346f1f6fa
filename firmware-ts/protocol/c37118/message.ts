import type { Command, Header } from './command.ts';
import { decodeCommand, decodeHeader } from './command.ts';
import { decodeConfiguration } from './configuration-codec.ts';
import type { Configuration } from './configuration.ts';
import type { DataFrame, DataLayout } from './data.ts';
import { readData } from './data.ts';
import type { Frame } from './frame.ts';
import { OperatingError } from '#bytes/failure.ts';

/** What a checked frame says. DATA carries the layout (with configuration) it was read by. */
export type C37118Message =
  | { readonly kind: 'configuration'; readonly configuration: Configuration }
  | { readonly kind: 'data'; readonly data: DataFrame; readonly layout: DataLayout }
  | { readonly kind: 'header'; readonly header: Header }
  | { readonly kind: 'command'; readonly command: Command };

/**
 * Any frame; it keeps nothing of the frame's bytes.
 * Errors: those of the decoders, and `no-configuration` for DATA without a layout.
 */
export function decodeMessage(frame: Frame, layout?: DataLayout): C37118Message {
  switch (frame.kind) {
    case 'data':
      if (layout !== undefined) return { kind: 'data', data: readData(layout, frame), layout };
      throw new OperatingError('no-configuration', 'DATA before any configuration', {
        hint: 'ask for CFG-2',
      });
    case 'header':
      return { kind: 'header', header: decodeHeader(frame) };
    case 'command':
      return { kind: 'command', command: decodeCommand(frame) };
    case 'configuration-1':
    case 'configuration-2':
    case 'configuration-3':
      return { kind: 'configuration', configuration: decodeConfiguration(frame) };
  }
}
