// The one reducer: events in, the engine's state out. Live view, replay and tests share it; it knows
// no clock, no page and no network.

import { Kind, REASONS, TECHNIQUES } from './events.js';

/**
 * @typedef {Object} Candidate
 * @property {number} token
 * @property {number} logit as the model gave it
 * @property {number} probability after temperature, before the filters
 * @property {number} final of being drawn, after all filters
 * @property {number} cut the filter that took it out (FILTERS); 0: it was in when the token was drawn
 */

/**
 * One token drawn.
 * @typedef {Object} Draw
 * @property {number} step
 * @property {number} token
 * @property {number} position in the sequence
 * @property {number} uniform the random number, in [0, 1)
 * @property {number} left candidates left
 * @property {number[]} filtered candidates left after masks, min-p, top-k, top-p; empty: not logged
 * @property {Candidate[]} candidates the most probable first
 * @property {boolean} done the token is known; false: its candidates are still coming
 */

/**
 * @typedef {Object} Request
 * @property {number} id
 * @property {'waiting'|'running'|'finished'|'refused'} status
 * @property {number[]} prompt ids
 * @property {number} promptLength
 * @property {number} maxTokens
 * @property {number[]} output ids
 * @property {number} computed tokens whose keys and values are in the cache
 * @property {number} cachedTokens found in the prefix cache when it was last admitted
 * @property {number[]} table blocks by index; −1: none
 * @property {number} tenant
 * @property {number} priority
 * @property {{reason: string, needed: number, available: number, other: number}|null} wait
 * @property {string} endReason
 * @property {number} preemptions
 * @property {number} parent the request it was forked from; 0: none
 * @property {number} released bytes of text
 * @property {number} held bytes of text held back
 * @property {string} heldReason
 * @property {Draw|null} draw the last one
 * @property {{first: number, tokens: number, left: number, step: number}|null} chunk the last one
 * @property {number} arrivedStep
 * @property {number} finishedStep
 * @property {number} arrivedUs
 * @property {number} firstTokenUs −1: none yet
 * @property {number} lastTokenUs
 */

/**
 * What one step did, for the scheduler's timeline.
 * @typedef {Object} Step
 * @property {number} step
 * @property {number} tokens
 * @property {number} running
 * @property {number} waiting
 * @property {number[]|null} timed µs to schedule, run, sample, for all else
 * @property {number} startUs on the engine's clock: the sum of the steps before
 * @property {Mark[]} marks
 */

/** @typedef {{request: number, what: string, a: number, b: number, reason: string}} Mark */

export const MAX_STEPS = 4096;
const MAX_LATENCIES = 512;

/**
 * @typedef {Object} State
 * @property {number} count events so far
 * @property {number} step
 * @property {number} clockUs
 * @property {boolean} restoring a snapshot is being read: nothing of it happens now
 * @property {Object} settings
 * @property {number} blockSize
 * @property {number} numBlocks
 * @property {Map<number, Request>} requests unfinished and recently finished
 * @property {Int32Array} owner of each block: the request that last took or shared it; 0: none
 * @property {Uint16Array} users
 * @property {Uint8Array} cached 1: its content can be found by others
 * @property {Float64Array} freedAt event number, for the order of eviction
 * @property {Int32Array} evictedStep
 * @property {Step[]} steps the last MAX_STEPS
 * @property {Mark[]} marks of a step that is not planned yet
 * @property {number[]} drawn requests with a token in a step that has not ended yet
 * @property {Object} totals
 * @property {number[]} ttftUs
 * @property {number[]} itlUs
 */

/**
 * @param {Object} settings
 * @returns {State}
 */
export function initialState(settings = {}) {
  const pick = (...names) => {
    for (const name of names) {
      const found = find(settings, name);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const numBlocks = Math.max(0, Math.min(1 << 24, pick('num_blocks', 'num_kv_blocks', 'num_gpu_blocks') | 0));
  return {
    count: 0,
    step: 0,
    clockUs: 0,
    restoring: false,
    settings,
    blockSize: pick('block_size') || 16,
    numBlocks,
    budget: pick('max_num_batched_tokens') | 0,
    vocabulary: pick('vocab_size') | 0,
    maxSeqs: pick('max_num_seqs') | 0,
    techniques: techniqueBits({
      paging: !pick('reservation'), kv_cache: !pick('recompute_each_step'), prefix_cache: pick('enable_prefix_caching') !== false,
      continuous_batching: !pick('static_batches'), chunked_prefill: pick('chunked_prefill') !== false,
    }),
    requests: new Map(),
    owner: new Int32Array(numBlocks),
    users: new Uint16Array(numBlocks),
    cached: new Uint8Array(numBlocks),
    freedAt: new Float64Array(numBlocks),
    evictedStep: new Int32Array(numBlocks).fill(-1),
    steps: [],
    marks: [],
    drawn: [],
    totals: { promptTokens: 0, hits: 0, generated: 0, preemptions: 0, finished: 0, refused: 0, evictions: 0 },
    ttftUs: [],
    itlUs: [],
  };
}

/** @param {Object<string, boolean>} on by name */
export function techniqueBits(on) {
  return TECHNIQUES.reduce((bits, name, k) => bits | (on[name] ? 1 << k : 0), 0);
}

/** Names of those that are off. @param {number} bits */
export function techniquesOff(bits) { return TECHNIQUES.filter((_, k) => !(bits >> k & 1)); }

/** The value of a key at any depth of plain objects. */
export function find(object, name) {
  if (!object || typeof object !== 'object' || Array.isArray(object)) return undefined;
  if (name in object && typeof object[name] !== 'object') return object[name];
  for (const key of Object.keys(object)) {
    const found = find(object[key], name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A deep copy, from which time can go on in another direction. @param {State} s @returns {State} */
export function cloneState(s) {
  const requests = new Map();
  for (const [id, r] of s.requests) {
    const draw = r.draw && { ...r.draw, candidates: r.draw.candidates.slice() };
    requests.set(id, { ...r, draw, output: r.output.slice(), table: r.table.slice(), prompt: r.prompt.slice() });
  }
  // Only the last steps are still being written to.
  const steps = s.steps.slice();
  for (let k = Math.max(0, steps.length - 4); k < steps.length; ++k) {
    steps[k] = { ...steps[k], marks: steps[k].marks.slice() };
  }
  return {
    ...s,
    requests,
    owner: s.owner.slice(), users: s.users.slice(), cached: s.cached.slice(),
    freedAt: s.freedAt.slice(), evictedStep: s.evictedStep.slice(),
    steps, marks: s.marks.slice(), drawn: s.drawn.slice(),
    totals: { ...s.totals }, ttftUs: s.ttftUs.slice(), itlUs: s.itlUs.slice(),
  };
}

/** @returns {Request} */
function requestOf(s, id) {
  let r = s.requests.get(id);
  if (!r) {
    r = {
      id, status: 'waiting', prompt: [], promptLength: 0, maxTokens: 0, output: [], computed: 0,
      cachedTokens: 0, table: [], tenant: 0, priority: 0, wait: null, endReason: '', preemptions: 0,
      parent: 0, released: 0, held: 0, heldReason: '', draw: null, chunk: null,
      arrivedStep: s.step, finishedStep: -1, arrivedUs: s.clockUs, firstTokenUs: -1, lastTokenUs: 0,
    };
    s.requests.set(id, r);
  }
  return r;
}

/** Blocks that the settings did not tell of: the pool is at least as large as its largest number. */
function growPool(s, block) {
  if (block < s.numBlocks) return;
  const size = Math.max(block + 1, s.numBlocks * 2, 64);
  const grow = (old, fresh) => { fresh.set(old); return fresh; };
  s.owner = grow(s.owner, new Int32Array(size));
  s.users = grow(s.users, new Uint16Array(size));
  s.cached = grow(s.cached, new Uint8Array(size));
  s.freedAt = grow(s.freedAt, new Float64Array(size));
  s.evictedStep = grow(s.evictedStep, new Int32Array(size).fill(-1));
  s.numBlocks = size;
}

/** Before a step is planned its marks are gathered; what it brings about afterwards joins them. */
function mark(s, step, request, what, a = 0, b = 0, reason = '') {
  if (s.restoring) return;
  const last = s.steps[s.steps.length - 1];
  const marks = last && last.step === step && step > 0 ? last.marks : s.marks;
  marks.push({ request, what, a, b, reason });
}

function push(list, value, most) {
  list.push(value);
  if (list.length > most) list.splice(0, list.length - most);
}

/** The requests that ended long ago are forgotten, so that a page can stay open for weeks. */
function forget(s) {
  if (s.requests.size < 600) return;
  const done = [...s.requests.values()].filter((r) => r.finishedStep >= 0);
  done.sort((a, b) => a.finishedStep - b.finishedStep);
  for (const r of done.slice(0, Math.max(0, done.length - 256))) s.requests.delete(r.id);
}

/**
 * Applies event `i` of `events` to the state, in place.
 * @param {State} s
 * @param {import('./events.js').EventList} events
 * @param {number} i
 */
export function apply(s, events, i) {
  const kind = events.kind(i);
  const id = events.request(i);
  const reason = REASONS[events.reason(i)] || '';
  const v = (k) => events.value(i, k);
  const step = events.step(i);
  if (step > s.step) s.step = step;
  ++s.count;
  switch (kind) {
    case Kind.stepPlanned: {
      const last = s.steps[s.steps.length - 1];
      push(s.steps, {
        step, tokens: v(0), scheduled: v(1), running: v(2), waiting: v(3), timed: null,
        startUs: last ? last.startUs + sumOf(last.timed) : s.clockUs, marks: s.marks,
      }, MAX_STEPS);
      s.marks = [];
      break;
    }
    case Kind.stepTimed: {
      const timed = [v(0), v(1), v(2), v(3)];
      for (let k = s.steps.length - 1; k >= 0 && k >= s.steps.length - 4; --k) {
        if (s.steps[k].step === step) s.steps[k].timed = timed;
      }
      s.clockUs += sumOf(timed);
      for (const r of s.drawn) noteLatency(s, requestOf(s, r));
      s.drawn = [];
      break;
    }
    case Kind.arrived: {
      forget(s);
      const r = requestOf(s, id);
      r.promptLength = v(0);
      r.maxTokens = v(1);
      r.tenant = v(2);
      r.priority = v(3);
      r.arrivedStep = s.step;
      r.arrivedUs = s.clockUs;
      mark(s, step, id, 'arrived');
      break;
    }
    case Kind.promptTokens: {
      const r = requestOf(s, id);
      for (let k = 0; k < events.detail(i); ++k) r.prompt.push(v(k));
      break;
    }
    case Kind.refused: {
      const r = requestOf(s, id);
      r.status = 'refused';
      r.wait = { reason, needed: v(0), available: v(1), other: 0 };
      r.endReason = reason;
      r.finishedStep = s.step;
      ++s.totals.refused;
      mark(s, step, id, 'refused', v(0), v(1), reason);
      break;
    }
    case Kind.admitted: {
      const r = requestOf(s, id);
      r.status = 'running';
      r.wait = null;
      r.cachedTokens = v(0);
      r.computed = v(0);
      if (!s.restoring) {
        s.totals.hits += v(0);
        s.totals.promptTokens += v(0) + v(1);
      }
      mark(s, step, id, 'admitted', v(0), v(1));
      break;
    }
    case Kind.waiting:
    case Kind.stalled: {
      const r = requestOf(s, id);
      const why = kind === Kind.stalled ? 'stalled' : reason;
      r.wait = { reason: why, needed: v(0), available: v(1), other: kind === Kind.stalled ? 0 : v(2) };
      if (kind === Kind.waiting) mark(s, step, id, 'waiting', v(0), v(1), why);
      else mark(s, step, id, 'stalled', v(0), v(1), why);
      break;
    }
    case Kind.chunk: {
      const r = requestOf(s, id);
      r.status = 'running';
      r.wait = null;
      r.chunk = { first: v(0), tokens: v(1), left: v(2), step };
      r.computed = v(0) + v(1);
      mark(s, step, id, v(1) === 1 && v(2) === 0 && v(0) >= r.promptLength ? 'decode' : 'prefill', v(0), v(1));
      break;
    }
    case Kind.taken: {
      const block = v(0);
      growPool(s, block);
      s.owner[block] = id;
      s.users[block] = 1;
      s.cached[block] = 0;
      // A snapshot's free blocks name who used them last, and who may be gone.
      if (id && (!s.restoring || s.requests.has(id))) requestOf(s, id).table[v(1)] = block;
      break;
    }
    case Kind.shared: {
      const block = v(0);
      growPool(s, block);
      if (s.users[block] === 0) s.owner[block] = id;
      s.users[block] = v(2);
      requestOf(s, id).table[v(1)] = block;
      break;
    }
    case Kind.freed: {
      const block = v(0);
      growPool(s, block);
      s.users[block] = v(1);
      s.cached[block] = v(2);
      const r = s.requests.get(id);
      if (r) {
        const at = r.table.lastIndexOf(block);
        if (at >= 0) r.table[at] = -1;
      }
      if (v(1) === 0) {
        s.freedAt[block] = s.count;
        if (!v(2)) s.owner[block] = 0;
      } else if (s.owner[block] === id) {
        s.owner[block] = someUser(s, block, id);
      }
      break;
    }
    case Kind.evicted:
      growPool(s, v(0));
      s.cached[v(0)] = 0;
      s.evictedStep[v(0)] = s.step;
      if (!s.restoring) ++s.totals.evictions;
      mark(s, step, id, 'evicted', v(0));
      break;
    case Kind.copied:
      mark(s, step, id, 'copied', v(0), v(1));
      break;
    case Kind.cached:
      growPool(s, v(0));
      s.cached[v(0)] = 1;
      break;
    case Kind.forked: {
      const r = requestOf(s, id);
      const parent = s.requests.get(v(0));
      r.parent = v(0);
      r.status = 'running';
      r.computed = v(1);
      if (parent && r.prompt.length === 0) r.prompt = parent.prompt.slice();
      break;
    }
    case Kind.preempted: {
      const r = requestOf(s, id);
      r.status = 'waiting';
      r.computed = 0;
      r.table = [];
      r.preemptions = v(3);
      r.wait = { reason: 'preempted', needed: v(0), available: v(1), other: v(2) };
      if (!s.restoring) ++s.totals.preemptions;
      mark(s, step, id, 'preempted', v(0), v(2), reason);
      break;
    }
    case Kind.filtered:
      drawOf(requestOf(s, id), step).filtered = [v(0), v(1), v(2), v(3)];
      break;
    case Kind.candidate: {
      const draw = drawOf(requestOf(s, id), step);
      draw.candidates.push({
        token: v(0), logit: events.float(i, 1), probability: events.float(i, 2), final: events.float(i, 3),
        cut: events.detail(i),
      });
      break;
    }
    case Kind.sampled: {
      const r = requestOf(s, id);
      const draw = drawOf(r, step);
      draw.token = v(0);
      draw.position = v(1);
      // The upper 53 of 64 bits, as the engine makes its number in [0, 1).
      draw.uniform = ((v(2) >>> 0) * 2 ** 21 + ((v(3) >>> 0) >>> 11)) * 2 ** -53;
      draw.left = events.detail(i);
      draw.done = true;
      r.output.push(v(0));
      if (s.restoring) break;
      ++s.totals.generated;
      s.drawn.push(id);
      mark(s, step, id, 'sampled', v(0), v(1));
      break;
    }
    case Kind.released: {
      const r = requestOf(s, id);
      r.released = v(1);
      r.held = 0;
      r.heldReason = '';
      break;
    }
    case Kind.held: {
      const r = requestOf(s, id);
      r.held = v(0);
      r.heldReason = v(0) ? reason : '';
      break;
    }
    case Kind.finished: {
      const r = requestOf(s, id);
      r.status = 'finished';
      r.endReason = reason;
      r.wait = null;
      r.finishedStep = s.step;
      r.table = [];
      ++s.totals.finished;
      mark(s, step, id, 'finished', v(0), v(1), reason);
      break;
    }
    case Kind.techniques:  // with an empty pool
      s.techniques = v(0);
      s.budget = v(1) || s.budget;
      s.owner.fill(0);
      s.users.fill(0);
      s.cached.fill(0);
      mark(s, step, 0, 'techniques', v(0), step);
      break;
    default:
      break;  // of a newer version: skipped
  }
}

/** A token is there when its step has ended. */
function noteLatency(s, r) {
  const now = s.clockUs;
  if (r.firstTokenUs >= 0) push(s.itlUs, now - r.lastTokenUs, MAX_LATENCIES);
  else if (r.output.length === 1) push(s.ttftUs, now - r.arrivedUs, MAX_LATENCIES);
  if (r.firstTokenUs < 0) r.firstTokenUs = now;
  r.lastTokenUs = now;
}

/** A request that still uses a block that another has given back. */
function someUser(s, block, except) {
  for (const r of s.requests.values()) {
    if (r.id !== except && r.status === 'running' && r.table.includes(block)) return r.id;
  }
  return s.owner[block];
}

/** The draw of this step: its candidates, filters and token come as separate events. */
function drawOf(r, step) {
  if (!r.draw || r.draw.step !== step) {
    r.draw = { step, token: -1, position: -1, uniform: 0, left: 0, filtered: [], candidates: [], done: false };
  }
  return r.draw;
}

function sumOf(timed) {
  return timed ? timed[0] + timed[1] + timed[2] + timed[3] : 0;
}

// ---- What the page and the tests ask of a state.

/** Blocks in use, cached and free, free. @param {State} s */
export function blockCounts(s) {
  let used = 0;
  let cached = 0;
  for (let b = 0; b < s.numBlocks; ++b) {
    if (s.users[b] > 0) ++used;
    else if (s.cached[b]) ++cached;
  }
  return { used, cached, free: s.numBlocks - used - cached };
}

/** Filled slots of each block. @param {State} s @returns {Uint8Array} */
export function filledSlots(s) {
  const filled = new Uint8Array(s.numBlocks);
  for (const r of s.requests.values()) {
    if (r.status !== 'running') continue;
    for (let k = 0; k < r.table.length; ++k) {
      const block = r.table[k];
      if (block === undefined || block < 0) continue;
      const here = Math.max(0, Math.min(s.blockSize, r.computed - k * s.blockSize));
      if (here > filled[block]) filled[block] = here;
    }
  }
  for (let b = 0; b < s.numBlocks; ++b) if (s.users[b] === 0 && s.cached[b]) filled[b] = s.blockSize;
  return filled;
}

/** Cached and free blocks, the next to be evicted first. @param {State} s */
export function evictionOrder(s) {
  const blocks = [];
  for (let b = 0; b < s.numBlocks; ++b) if (s.users[b] === 0 && s.cached[b]) blocks.push(b);
  return blocks.sort((a, b) => s.freedAt[a] - s.freedAt[b]);
}

/** Unfinished requests: running ones by number, then waiting ones. @param {State} s */
export function unfinished(s) {
  const rows = [...s.requests.values()].filter((r) => r.finishedStep < 0);
  return rows.sort((a, b) => a.id - b.id);
}

/** @param {number[]} values @param {number} q */
export function quantile(values, q) {
  if (!values.length) return NaN;
  const sorted = values.slice().sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/** Tokens drawn per second of the engine's time, over the last steps. @param {State} s */
export function tokensPerSecond(s) {
  let us = 0;
  let tokens = 0;
  for (let k = s.steps.length - 1; k >= 0 && k >= s.steps.length - 64; --k) {
    const step = s.steps[k];
    if (!step.timed) continue;
    us += sumOf(step.timed);
    for (const m of step.marks) if (m.what === 'sampled') ++tokens;
    if (us > 2e6) break;
  }
  return us ? (tokens / us) * 1e6 : NaN;
}
