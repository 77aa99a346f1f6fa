import type { FailurePlace } from '#bytes/failure.ts';
import { OperatingError } from '#bytes/failure.ts';

/** Beyond any meter's scaler and any float's shortest form; keeps sums and texts small. */
export const EXPONENT_MAX = 400;

/** An exact decimal number, `mantissa × 10^exponent`. */
export class Decimal {
  readonly mantissa: bigint;
  readonly exponent: number;

  private constructor(mantissa: bigint, exponent: number) {
    this.mantissa = mantissa;
    this.exponent = exponent;
  }

  /** Errors: `bad-number` for a mantissa that is no integer or an exponent out of bounds. */
  static of(mantissa: number | bigint, exponent: number, place: FailurePlace = {}): Decimal {
    const whole = typeof mantissa === 'bigint' || Number.isSafeInteger(mantissa);
    if (!whole || Math.abs(exponent) > EXPONENT_MAX) {
      throw new OperatingError('bad-number', 'not a decimal within bounds', place);
    }
    return new Decimal(BigInt(mantissa), exponent);
  }

  /** A float as the shortest decimal that reads back as it. Errors: `bad-number` if not finite. */
  static from(value: number | bigint | Decimal, place: FailurePlace = {}): Decimal {
    if (value instanceof Decimal) return value;
    if (typeof value === 'bigint' || Number.isSafeInteger(value))
      return Decimal.of(value, 0, place);
    return Decimal.parse(String(value), place);
  }

  /** A number in JSON's grammar (RFC 8259, 6). */
  static parse(text: string, place: FailurePlace = {}): Decimal {
    const match = /^(-?\d{1,400})(?:\.(\d{1,400}))?(?:[eE]([+-]?\d{1,4}))?$/.exec(text);
    if (match === null) throw new OperatingError('bad-number', 'not a number', place);
    const [, whole = '', fraction = '', exponent = '0'] = match;
    return Decimal.of(BigInt(whole + fraction), Number(exponent) - fraction.length, place);
  }

  plus(other: Decimal): Decimal {
    const exponent = Math.min(this.exponent, other.exponent);
    return new Decimal(this.#at(exponent) + other.#at(exponent), exponent);
  }

  minus(other: Decimal): Decimal {
    return this.plus(new Decimal(-other.mantissa, other.exponent));
  }

  times(other: Decimal): Decimal {
    return new Decimal(this.mantissa * other.mantissa, this.exponent + other.exponent);
  }

  /** Without its sign. */
  magnitude(): Decimal {
    return this.mantissa < 0n ? new Decimal(-this.mantissa, this.exponent) : this;
  }

  atMost(other: Decimal): boolean {
    return this.minus(other).mantissa <= 0n;
  }

  /** Whole units of 10^exponent, rounded down: `floor(-9)` of seconds are nanoseconds. */
  floor(exponent: number): bigint {
    if (this.exponent >= exponent) return this.#at(exponent);
    const divisor = 10n ** BigInt(exponent - this.exponent);
    const quotient = this.mantissa / divisor;
    return this.mantissa < 0n && this.mantissa % divisor !== 0n ? quotient - 1n : quotient;
  }

  /** Plain digits where they are few, else with an exponent: legal in JSON and exact. */
  toString(): string {
    const { mantissa, exponent } = this;
    if (exponent === 0) return mantissa.toString();
    if (exponent > 0 || exponent < -20) return `${mantissa.toString()}e${exponent}`;
    const digits = (mantissa < 0n ? -mantissa : mantissa).toString().padStart(1 - exponent, '0');
    const point = digits.length + exponent;
    return `${mantissa < 0n ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`;
  }

  #at(exponent: number): bigint {
    return this.mantissa * 10n ** BigInt(this.exponent - exponent);
  }
}
