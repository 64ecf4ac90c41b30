// The page's reducer and player on a recorded log. Run: node tests/browser/reducer_test.mjs [FILE]
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const page = join(dirname(fileURLToPath(import.meta.url)), '../../src/live/page');
const { parseFile, buildFile, crc32, FrameReader, EventList, Kind, TECHNIQUES } = await import(`${page}/events.js`);
const { apply, blockCounts, cloneState, evictionOrder, filledSlots, initialState, techniqueBits, techniquesOff } = await import(`${page}/state.js`);
const { measure, middle, ratio } = await import(`${page}/measure.js`);
const { Player } = await import(`${page}/player.js`);
const { Texts, splitOutput } = await import(`${page}/texts.js`);
const { snapshotRecords } = await import(`${page}/save.js`);

const bytes = readFileSync(process.argv[2] ?? join(page, 'idle.orrery'));
const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const recording = parseFile(file);
const { events, metadata } = recording;

function stateAt(count) {
  const s = initialState(metadata);
  for (let i = 0; i < count; ++i) apply(s, events, i);
  return s;
}

/** What a picture is drawn from. Blocks given back one by one leave holes at a table's end, which show as nothing. */
function picture(s) {
  const rows = [...s.requests.values()].filter((r) => r.finishedStep < 0).sort((a, b) => a.id - b.id)
    .map((r) => [r.id, r.status, r.prompt, r.output, r.computed, JSON.stringify([...r.table].map((b) => b ?? -1)).replace(/(,?-1)+]$/, ']'), r.promptLength]);
  return JSON.stringify({ rows, users: [...s.users], cached: [...s.cached], order: evictionOrder(s), filled: [...filledSlots(s)] });
}

test('a block has as many users as tables hold it, after every step', () => {
  const s = initialState(metadata);
  let steps = 0;
  for (let i = 0; i < events.length; ++i) {
    apply(s, events, i);
    if (events.kind(i) !== Kind.stepTimed) continue;
    ++steps;
    const users = new Uint16Array(s.numBlocks);
    for (const r of s.requests.values()) for (const b of r.table) if (b >= 0) ++users[b];
    assert.deepEqual([...s.users], [...users], `after step ${s.step}`);
    assert.equal(blockCounts(s).used, users.filter((n) => n > 0).length);
  }
  assert.ok(steps > 100);
});

test('computed tokens fill their slots, and no more', () => {
  let end = Math.floor(events.length / 2);
  while (events.kind(end) !== Kind.stepTimed) ++end;
  const s = stateAt(end + 1);
  const slots = filledSlots(s);
  for (const r of s.requests.values()) {
    if (r.status !== 'running') continue;
    const held = r.table.reduce((n, b) => n + (b >= 0 ? slots[b] : 0), 0);
    assert.ok(held >= r.computed, `request ${r.id}: ${held} slots for ${r.computed} tokens`);
  }
});

test('everything is free at the end, and every request has ended', () => {
  const s = stateAt(events.length);
  assert.equal(blockCounts(s).used, 0);
  for (const r of s.requests.values()) assert.ok(r.finishedStep >= 0, `request ${r.id}`);
  assert.ok(s.totals.generated > 0 && s.ttftUs.length > 0 && s.itlUs.length > 0);
});

test('each request has as many prompt ids as it said, and the tokens that the engine counted', () => {
  const s = stateAt(events.length);
  for (let i = 0; i < events.length; ++i) {
    if (events.kind(i) !== Kind.finished) continue;
    const r = s.requests.get(events.request(i));
    assert.equal(r.output.length, events.value(i, 0));
    assert.equal(r.prompt.length, events.value(i, 1));
  }
});

test('a jump in time shows what playing up to there shows', () => {
  const player = new Player(metadata);
  player.append(events.slice());
  player.interval = 500;
  player.seek(events.length);
  for (const at of [17, 4000, 1203, 3999, 0, events.length]) {
    player.seek(at);
    assert.equal(picture(player.state), picture(stateAt(at)), `at event ${at}`);
  }
});

test('stepping back undoes stepping on', () => {
  const player = new Player(metadata);
  player.append(events.slice());
  for (const unit of ['token', 'step', 'request']) {
    player.seek(2000);
    player.stepOn(unit);
    const here = player.at;
    player.stepOn(unit);
    player.stepBack(unit);
    assert.equal(player.at, here, unit);
  }
});

test('time never runs backwards, and playing at any speed comes to the same end', () => {
  for (const [speed, pace] of [[0, 0], [1, 0], [0, 200]]) {
    const player = new Player(metadata);
    player.append(events.slice());
    Object.assign(player, { speed, pace });
    let last = 0;
    for (let k = 0; k < 4000 && !player.atEnd; ++k) {
      player.tick(1 / 60);
      assert.ok(player.us >= last);
      last = player.us;
    }
    assert.equal(picture(player.state), picture(stateAt(events.length)));
  }
});

test('a recording that begins in the middle shows the same picture', () => {
  for (const cut of [700, 2500, 4800]) {
    const before = stateAt(cut);
    const snapshot = snapshotRecords(before);
    const player = new Player(metadata);
    player.append(snapshot, true);
    player.append(events.slice(cut));
    player.seek(player.restoring);
    assert.equal(picture(player.state), picture(before), `at ${cut}`);
    player.seek(player.length);
    const end = stateAt(events.length);
    assert.equal(JSON.stringify(evictionOrder(player.state)), JSON.stringify(evictionOrder(end)));
  }
});

test('forgetting the oldest events keeps the picture', () => {
  const player = new Player(metadata);
  player.append(events.slice());
  player.interval = 300;
  player.seek(5000);
  const shown = picture(player.state);
  player.forget(2500);
  assert.ok(player.dropped >= 2500);
  assert.equal(picture(player.state), shown);
  player.seek(player.at - 400);
  player.seek(5000 - player.dropped);
  assert.equal(picture(player.state), shown);
});

test('a file that was saved reads back byte for byte', () => {
  const again = parseFile(buildFile(metadata, events.slice()).buffer);
  assert.deepEqual(again.metadata, metadata);
  assert.deepEqual(again.events.slice(), events.slice());
  assert.ok(again.complete);
});

test('a damaged file is refused with the place', () => {
  assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
  const broken = new Uint8Array(file.slice(0));
  broken[broken.length - 100] ^= 1;
  assert.throws(() => parseFile(broken.buffer), /checksum of the chunk at byte/);
  assert.throws(() => parseFile(file.slice(0, 1000)), /ends within/);
  assert.throws(() => parseFile(new ArrayBuffer(40)), /not a recording/);
});

test('frames come whole however the bytes are cut', () => {
  const frame = (kind, body) => {
    const out = new Uint8Array(8 + body.length);
    out[0] = kind.charCodeAt(0);
    new DataView(out.buffer).setUint32(4, body.length, true);
    out.set(body, 8);
    return out;
  };
  const parts = [frame('H', new Uint8Array(5)), frame('K', new Uint8Array(0)), frame('E', new Uint8Array(48))];
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  parts.reduce((at, p) => { all.set(p, at); return at + p.length; }, 0);
  for (let size = 1; size <= all.length; ++size) {
    const reader = new FrameReader();
    const kinds = [];
    for (let at = 0; at < all.length; at += size) kinds.push(...reader.push(all.slice(at, at + size)).map((f) => f.kind + f.body.length));
    assert.deepEqual(kinds, ['H5', 'K0', 'E48']);
  }
});

test('characters that are not complete wait', () => {
  const texts = new Texts();
  texts.add({ texts: { 1: 'a' }, bytes: { 2: [0xe4, 0xbd], 3: [0xa0] }, special: [9] });
  assert.deepEqual(splitOutput(texts, [1, 2], 1, 2), { text: 'a', waiting: Uint8Array.of(0xe4, 0xbd) });
  assert.equal(splitOutput(texts, [1, 2, 3, 9], 4, 0).text, 'a你');
});

test('a clone goes its own way', () => {
  const a = stateAt(1500);
  const shown = picture(a);
  const marks = JSON.stringify(a.steps);
  const b = cloneState(a);
  for (let i = 1500; i < 3000; ++i) apply(b, events, i);
  assert.equal(picture(a), shown);
  assert.equal(JSON.stringify(a.steps), marks);
});

// ---- Techniques.

/** Records from [step, request, kind, values, reason]. */
function listOf(rows) {
  const list = new EventList();
  for (const [step, request, kind, values = [], reason = 0] of rows) {
    const record = new Uint8Array(32);
    const view = new DataView(record.buffer);
    view.setUint32(0, step, true);
    view.setUint32(8, request, true);
    record[12] = kind;
    record[13] = reason;
    if (kind === Kind.promptTokens) view.setUint16(14, values.length, true);
    values.forEach((v, k) => view.setInt32(16 + 4 * k, v, true));
    list.append(record);
  }
  return list;
}

const NO_PREFIX_CACHE = techniqueBits({ paging: true, kv_cache: true, continuous_batching: true, chunked_prefill: true });
const small = { num_blocks: 4, block_size: 16, max_num_batched_tokens: 8 };

/** One request of 20 tokens, in two chunks, that draws two tokens; a third of its slots stay empty. */
const oneRequest = [
  [0, 1, Kind.arrived, [20, 2]], [0, 1, Kind.promptTokens, [5, 6, 7, 8]],
  [1, 1, Kind.admitted, [0, 20, 0, 2]], [1, 1, Kind.taken, [0, 0]], [1, 1, Kind.taken, [1, 1]],
  [1, 1, Kind.chunk, [0, 12, 8]], [1, 0, Kind.stepPlanned, [12, 1, 1, 0]], [1, 0, Kind.stepTimed, [1, 90, 5, 4]],
  [2, 1, Kind.chunk, [12, 8, 0]], [2, 0, Kind.stepPlanned, [8, 1, 1, 0]], [2, 1, Kind.sampled, [40, 20]], [2, 0, Kind.stepTimed, [0, 60, 0, 0]],
  [3, 1, Kind.chunk, [20, 1, 0]], [3, 0, Kind.stepPlanned, [1, 1, 1, 0]], [3, 1, Kind.sampled, [41, 21]],
  [3, 1, Kind.freed, [1, 0, 0]], [3, 1, Kind.freed, [0, 0, 0]], [3, 1, Kind.finished, [2, 20, 0, 0], 13], [3, 0, Kind.stepTimed, [0, 40, 0, 0]],
];

test('text of a step that comes in the middle of the next one ends no step', () => {
  const player = new Player({});
  player.append(listOf([[1, 0, Kind.stepPlanned, [1, 1, 1, 0]], [1, 1, Kind.sampled, [5, 3]], [2, 1, Kind.taken, [0, 0]], [1, 1, Kind.textReleased, [1, 1]],
    [2, 1, Kind.taken, [1, 1]], [2, 1, Kind.sampled, [6, 4]], [3, 1, Kind.taken, [2, 2]]]).slice());
  const ends = [];
  while (!player.atEnd) ends.push(player.stepOn('step').to);
  assert.deepEqual(ends, [2, 6, 7]);
  player.stepBack('step');
  player.stepBack('step');
  assert.equal(player.at, 2);
});

test('settings say which techniques were on at the start', () => {
  assert.deepEqual(techniquesOff(initialState(metadata).techniques), []);
  assert.deepEqual(techniquesOff(initialState({}).techniques), []);
  const off = { engine: { scheduler: { reservation: 1, recompute_each_step: true, enable_prefix_caching: false, static_batches: true, chunked_prefill: false } } };
  assert.deepEqual(techniquesOff(initialState(off).techniques), TECHNIQUES);
});

test('a record of techniques empties the pool, and says what is on from there', () => {
  const list = listOf([
    ...oneRequest.slice(0, 15), [3, 1, Kind.cached, [0, 0]], [3, 1, Kind.freed, [1, 0, 0]], [3, 1, Kind.freed, [0, 0, 1]],
    ...oneRequest.slice(17), [3, 0, Kind.techniques, [NO_PREFIX_CACHE, 64]],
  ]);
  const s = initialState(small);
  for (let i = 0; i < list.length - 1; ++i) apply(s, list, i);
  assert.deepEqual(blockCounts(s), { used: 0, cached: 1, free: 3 });
  assert.deepEqual(techniquesOff(s.techniques), []);
  apply(s, list, list.length - 1);
  assert.deepEqual(blockCounts(s), { used: 0, cached: 0, free: 4 });
  assert.deepEqual(techniquesOff(s.techniques), ['prefix_cache']);
  assert.equal(s.budget, 64);
  assert.deepEqual(s.steps[2].marks.at(-1), { request: 0, what: 'techniques', a: NO_PREFIX_CACHE, b: 3, reason: '' });
});

test('a recording that begins after a switch knows what is on', () => {
  const list = listOf([[0, 0, Kind.techniques, [NO_PREFIX_CACHE, 64]], ...oneRequest]);
  const before = initialState(small);
  for (let i = 0; i < 10; ++i) apply(before, list, i);
  const player = new Player(small);
  player.append(snapshotRecords(before), true);
  player.append(list.slice(10));
  assert.ok(player.switchedAt >= 0);
  player.seek(player.length);
  assert.equal(player.state.techniques, NO_PREFIX_CACHE);
  assert.equal(player.state.budget, 64);
  player.seek(player.restoring);
  assert.equal(picture(player.state), picture(before));
});

test('the newest switch is found after the oldest events were forgotten', () => {
  const player = new Player(metadata);
  player.append(events.slice());
  assert.equal(player.switchedAt, -1);
  player.append(listOf([[9999, 0, Kind.techniques, [NO_PREFIX_CACHE, 64]]]).slice());
  const at = player.length - 1;
  player.interval = 300;
  player.seek(player.length);
  player.forget(2500);
  assert.equal(player.switchedAt, at);
  assert.equal(player.events.kind(player.switchedAt - player.dropped), Kind.techniques);
});

test('a run is measured by what stands in its log', () => {
  const list = listOf([[0, 0, Kind.techniques, [NO_PREFIX_CACHE, 64]], ...oneRequest]);
  const run = measure(list, 0, small);
  assert.equal(run.techniques, NO_PREFIX_CACHE);
  assert.deepEqual([run.requests, run.steps, run.generated, run.computed, run.us], [1, 3, 2, 21, 200]);
  assert.deepEqual([run.ttft, run.itl, run.gap], [160, 40, 40]);
  assert.equal(run.rate, 2 / 200e-6);
  assert.equal(run.atOnce, 1);
  assert.equal(run.filled, ((12 + 20 + 21) / 96) * 100);
  assert.equal(run.answers, '[["[5,6,7,8]",[40,41]]]');
});

test('the recorded run as a whole is measured as the reducer counts it', () => {
  const run = measure(events, 0, metadata);
  const s = stateAt(events.length);
  assert.equal(run.generated, s.totals.generated);
  assert.equal(run.requests, s.totals.finished);
  assert.equal(run.us, s.clockUs);
  let computed = 0;
  for (let i = 0; i < events.length; ++i) if (events.kind(i) === Kind.stepPlanned) computed += events.value(i, 0);
  assert.equal(run.computed, computed);
  assert.ok(run.filled > 50 && run.filled <= 100);
});

test('ratios say how many times better it is with the technique', () => {
  assert.equal(ratio('rate', 10, 30), 3);
  assert.equal(ratio('ttft', 30, 10), 3);
  assert.equal(middle([{ us: 5 }, { us: 1 }, { us: 9 }], 'us'), 5);
});

test('events of a newer version are passed over', () => {
  const list = new EventList();
  const unknown = new Uint8Array(32);
  unknown[12] = 200;
  list.append(unknown);
  const s = initialState({});
  apply(s, list, 0);
  assert.equal(s.count, 1);
});
