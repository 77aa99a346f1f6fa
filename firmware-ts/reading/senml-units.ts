/**
 * SenML Units (RFC 8428, 12.1, and RFC 8798, 2; IANA registry "SenML Units"), as far as meters and
 * PMUs know them.
 */
const PRIMARY: ReadonlySet<string> = new Set(
  `m kg s A K cd mol Hz rad sr N Pa J W C V F Ohm S Wb T H Cel lm lx m2 m3 m/s m/s2 m3/s W/m2 bit
  bit/s lat lon pH dB dBW count / %RH %EL EL 1/s S/m B VA VAs var vars J/m kg/m3 deg g l l/s %
  1/min`.split(/\s+/),
);

/**
 * All of RFC 8798, 3 (IANA registry "Secondary Units"); VAh is not among them, kVAh is. A pack that
 * has one says so in `bver` (RFC 9100, 4). They should give way to SenML Units, except for existing
 * data models that are built on them: so is DLMS/COSEM, and a register's digits stay as shown.
 */
const SECONDARY: ReadonlySet<string> = new Set(
  `ms min h MHz kW kVA kvar Ah Wh kWh varh kvarh kVAh Wh/km KiB GB Mbit/s B/s MB/s mV mA dBm ug/m3
  mm/h m/h ppm /100 /1000 hPa mm cm km km/h`.split(/\s+/),
);

export type UnitKind = 'none' | 'primary' | 'secondary' | 'unregistered';

/** Which registry, if any, has the symbol. An unregistered one may not stand in `u`. */
export function kindOfUnit(unit: string): UnitKind {
  if (unit === '') return 'none';
  if (PRIMARY.has(unit)) return 'primary';
  return SECONDARY.has(unit) ? 'secondary' : 'unregistered';
}
