// The step-event log as bytes: records, files, the frames of a stream. doc/step-event-log.md
// describes records and files, live/hub.h the frames.

export const Kind = Object.freeze({
  stepPlanned: 1, stepTimed: 2, arrived: 3, promptTokens: 4, refused: 5, admitted: 6, waiting: 7,
  stalled: 8, chunk: 9, taken: 10, shared: 11, freed: 12, evicted: 13, copied: 14, cached: 15,
  forked: 16, preempted: 17, sampled: 18, filtered: 19, candidate: 20, released: 21, held: 22,
  finished: 23, params: 24, techniques: 25,
});

/** In the order of their bits in the log. */
export const TECHNIQUES = ['paging', 'kv_cache', 'prefix_cache', 'continuous_batching', 'chunked_prefill'];

/** Names of reasons, as the engine writes them in its log. */
export const REASONS = [
  '', 'token_budget', 'sequences', 'blocks', 'prefix_pending', 'batch_running', 'behind_others',
  'invalid', 'too_long', 'never_fits', 'cheapest', 'only_shares', 'stop', 'length', 'aborted',
  'error', 'incomplete_utf8', 'stop_string',
];

/** What took a candidate out, by the number in its record. */
export const FILTERS = [
  '', 'grammar', 'allowed ids', 'bad words', 'min tokens', 'greedy', 'min-p', 'top-k', 'top-p',
  'typical-p',
];

export const EVENT_BYTES = 32;

/**
 * Many records in one buffer, which grows. Nothing is decoded before it is read.
 */
export class EventList {
  constructor(capacity = 4096) {
    this.length = 0;
    this.bytes = new Uint8Array(capacity * EVENT_BYTES);
    this.view = new DataView(this.bytes.buffer);
  }

  /** @param {Uint8Array} bytes whole records */
  append(bytes) {
    const count = bytes.length / EVENT_BYTES;
    const needed = (this.length + count) * EVENT_BYTES;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.length * EVENT_BYTES));
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    this.bytes.set(bytes, this.length * EVENT_BYTES);
    this.length += count;
  }

  /** Forgets the first `count` records. */
  dropFirst(count) {
    this.bytes.copyWithin(0, count * EVENT_BYTES, this.length * EVENT_BYTES);
    this.length -= count;
  }

  slice(from = 0, to = this.length) {
    return this.bytes.slice(from * EVENT_BYTES, to * EVENT_BYTES);
  }

  step(i) { return this.view.getUint32(i * 32, true) + this.view.getUint32(i * 32 + 4, true) * 2 ** 32; }
  request(i) { return this.view.getUint32(i * 32 + 8, true); }
  kind(i) { return this.bytes[i * 32 + 12]; }
  reason(i) { return this.bytes[i * 32 + 13]; }
  detail(i) { return this.view.getUint16(i * 32 + 14, true); }
  value(i, k) { return this.view.getInt32(i * 32 + 16 + 4 * k, true); }
  float(i, k) { return this.view.getFloat32(i * 32 + 16 + 4 * k, true); }
}

let crcTable = null;

/** CRC-32 as in zlib. */
export function crc32(bytes, crc = 0) {
  if (!crcTable) {
    crcTable = new Uint32Array(256);
    for (let n = 0; n < 256; n++) {
      let c = n;
      for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
      crcTable[n] = c;
    }
  }
  crc = ~crc;
  for (let i = 0; i < bytes.length; i++) crc = crcTable[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

const MAGIC = 'ORREVENT';
const MAX_CHUNK = 1 << 16;

/**
 * @typedef {Object} Recording
 * @property {Object} metadata settings of the engine; `texts`, `bytes`: those of token ids
 * @property {EventList} events
 * @property {boolean} complete the end mark is there
 */

/**
 * @param {ArrayBuffer} buffer
 * @returns {Recording} Throws an Error that says what is wrong and where.
 */
export function parseFile(buffer) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const refuse = (what) => { throw new Error(what); };
  if (bytes.length < 24 || MAGIC !== String.fromCharCode(...bytes.subarray(0, 8))) {
    refuse('not a recording: it does not begin with ORREVENT');
  }
  if (view.getUint32(8, true) !== 1) refuse(`version ${view.getUint32(8, true)}, expected 1`);
  if (view.getUint32(12, true) !== EVENT_BYTES) refuse(`events of ${view.getUint32(12, true)} bytes`);
  const size = view.getUint32(16, true);
  if (24 + size > bytes.length) refuse('ends within its metadata');
  let sum = crc32(bytes.subarray(0, 20));
  sum = crc32(bytes.subarray(24, 24 + size), sum);
  if (sum !== view.getUint32(20, true)) refuse('wrong checksum of the header');
  const text = new TextDecoder().decode(bytes.subarray(24, 24 + size));
  let metadata = {};
  try { metadata = JSON.parse(text || '{}'); } catch { metadata = { description: text }; }
  const events = new EventList(Math.ceil((bytes.length - size) / EVENT_BYTES) + 1);
  let complete = false;
  for (let at = 24 + size; at < bytes.length;) {
    if (at + 16 > bytes.length) refuse(`ends within the chunk at byte ${at}`);
    const first = view.getUint32(at, true);
    const count = view.getUint32(at + 8, true);
    const end = at + 16 + count * EVENT_BYTES;
    if (count > MAX_CHUNK || end > bytes.length) refuse(`ends within the chunk at byte ${at}`);
    if (first !== events.length) refuse(`the chunk at byte ${at} begins with event ${first}, expected ${events.length}`);
    const crc = crc32(bytes.subarray(at + 16, end), crc32(bytes.subarray(at, at + 12)));
    if (crc !== view.getUint32(at + 12, true)) refuse(`wrong checksum of the chunk at byte ${at}`);
    if (count === 0) { complete = true; break; }
    events.append(bytes.subarray(at + 16, end));
    at = end;
  }
  return { metadata, events, complete };
}

/**
 * @param {Object} metadata
 * @param {Uint8Array} records
 * @returns {Uint8Array} a complete file
 */
export function buildFile(metadata, records) {
  const meta = new TextEncoder().encode(JSON.stringify(metadata));
  const count = records.length / EVENT_BYTES;
  const chunks = Math.ceil(count / MAX_CHUNK);
  const out = new Uint8Array(24 + meta.length + records.length + 16 * (chunks + 1));
  const view = new DataView(out.buffer);
  for (let i = 0; i < 8; i++) out[i] = MAGIC.charCodeAt(i);
  view.setUint32(8, 1, true);
  view.setUint32(12, EVENT_BYTES, true);
  view.setUint32(16, meta.length, true);
  view.setUint32(20, crc32(meta, crc32(out.subarray(0, 20))), true);
  out.set(meta, 24);
  let at = 24 + meta.length;
  for (let first = 0; ; first += MAX_CHUNK) {
    const here = Math.max(0, Math.min(MAX_CHUNK, count - first));
    view.setUint32(at, Math.min(first, count), true);
    view.setUint32(at + 8, here, true);
    const body = records.subarray(first * EVENT_BYTES, (first + here) * EVENT_BYTES);
    view.setUint32(at + 12, crc32(body, crc32(out.subarray(at, at + 12))), true);
    out.set(body, at + 16);
    at += 16 + body.length;
    if (here === 0) return out;
  }
}

/**
 * Cuts a stream of bytes into frames.
 */
export class FrameReader {
  constructor() { this.rest = new Uint8Array(0); }

  /**
   * @param {Uint8Array} bytes
   * @returns {{kind: string, body: Uint8Array}[]}
   */
  push(bytes) {
    const all = new Uint8Array(this.rest.length + bytes.length);
    all.set(this.rest);
    all.set(bytes, this.rest.length);
    const view = new DataView(all.buffer);
    const frames = [];
    let at = 0;
    while (at + 8 <= all.length) {
      const size = view.getUint32(at + 4, true);
      if (at + 8 + size > all.length) break;
      frames.push({ kind: String.fromCharCode(all[at]), body: all.subarray(at + 8, at + 8 + size) });
      at += 8 + size;
    }
    this.rest = all.slice(at);
    return frames;
  }
}
