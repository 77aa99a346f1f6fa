/**
 * Objects that a country's or a utility's companion specification names beyond the general rules
 * of `obis-words.ts`. A key is `A-B:C.D.E`; `n` in group B stands for any channel.
 */
export interface Companion {
  /** ISO 3166 codes of the countries whose meters follow it; none: it is a medium's. */
  readonly countries: readonly string[];
  readonly title: string;
  readonly source: string;
  readonly objects: Readonly<Record<string, string>>;
}
