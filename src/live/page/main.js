// The page: which history is in view, what keys and buttons do, one frame after another.

import { parseFile, Kind } from './events.js';
import { blockCounts, filledSlots, find } from './state.js';
import { Player } from './player.js';
import { Texts } from './texts.js';
import { Loop } from './loop.js';
import { $, el } from './elements.js';
import { Blocks, drawTree } from './blocks.js';
import { Timeline } from './timeline.js';
import { legends } from './legend.js';
import { Vitals } from './vitals.js';
import { Sparks } from './flights.js';
import { Source } from './source.js';
import { Rail } from './rail.js';
import { Switches } from './switches.js';
import { Tour } from './tour.js';
import { hueOf, prepare, resetColours, themeColour } from './paint.js';
import { currentLanguage, figure, milliseconds, say, setLanguage } from './words.js';
import { download, embeddedRecording, recordingOf, selfContained } from './save.js';

// Of the engine's time, or steps a second.
const SPEEDS = [
  { speed: 0 }, { speed: 1 / 3 }, { speed: 1 / 10 }, { speed: 1 / 30 }, { speed: 1 / 100 },
  { pace: 12 }, { pace: 5 }, { pace: 1.2 },
];
const IDLE_PACE = 5;
const SENT_PACE = { one: 5, many: 12 };
const SLOW_PACE = 1.2;
const COMPARED_S = 16;
const IDLE_AFTER_MS = 90000;
const options = new URLSearchParams(location.search);
const reduced = matchMedia('(prefers-reduced-motion: reduce)');

/** A history that can be in view: of the running engine, of a file, or the one played when idle. */
class History {
  constructor(kind, metadata, name = '') {
    this.kind = kind;
    this.name = name;
    this.player = new Player(metadata);
    this.texts = new Texts();
    this.texts.add(metadata);
  }

  static of(kind, recording, name) {
    const h = new History(kind, recording.metadata, name);
    const restoring = recording.metadata.snapshot_events | 0;
    h.player.append(recording.events.slice(0, restoring), true);
    h.player.append(recording.events.slice(restoring));
    h.player.restoring = restoring;
    h.player.bookmarks = (recording.metadata.chapters ?? []).map((c) => ({ at: c.event, name: c.name }));
    h.player.pace = IDLE_PACE;
    h.player.seek(restoring);
    return h;
  }
}

const page = {
  live: null, idle: null, file: null, view: null,
  connected: false, leftOut: 0, lastLiveEvent: -Infinity, recordingFrom: -1, dirty: true, tree: false,
};

const texts = new Texts();
const loop = new Loop(texts);
const blocks = new Blocks($('blocks'), pick);
const timeline = new Timeline($('timeline'), pick);
const vitals = new Vitals($('vitals'));
const sparks = new Sparks($('sparks'));

const source = new Source({
  hello(hello, resumed) {
    if (resumed && page.live) return;
    const was = page.view === page.live;
    page.live = new History('live', hello.description ?? {});
    page.live.player.speed = 0;
    const s = page.live.player.state;
    rail.settings = { numBlocks: s.numBlocks, blockSize: s.blockSize, maxModelLen: find(hello.description, 'max_model_len') ?? 512 };
    if (!page.view || was) show(page.live);
    describeEngine();
    switches.load();
  },
  texts(more) { page.live?.texts.add(more); },
  events(records, kind) {
    if (!page.live) return;
    const snapshot = kind !== 'E';
    if (kind === 'S' && page.live.player.length) {
      const was = page.view === page.live;
      const kept = page.live;
      page.live = new History('live', kept.player.metadata);
      page.live.texts = kept.texts;
      page.live.player.speed = kept.player.speed;
      page.live.player.pace = kept.player.pace;
      if (was) page.view = page.live;
    }
    const player = page.live.player;
    const following = player.speed === 0 && player.pace === 0 && player.playing;
    player.append(records, snapshot);
    if (player.switchedAt >= player.dropped) switches.noticed(player.events.value(player.switchedAt - player.dropped, 0));
    if (snapshot) { player.seek(player.restoring); if (page.view === page.live) loop.reset(player.state); }
    else if (following && player.length - player.at > 40000) player.seek(player.length - 20000);
    if (!snapshot && records.length) page.lastLiveEvent = performance.now();
    if (page.leftOut && performance.now() - page.leftOutAt > 4000) page.leftOut = 0;
    page.dirty = true;
  },
  behind(leftOut) { page.leftOut += leftOut; page.leftOutAt = performance.now(); },
  connected(yes, status) {
    page.connected = yes;
    rail.served = yes;
    switches.show();
    if (status === 401) $('key-dialog').showModal();
    page.dirty = true;
  },
});
const rail = new Rail(source, watchWhatIsSent);
const switches = new Switches(rail, () => page.live?.player, watchRuns);
const tour = new Tour(playChapter, () => { page.dirty = true; });

/** Brings a history into view. */
function show(history) {
  if (page.view === history) return;
  page.view = history;
  texts.text = history.texts.text;
  texts.raw = history.texts.raw;
  texts.encoded = history.texts.encoded;
  texts.special = history.texts.special;
  loop.chosen = 0;
  loop.focus = 0;
  sparks.clear();
  vitals.reset();
  loop.reset(history.player.state);
  describeEngine();
  syncSpeed();
  page.dirty = true;
}

function describeEngine() {
  const m = page.view?.player.metadata ?? {};
  const s = page.view?.player.state;
  const name = typeof m.model === 'string' ? m.model : m.model?.name ?? m.description?.model ?? '';
  const parts = [page.view?.kind === 'file' ? page.view.name : '', name, s?.vocabulary ? `V ${figure(s.vocabulary)}` : '', s?.numBlocks ? `KV ${figure(s.numBlocks)} × ${s.blockSize}` : ''];
  $('engine').textContent = parts.filter(Boolean).join('  ·  ');
}

/** The engine's own history when something happens there; else the recording. */
function chooseView(now) {
  if (page.view?.kind === 'file' || tour.running || page.held) return;
  const busy = page.live && page.live.player.length > page.live.player.restoring && now - page.lastLiveEvent < IDLE_AFTER_MS;
  const running = page.live && [...page.live.player.state.requests.values()].some((r) => r.finishedStep < 0);
  if (busy || running) show(page.live);
  else if (page.idle && page.view !== page.idle && (!page.live || page.live.player.atEnd)) { show(page.idle); page.idle.player.seek(page.idle.player.restoring); }
}

function pick(request) {
  loop.chosen = loop.chosen === request ? 0 : request;
  if (page.view === page.live) source.setFocus(loop.chosen);
  if (page.view) loop.update(page.view.player.state, null, null);
  page.dirty = true;
}

// ---- One frame.

let lastFrame = performance.now();
let rate = 0;
let lastVitals = 0;
let rest = 0;

// The canvases. Each frame draws one of them at most, and all together take a quarter of the time, so that flights stay
// smooth on a slow machine.
const CANVASES = [
  { draw: (player, now) => blocks.draw(player.state, loop.chosen, now) },
  { draw: (player) => timeline.draw(player.state, loop.chosen || loop.focus) },
  { draw: drawTime },
].map((canvas) => ({ ...canvas, ms: 0, drawn: -Infinity, dirty: true }));

function frame(now) {
  requestAnimationFrame(frame);
  const seconds = Math.min(0.1, (now - lastFrame) / 1000);
  lastFrame = now;
  chooseView(now);
  if (page.slowed && page.view === page.live) endSlowness();
  if (!page.view) return;
  const { player } = page.view;
  const range = player.tick(seconds);
  if (range.to > range.from) happen(range, seconds, now);
  else if (seconds) { rate *= 0.9 ** (seconds * 60); loop.fast = rate > 9; }
  if (page.view.kind === 'idle' && !tour.running && !page.pacedByHand) keepIdlePace(player);
  if (page.view.kind === 'idle' && player.atEnd && player.playing && !tour.running) {
    rest += seconds;
    if (rest > 4) { rest = 0; player.seek(player.restoring); loop.reset(player.state); vitals.reset(); }
  }
  drawOne(now);
  if (now - lastVitals > 250) { lastVitals = now; vitals.update(player.state); showStatus(); if (page.tree) drawTree($('tree'), player.state, texts); }
}

/** The recording takes its time while there is one request alone, and goes on faster with many. */
function keepIdlePace(player) {
  let running = 0;
  for (const r of player.state.requests.values()) if (r.status === 'running') ++running;
  const pace = running > 1 ? IDLE_PACE : SLOW_PACE;
  if (player.pace === pace) return;
  player.pace = pace;
  syncSpeed();
}

/** What happened in the log since the last frame. */
function happen(range, seconds, now) {
  const { player } = page.view;
  const { events, state } = player;
  let mine = 0;
  for (let i = Math.max(range.from, range.to - 8000); i < range.to; ++i) {
    const kind = events.kind(i);
    if (kind === Kind.evicted) blocks.flash(events.value(i, 0), now);
    else if (kind === Kind.sampled && events.request(i) === loop.focus) ++mine;
  }
  rate = rate * 0.93 + (mine / Math.max(seconds, 1 / 120)) * 0.07;
  loop.fast = rate > 9;
  loop.update(state, events, range);
  page.dirty = true;
}

function drawOne(now) {
  if (page.dirty) { page.dirty = false; for (const canvas of CANVASES) canvas.dirty = true; }
  if (blocks.moving) CANVASES[0].dirty = true;
  const together = CANVASES.reduce((ms, canvas) => ms + canvas.ms, 0);
  const due = CANVASES.filter((c) => now - c.drawn > 1000 || (c.dirty && now - c.drawn >= 4 * together));
  if (!due.length) return;
  const canvas = due.reduce((a, b) => (b.drawn < a.drawn ? b : a));
  const began = performance.now();
  canvas.draw(page.view.player, now);
  canvas.ms = canvas.ms * 0.8 + (performance.now() - began) * 0.2;
  canvas.drawn = now;
  canvas.dirty = false;
}

function drawTime(player) {
  const scrub = $('scrub');
  if (document.activeElement !== scrub || !scrub.matches(':active')) scrub.value = player.endUs ? Math.round((player.us / player.endUs) * 1000) : 1000;
  $('clock').textContent = `${milliseconds(player.us)} · ${figure(player.state.step)}`;
  drawMarks(player);
}

/** The scrub line: how busy the engine was, and the bookmarks. */
function drawMarks(player) {
  const { g, width, height } = prepare($('scrub-marks'));
  g.fillStyle = themeColour('--line');
  g.fillRect(0, height / 2 - 1, width, 2);
  g.fillStyle = themeColour('--faint');
  if (player.endUs) g.fillRect(0, height / 2 - 1, (player.us / player.endUs) * width, 2);
  g.fillStyle = themeColour('--brass');
  for (const b of player.bookmarks) {
    const x = player.endUs ? (player.timeOf(Math.min(b.at, player.length - 1)) / player.endUs) * width : 0;
    g.beginPath();
    g.arc(Math.max(3, Math.min(width - 3, x)), height / 2 - 8, 2.6, 0, 7);
    g.fill();
  }
}

function showStatus() {
  const status = $('status');
  const { kind, player } = page.view;
  const lag = kind === 'live' ? (player.segments[player.segments.length - 1].step - player.state.step) : 0;
  let mode = kind === 'live' ? 'live' : 'replay';
  let text = kind === 'live' ? say(performance.now() - page.lastLiveEvent > 1500 ? 'liveIdle' : 'live') : kind === 'idle' && page.connected ? say('replayIdle') : say('replay');
  if (page.leftOut && kind === 'live') { mode = 'behind'; text = say('behind', figure(page.leftOut)); }
  else if (lag > 8) { mode = 'replay'; text = say('lag', figure(lag)); }
  if (!page.connected && kind === 'live') { mode = 'lost'; text = say('lost'); }
  if (!player.playing) text = `${text} · ${say('paused')}`;
  if (status.textContent !== text) status.textContent = text;
  status.dataset.mode = mode;
  $('pause').textContent = player.playing ? '❚❚' : '▶';
  $('to-live').hidden = !page.live || (kind === 'live' && lag <= 8 && player.playing);
  if (page.recordingFrom >= 0) $('record').textContent = say('recording', figure(page.live.player.length + page.live.player.dropped - page.recordingFrom));
}

// ---- Time.

/** A step, a jump: the rooms show it without flights. */
function jumped() {
  sparks.clear();
  loop.reset(page.view.player.state);
  page.held = true;
  page.dirty = true;
  showStatus();
}

function pause(to = !page.view.player.playing) {
  page.view.player.playing = to;
  page.held = !to;
  if (to && page.view.player.atEnd && page.view.kind !== 'live') { page.view.player.seek(page.view.player.restoring); loop.reset(page.view.player.state); }
  showStatus();
}

function stepOn() {
  const { player } = page.view;
  player.playing = false;
  page.held = true;
  const range = player.stepOn($('unit').value);
  loop.fast = false;
  loop.update(player.state, player.events, range);
  page.dirty = true;
  showStatus();
}

function stepBack() {
  page.view.player.playing = false;
  page.view.player.stepBack($('unit').value);
  jumped();
}

function goLive() {
  page.held = page.slowed = false;
  if (page.live && (page.connected || page.view === page.live)) {
    page.file = null;
    if (page.view !== page.live) { page.view = null; show(page.live); }
    page.lastLiveEvent = performance.now();
    page.live.player.playing = true;
    page.live.player.speed = 0;
    page.live.player.pace = 0;
  }
  page.view.player.seek(page.view.player.length);
  loop.reset(page.view.player.state);
  syncSpeed();
  page.dirty = true;
}

/** What was sent from here is shown slowly enough to be followed, unless a speed was chosen. */
function watchWhatIsSent(count) {
  if (!page.live) return;
  if (tour.running) tour.end();
  goLive();
  if (page.pacedByHand) return;
  page.live.player.pace = count > 1 ? SENT_PACE.many : SENT_PACE.one;
  page.live.player.settle();
  page.slowed = true;
  page.held = true;
  syncSpeed();
}

/** Both runs of a comparison are shown in some seconds, unless a speed was chosen. */
function watchRuns(steps) {
  if (!page.slowed) return;
  page.live.player.pace = Math.max(SENT_PACE.many, Math.round(steps / COMPARED_S));
  page.live.player.settle();
  syncSpeed();
}

/** Once all has been shown, the view is live again. */
function endSlowness() {
  const { player } = page.live;
  if (!player.atEnd || player.phase < 1 || performance.now() - page.lastLiveEvent < 1500) return;
  page.slowed = page.held = false;
  player.pace = 0;
  syncSpeed();
}

function syncSpeed() {
  const select = $('speed');
  select.textContent = '';
  for (const { speed, pace } of SPEEDS) {
    const words = pace ? say('speedPace', pace) : speed ? say('speedOf', Math.round(1 / speed)) : say('speedFull');
    select.append(el('option', { textContent: words }));
  }
  const { speed, pace } = page.view?.player ?? { speed: 0, pace: 0 };
  const known = pace ? SPEEDS.findIndex((s) => s.pace === pace) : SPEEDS.findIndex((s) => s.speed === speed);
  if (known < 0) {
    select.append(el('option', { textContent: say('speedPace', pace) }));
    select.selectedIndex = SPEEDS.length;
  } else {
    select.selectedIndex = known;
  }
}

function chooseSpeed() {
  const { speed = 0, pace = 0 } = SPEEDS[$('speed').selectedIndex] ?? {};
  const { player, kind } = page.view;
  player.speed = speed;
  player.pace = pace;
  player.settle();
  page.pacedByHand = speed !== 0 || pace !== 0 || kind === 'live';
  page.slowed = false;
  page.held = kind === 'live' && (speed !== 0 || pace !== 0);
}

function playChapter(name, pace) {
  const history = page.idle ?? page.view;
  if (!history) return;
  show(history);
  const chapter = history.player.bookmarks.find((b) => b.name === name);
  history.player.pace = pace;
  history.player.playing = true;
  if (chapter) history.player.seek(chapter.at);
  loop.reset(history.player.state);
  syncSpeed();
}

// ---- Recording, saving, opening.

function toggleRecord() {
  if (!page.live) return;
  const player = page.live.player;
  if (page.recordingFrom < 0) {
    page.recordingFrom = player.length + player.dropped;
  } else {
    const from = Math.max(0, page.recordingFrom - player.dropped);
    page.recordingFrom = -1;
    $('record').textContent = say('record');
    download(recordingOf(player, page.live.texts, from), 'orrery-recording.orrery', 'application/octet-stream');
    page.dirty = true;
  }
  $('record').setAttribute('aria-pressed', String(page.recordingFrom >= 0));
}

function save() { download(recordingOf(page.view.player, page.view.texts), 'orrery-recording.orrery', 'application/octet-stream'); }

async function share() {
  try {
    const html = await selfContained(recordingOf(page.view.player, page.view.texts));
    download(html, 'orrery-replay.html', 'text/html');
  } catch (error) {
    rail.say(error.message, true);
  }
}

function openBuffer(buffer, name) {
  try {
    const recording = parseFile(buffer);
    page.file = History.of('file', recording, name);
    show(page.file);
    findTexts(page.file);
    rail.say(say('opened', name, figure(recording.events.length)));
  } catch (error) {
    rail.say(say('badFile', name, error.message), true);
  }
}

/** A recording of `orrery run` has ids only: the server knows their texts if it runs the same model. */
async function findTexts(history) {
  const { metadata, events } = history.player;
  if (history.texts.known || !metadata.identity || metadata.identity !== page.live?.player.metadata.identity) return;
  const ids = new Set();
  for (let i = 0; i < events.length; ++i) {
    const kind = events.kind(i);
    const count = kind === Kind.promptTokens ? events.detail(i) : kind === Kind.sampled || kind === Kind.candidate ? 1 : 0;
    for (let k = 0; k < count; ++k) ids.add(events.value(i, k));
  }
  const all = [...ids].filter((id) => id >= 0);
  for (let at = 0; at < all.length; at += 512) {
    const response = await fetch(`live/texts?ids=${all.slice(at, at + 512).join(',')}`, { headers: source.headers() });
    if (!response.ok) return;
    history.texts.add(await response.json());
  }
  if (page.view === history) { loop.reset(history.player.state); page.dirty = true; }
}

// ---- Keys and buttons.

const KEYS = [
  ['space', 'key_space'], ['← →', 'key_arrows'], ['End', 'key_live'], ['/', 'key_slash'], ['n', 'key_focus'],
  ['Esc', 'key_esc'], ['b', 'key_b'], ['s', 'key_s'], ['t', 'key_t'], ['d', 'key_d'], ['l', 'key_l'],
];

function nextFocus() {
  const ids = [...page.view.player.state.requests.values()].filter((r) => r.finishedStep < 0).map((r) => r.id).sort((a, b) => a - b);
  if (ids.length) pick(ids[(ids.indexOf(loop.focus) + 1) % ids.length]);
}

function onKey(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || !page.view) return;
  if (e.target.closest?.('input, select, dialog') && e.key !== 'Escape') return;
  if (e.target.closest?.('button') && (e.key === ' ' || e.key === 'Enter')) return;
  const act = {
    ' ': () => pause(), ArrowRight: () => (tour.running ? tour.go(tour.at + 1) : stepOn()),
    ArrowLeft: () => (tour.running ? tour.go(tour.at - 1) : stepBack()),
    End: goLive, b: mark, t: () => (tour.running ? tour.end() : tour.start()), d: toggleTheme, l: toggleLanguage, n: nextFocus,
    s: save, '?': () => $('help').showModal(), '/': () => $('prompt').focus(),
    Escape: () => { if (tour.running) tour.end(); else if (loop.chosen) pick(loop.chosen); document.activeElement?.blur?.(); },
  }[e.key];
  if (act) { e.preventDefault(); act(); }
}

function mark() { page.view.player.addBookmark(); page.dirty = true; }

function remember(key, value) { try { localStorage.setItem(`orrery.${key}`, value); } catch { /* private window */ } }
function recall(key) { try { return localStorage.getItem(`orrery.${key}`); } catch { return null; } }

function setTheme(name) {
  document.documentElement.dataset.theme = name === 'paper' ? 'paper' : 'dark';
  $('theme').setAttribute('aria-pressed', String(name === 'paper'));
  resetColours();
  page.dirty = true;
}

function toggleTheme() {
  const name = document.documentElement.dataset.theme === 'dark' ? 'paper' : 'dark';
  setTheme(name);
  remember('theme', name);
}

function speak(name) {
  setLanguage(name);
  $('keys-list').textContent = '';
  for (const [key, word] of KEYS) $('keys-list').append(el('dt', { textContent: key }), el('dd', { textContent: say(word) }));
  legends();
  switches.show();
  syncSpeed();
  tour.words();
  loop.flights.label = say('nextToken');
  loop.flights.drawOrbit();
  if (page.view) { loop.reset(page.view.player.state); showStatus(); }
  page.dirty = true;
}

function toggleLanguage() {
  const name = currentLanguage() === 'en' ? 'zh' : 'en';
  speak(name);
  remember('language', name);
}

function wire() {
  addEventListener('keydown', onKey);
  $('pause').addEventListener('click', () => pause());
  $('step').addEventListener('click', stepOn);
  $('step-back').addEventListener('click', stepBack);
  $('to-live').addEventListener('click', goLive);
  $('bookmark').addEventListener('click', mark);
  $('record').addEventListener('click', toggleRecord);
  $('save').addEventListener('click', save);
  $('share').addEventListener('click', share);
  $('open').addEventListener('click', () => $('file').click());
  $('file').addEventListener('change', async () => { const f = $('file').files[0]; if (f) openBuffer(await f.arrayBuffer(), f.name); $('file').value = ''; });
  $('speed').addEventListener('change', chooseSpeed);
  $('scrub').addEventListener('input', () => { page.view.player.playing = false; page.view.player.seekTime((Number($('scrub').value) / 1000) * page.view.player.endUs); jumped(); });
  $('language').addEventListener('click', toggleLanguage);
  $('theme').addEventListener('click', toggleTheme);
  $('tour-open').addEventListener('click', () => (tour.running ? tour.end() : tour.start()));
  $('help-open').addEventListener('click', () => $('help').showModal());
  $('tree-toggle').addEventListener('click', () => {
    page.tree = !page.tree;
    $('tree').hidden = !page.tree;
    $('blocks').hidden = page.tree;
    $('tree-toggle').setAttribute('aria-pressed', String(page.tree));
    if (page.tree) drawTree($('tree'), page.view.player.state, texts);
    page.dirty = true;
  });
  $('key-form').addEventListener('submit', () => { source.key = $('api-key').value; rail.model = null; source.run(); });
  addEventListener('resize', () => { page.dirty = true; });
  addEventListener('dragover', (e) => { e.preventDefault(); $('drop').hidden = false; });
  addEventListener('dragleave', (e) => { if (!e.relatedTarget) $('drop').hidden = true; });
  addEventListener('drop', async (e) => {
    e.preventDefault();
    $('drop').hidden = true;
    const f = e.dataTransfer.files[0];
    if (f) openBuffer(await f.arrayBuffer(), f.name);
  });
}

loop.slotOf = (request, position) => (reduced.matches || !page.view || page.tree ? null : blocks.slotOnPage(page.view.player.state, request, position));
loop.onKv = (request, position, from, slot) => {
  sparks.add({ x: from.left + from.width / 2, y: from.top + from.height / 2 }, slot, request.id, (position % 24) * 9);
};

async function start() {
  setTheme(options.get('theme') ?? recall('theme') ?? (matchMedia('(prefers-color-scheme: light)').matches ? 'paper' : 'dark'));
  wire();
  speak(options.get('lang') ?? recall('language') ?? (navigator.language.startsWith('zh') ? 'zh' : 'en'));
  const embedded = await embeddedRecording();
  if (embedded) {
    page.idle = History.of('idle', embedded, '');
    $('share').hidden = $('record').hidden = true;
    $('rail').hidden = true;
    show(page.idle);
  } else {
    const response = await fetch('live/idle.orrery');
    if (response.ok) page.idle = History.of('idle', parseFile(await response.arrayBuffer()), '');
    if (options.get('live') !== 'off') source.run();
    if (page.idle) show(page.idle);
  }
  if (options.has('at') && page.view) {
    page.view.player.playing = false;
    page.held = true;
    page.view.player.seek(Number(options.get('at')));
    loop.reset(page.view.player.state);
  }
  if (options.has('tour')) { tour.start(); tour.go(Number(options.get('tour')) || 0); }
  requestAnimationFrame(frame);
}

// For tests: what the page believes, and what it shows.
window.orrery = {
  page, loop, blocks, timeline, tour, source, rail, switches, openBuffer, pick, pause, goLive,
  counts: () => blockCounts(page.view.player.state),
  filled: () => filledSlots(page.view.player.state),
  recording: () => recordingOf(page.view.player, page.view.texts),
  html: () => selfContained(recordingOf(page.view.player, page.view.texts)),
  hueOf,
};

start();
