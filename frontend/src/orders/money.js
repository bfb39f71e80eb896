// @ts-check
"use strict";

/**
 * Amounts of money, exact: `google.type.Money` as one whole number of billionths of the currency's unit. What belongs
 * here: sums and texts. No amount is ever a floating-point number.
 */

const NANOS_PER_UNIT = 1_000_000_000n;
const NANO_DIGITS = 9;

/**
 * @typedef {object} Amount
 * @property {string} currencyCode
 * @property {bigint} nanos Billionths.
 */

/**
 * @param {{ currencyCode: string, units: bigint, nanos: number } | undefined} money
 * @returns {Amount}
 */
function amountOf(money) {
  if (!money) return { currencyCode: "", nanos: 0n };
  return { currencyCode: money.currencyCode, nanos: money.units * NANOS_PER_UNIT + BigInt(money.nanos) };
}

/**
 * Sums prices times quantities. Throws for prices in different currencies, which have no sum.
 *
 * @param {{ price: Amount, quantity: number }[]} lines
 * @returns {Amount | null} Null where there is nothing to sum.
 */
function totalOf(lines) {
  const [first] = lines;
  if (!first) return null;
  const { currencyCode } = first.price;
  let nanos = 0n;
  for (const { price, quantity } of lines) {
    if (price.currencyCode !== currencyCode) {
      throw new Error(`${price.currencyCode} cannot be added to ${currencyCode}`);
    }
    nanos += price.nanos * BigInt(quantity);
  }
  return { currencyCode, nanos };
}

/**
 * Writes the number as a decimal, all its digits and no more.
 *
 * @param {bigint} nanos
 * @returns {`${number}`}
 */
function decimal(nanos) {
  const sign = nanos < 0n ? "-" : "";
  const digits = String(nanos < 0n ? -nanos : nanos).padStart(NANO_DIGITS + 1, "0");
  return /** @type {`${number}`} */ (`${sign}${digits.slice(0, -NANO_DIGITS)}.${digits.slice(-NANO_DIGITS)}`);
}

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/** @param {string} currency */
function formatOf(currency) {
  let format = formats.get(currency);
  if (!format) {
    // As many digits as the currency has, and more only where an amount needs them.
    format = new Intl.NumberFormat("en-US", { style: "currency", currency, maximumFractionDigits: NANO_DIGITS });
    formats.set(currency, format);
  }
  return format;
}

/**
 * Writes an amount as people read it. The formatter is given the decimal as a text, which it does not round.
 *
 * @param {Amount} amount
 */
function formatAmount({ currencyCode, nanos }) {
  return formatOf(currencyCode).format(decimal(nanos));
}

module.exports = { amountOf, formatAmount, totalOf };
