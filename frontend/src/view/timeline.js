// @ts-check
"use strict";

/** The arithmetic of the timeline: axis, bars, gaps. What belongs here: numbers in, numbers out, no page. */

const SHORTEST_AXIS_MS = 10;

/** A plan longer than this is not laid out in advance: nobody watches it to the end. */
const LONGEST_PLANNED_AXIS_MS = 60_000;

/**
 * @typedef {object} Axis
 * @property {number} endMs The axis runs from 0 to here.
 * @property {number} stepMs From one mark to the next.
 * @property {number[]} marks In milliseconds; the first is 0, the last is the end.
 */

/**
 * Gives the time that the axis must have room for. A plan keeps it still while the messages arrive.
 *
 * @param {number} plannedMs How long the call is going to take if all goes as asked; 0 if nobody knows.
 * @param {number} elapsedMs How long it has taken so far.
 */
function axisSpan(plannedMs, elapsedMs) {
  return Math.max(plannedMs <= LONGEST_PLANNED_AXIS_MS ? plannedMs : 0, elapsedMs, SHORTEST_AXIS_MS);
}

/**
 * Gives an axis with marks at round times: a power of ten times 1, 2 or 5.
 *
 * @param {number} spanMs What there must be room for; more than 0.
 * @param {number} mostMarks The most steps that the axis may have.
 * @returns {Axis}
 */
function roundAxis(spanMs, mostMarks) {
  const smallest = spanMs / Math.max(1, mostMarks);
  const magnitude = 10 ** Math.floor(Math.log10(smallest));
  const factor = [1, 2, 5].find((candidate) => candidate * magnitude >= smallest) ?? 10;
  const stepMs = factor * magnitude;
  const steps = Math.max(1, Math.ceil(spanMs / stepMs));
  return { endMs: steps * stepMs, stepMs, marks: Array.from({ length: steps + 1 }, (_, step) => step * stepMs) };
}

/**
 * Counts the arrivals in equal slices of the axis.
 *
 * @param {readonly number[]} arrivals Milliseconds since the call began.
 * @param {number} endMs The end of the axis; what arrives there or later counts for the last slice.
 * @param {number} slices How many.
 * @returns {number[]}
 */
function countInSlices(arrivals, endMs, slices) {
  const counts = new Array(slices).fill(0);
  for (const arrival of arrivals) {
    counts[Math.min(slices - 1, Math.floor((arrival / endMs) * slices))] += 1;
  }
  return counts;
}

/**
 * @typedef {object} Rhythm
 * @property {number | null} firstMs When the first message arrived.
 * @property {number | null} medianGapMs Between two messages; null with less than two.
 * @property {number | null} longestGapMs
 */

/**
 * Sums up when messages arrived.
 *
 * @param {readonly number[]} arrivals Milliseconds since the call began, in order.
 * @returns {Rhythm}
 */
function rhythmOf(arrivals) {
  const firstMs = arrivals[0] ?? null;
  if (arrivals.length < 2) return { firstMs, medianGapMs: null, longestGapMs: null };
  const gaps = new Float64Array(arrivals.length - 1);
  for (let i = 0; i < gaps.length; i += 1) {
    gaps[i] = /** @type {number} */ (arrivals[i + 1]) - /** @type {number} */ (arrivals[i]);
  }
  gaps.sort();
  const at = (/** @type {number} */ index) => /** @type {number} */ (gaps[index]);
  const middle = gaps.length >> 1;
  const medianGapMs = gaps.length % 2 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { firstMs, medianGapMs, longestGapMs: at(gaps.length - 1) };
}

/**
 * Writes a mark of the axis, in the unit of the whole axis.
 *
 * @param {number} ms
 * @param {number} endMs The end of the axis.
 */
function markLabel(ms, endMs) {
  if (ms === 0) return "0";
  return endMs >= 1000 ? `${Number((ms / 1000).toFixed(3))} s` : `${Number(ms.toFixed(3))} ms`;
}

module.exports = { axisSpan, countInSlices, markLabel, rhythmOf, roundAxis };
