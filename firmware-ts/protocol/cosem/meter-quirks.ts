/** What is done otherwise with a meter than the standard would have it. */
export interface MeterQuirks {
  /** Where its clock leaves the deviation open, it shows standard time all year. */
  readonly standardTime?: true;
}

/** A quirk is here only where somebody saw it: `seen` says who. */
export interface QuirkyMeters {
  /** The manufacturer's flag: the first three letters of the logical device name. */
  readonly manufacturer: string;
  /** What the rest of the name begins with; all models where absent. */
  readonly model?: string;
  readonly quirks: MeterQuirks;
  readonly seen: string;
}

export const QUIRKY_METERS: readonly QuirkyMeters[] = [
  {
    manufacturer: 'KAM',
    quirks: { standardTime: true },
    seen: 'Kamstrup OMNIPOWER in NO and FI, every recording (amsreader-firmware, issue 1191)',
  },
];

const FLAG_LETTERS = 3;

/**
 * Quirks of the meter with this logical device name (object 0-0:42.0.0; IEC 62056-6-2, 4.1.8.2), of
 * its manufacturer and of its model.
 */
export function quirksOf(logicalDeviceName: string): MeterQuirks {
  const manufacturer = logicalDeviceName.slice(0, FLAG_LETTERS);
  const model = logicalDeviceName.slice(FLAG_LETTERS);
  const fitting = QUIRKY_METERS.filter(
    (meters) => meters.manufacturer === manufacturer && model.startsWith(meters.model ?? ''),
  );
  return Object.assign({}, ...fitting.map(({ quirks }) => quirks)) as MeterQuirks;
}
