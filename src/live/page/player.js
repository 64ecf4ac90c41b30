// Player: a history of events and a playhead in it. The engine's own clock (the sum of its step
// times) is the time axis, for live view and replay alike.

import { EventList, Kind } from './events.js';
import { apply, cloneState, initialState } from './state.js';

const KEYFRAME_EVERY = 8192;
const MAX_KEYFRAMES = 48;
const UNTIMED_STEP_US = 8000;
export const MAX_EVENTS = 1 << 20;

// Where in its step an event is shown, as a fraction of the step's time; never before its predecessor.
const PHASE = new Float64Array(256);
for (const [kind, phase] of [
  [Kind.chunk, 0.06], [Kind.stepPlanned, 0.08], [Kind.filtered, 0.36], [Kind.candidate, 0.36],
  [Kind.sampled, 0.56], [Kind.cached, 0.6], [Kind.freed, 0.6], [Kind.finished, 0.6],
  [Kind.released, 0.6], [Kind.held, 0.6], [Kind.stepTimed, 0.95],
]) PHASE[kind] = phase;

/**
 * A stretch of events that belong to one step.
 * @typedef {Object} Segment
 * @property {number} first number of its first event
 * @property {number} step
 * @property {number} startUs
 * @property {number} durationUs
 */

export class Player {
  /** @param {Object} metadata of the recording or stream */
  constructor(metadata = {}) {
    this.metadata = metadata;
    this.events = new EventList();
    this.dropped = 0;        // events forgotten at the front: numbers in this class count from there
    this.restoring = 0;      // the first so many events recreate a state
    this.state = initialState(metadata);
    this.at = 0;             // events applied
    this.us = 0;             // the playhead
    this.keyframes = [{ at: 0, state: cloneState(this.state) }];
    this.interval = KEYFRAME_EVERY;
    /** @type {Segment[]} */
    this.segments = [{ first: 0, step: 0, startUs: 0, durationUs: 0 }];
    this.bookmarks = [];
    this.switchedAt = -1;    // number of the newest record of techniques, with `dropped`; −1: none
    this.playing = true;
    this.speed = 0;          // of the engine's time; 0: as fast as events come
    this.pace = 0;           // steps a second, each as long as the other; 0: `speed` counts
    this.cursor = 0;         // segment of the playhead, and how far it is in it: only for `pace`
    this.phase = 0;
  }

  get length() { return this.events.length; }
  get endUs() { const s = this.segments[this.segments.length - 1]; return s.startUs + s.durationUs; }
  get atEnd() { return this.at >= this.length; }

  /** @param {Uint8Array} records @param {boolean} [snapshot] they recreate a state */
  append(records, snapshot = false) {
    let i = this.events.length;
    this.events.append(records);
    for (; i < this.events.length; ++i) this.index(i);
    if (snapshot) this.restoring = this.events.length;
    if (this.events.length > MAX_EVENTS) this.forget(this.events.length >> 1);
  }

  index(i) {
    let last = this.segments[this.segments.length - 1];
    const step = this.events.step(i);
    if (step > last.step) {
      if (last.durationUs === 0 && last.step > 0 && i > this.restoring) last.durationUs = UNTIMED_STEP_US;
      last = { first: i, step, startUs: last.startUs + last.durationUs, durationUs: 0 };
      this.segments.push(last);
    }
    if (this.events.kind(i) === Kind.techniques) this.switchedAt = i + this.dropped;
    if (this.events.kind(i) === Kind.stepTimed) {
      let us = 0;
      for (let k = 0; k < 4; ++k) us += this.events.value(i, k);
      last.durationUs = Math.max(us, last.durationUs);
    }
  }

  /** The oldest events go; the state before the rest is kept. */
  forget(count) {
    const keep = this.keyframes.filter((k) => k.at >= count);
    if (!keep.length || this.at < keep[0].at) this.seek(Math.max(this.at, count));
    const base = keep.length ? keep[0] : { at: this.at, state: cloneState(this.state) };
    const cut = base.at;
    this.events.dropFirst(cut);
    this.dropped += cut;
    this.restoring = Math.max(0, this.restoring - cut);
    this.at -= cut;
    this.keyframes = (keep.length ? keep : [base]).map((k) => ({ at: k.at - cut, state: k.state }));
    this.segments = this.segments.map((s) => ({ ...s, first: s.first - cut }));
    while (this.segments.length > 1 && this.segments[1].first <= 0) this.segments.shift();
    this.bookmarks = this.bookmarks.map((b) => ({ ...b, at: b.at - cut })).filter((b) => b.at >= 0);
    this.settle();
  }

  applyOne() {
    const s = this.state;
    s.restoring = this.at < this.restoring;
    apply(s, this.events, this.at++);
    const last = this.keyframes[this.keyframes.length - 1];
    if (this.at - last.at >= this.interval && this.at > this.restoring) {
      this.keyframes.push({ at: this.at, state: cloneState(s) });
      if (this.keyframes.length > MAX_KEYFRAMES) {
        this.keyframes = this.keyframes.filter((_, k) => k % 2 === 0);
        this.interval *= 2;
      }
    }
  }

  segmentAt(i) {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if (this.segments[mid].first <= i) low = mid; else high = mid - 1;
    }
    return low;
  }

  /** When event i is shown. */
  timeOf(i) {
    const segment = this.segments[this.segmentAt(i)];
    return segment.startUs + PHASE[this.events.kind(i)] * segment.durationUs;
  }

  /**
   * Lets time pass.
   * @param {number} seconds
   * @param {number} most events at once, so that a frame stays a frame
   * @returns {{from: number, to: number}} events that happened
   */
  tick(seconds, most = 20000) {
    const from = this.at;
    if (!this.playing) return { from, to: from };
    if (this.pace > 0) return this.walk(seconds, most);
    if (this.speed === 0) {
      while (this.at < this.length && this.at - from < most) this.applyOne();
      this.us = this.at < this.length ? this.timeOf(this.at) : this.endUs;
      return { from, to: this.at };
    }
    this.us = Math.min(this.endUs, this.us + seconds * 1e6 * this.speed);
    while (this.at < this.length && this.at - from < most && this.timeOf(this.at) <= this.us) this.applyOne();
    return { from, to: this.at };
  }

  walk(seconds, most) {
    const from = this.at;
    const last = this.segments.length - 1;
    this.phase += seconds * this.pace;
    while (this.phase >= 1 && this.cursor < last) { this.phase -= 1; ++this.cursor; }
    this.phase = Math.min(1, this.phase);
    const segment = this.segments[this.cursor];
    while (this.at < this.length && this.at - from < most) {
      const later = this.cursor < last ? this.segments[this.cursor + 1].first : this.length;
      if (this.at >= later || (this.at >= segment.first && PHASE[this.events.kind(this.at)] > this.phase)) break;
      this.applyOne();
    }
    this.us = segment.startUs + this.phase * segment.durationUs;
    return { from, to: this.at };
  }

  /** The playhead has been moved. */
  settle() {
    this.us = this.at < this.length ? this.timeOf(this.at) : this.endUs;
    this.cursor = this.segmentAt(Math.min(this.at, Math.max(0, this.length - 1)));
    this.phase = this.at < this.length ? PHASE[this.events.kind(this.at)] : 1;
  }

  /** Makes event `to` the next one. */
  seek(to) {
    to = Math.max(0, Math.min(this.length, to));
    let best = null;
    for (const k of this.keyframes) if (k.at <= to && (!best || k.at > best.at)) best = k;
    if (best && (to < this.at || best.at > this.at)) {
      this.state = cloneState(best.state);
      this.at = best.at;
    }
    while (this.at < to) this.applyOne();
    this.settle();
  }

  seekTime(us) {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if (this.segments[mid].startUs <= us) low = mid; else high = mid - 1;
    }
    let i = this.segments[low].first;
    while (i < this.length && this.timeOf(i) <= us) ++i;
    this.seek(i);
    this.us = us;
  }

  isBoundary(i, unit) {
    const kind = this.events.kind(i);
    if (unit === 'token') return kind === Kind.sampled;
    if (unit === 'request') return kind === Kind.finished;
    // Text of a step may come in the middle of the next one: its smaller number ends nothing.
    return i + 1 >= this.length || this.segments[this.segmentAt(i + 1)].first === i + 1;
  }

  /** Goes on to the end of the next token, step or request. @returns {{from: number, to: number}} */
  stepOn(unit) {
    const from = this.at;
    while (this.at < this.length) {
      const i = this.at;
      this.applyOne();
      if (this.isBoundary(i, unit)) break;
    }
    this.settle();
    return { from, to: this.at };
  }

  stepBack(unit) {
    let i = this.at - 2;
    while (i >= this.restoring && !this.isBoundary(i, unit)) --i;
    this.seek(i + 1);
  }

  addBookmark(name = '') {
    this.bookmarks.push({ at: this.at, name });
    this.bookmarks.sort((a, b) => a.at - b.at);
  }
}
