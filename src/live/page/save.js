// Recordings: saved as a file, reopened, shared as one HTML page that holds everything.

import { buildFile, Kind, EVENT_BYTES, parseFile } from './events.js';

/**
 * Events that recreate what still matters of a state: so a recording can begin anywhere.
 * @param {import('./state.js').State} s
 * @returns {Uint8Array}
 */
export function snapshotRecords(s) {
  const rows = [];
  const put = (request, kind, values = [], detail = 0) => rows.push([request, kind, values, detail]);
  put(0, Kind.techniques, [s.techniques, s.budget]);
  const free = [];
  for (let b = 0; b < s.numBlocks; ++b) if (s.users[b] === 0 && s.cached[b]) free.push(b);
  free.sort((a, b) => s.freedAt[a] - s.freedAt[b]);
  for (const b of free) {
    put(s.owner[b], Kind.taken, [b, 0]);
    put(s.owner[b], Kind.cached, [b, 0]);
    put(s.owner[b], Kind.freed, [b, 0, 1]);
  }
  const users = new Uint16Array(s.numBlocks);
  for (const r of [...s.requests.values()].sort((a, b) => a.id - b.id)) {
    if (r.finishedStep >= 0) continue;
    put(r.id, Kind.arrived, [r.promptLength, r.maxTokens, r.tenant, r.priority]);
    for (let k = 0; k < r.prompt.length; k += 4) put(r.id, Kind.promptTokens, r.prompt.slice(k, k + 4), Math.min(4, r.prompt.length - k));
    r.output.forEach((id, k) => put(r.id, Kind.sampled, [id, r.promptLength + k]));
    if (r.status !== 'running') continue;
    put(r.id, Kind.admitted, [r.cachedTokens, r.promptLength - r.cachedTokens]);
    r.table.forEach((b, k) => {
      if (b < 0) return;
      put(r.id, users[b]++ ? Kind.shared : Kind.taken, [b, k, users[b]]);
      if (s.cached[b]) put(r.id, Kind.cached, [b, k]);
    });
    if (r.computed) put(r.id, Kind.chunk, [0, r.computed, Math.max(0, r.promptLength - r.computed)]);
    if (r.released) put(r.id, Kind.released, [0, r.released]);
  }
  const out = new Uint8Array(rows.length * EVENT_BYTES);
  const view = new DataView(out.buffer);
  rows.forEach(([request, kind, values, detail], i) => {
    view.setUint32(i * 32, s.step >>> 0, true);
    view.setUint32(i * 32 + 4, Math.floor(s.step / 2 ** 32), true);
    view.setUint32(i * 32 + 8, request, true);
    out[i * 32 + 12] = kind;
    view.setUint16(i * 32 + 14, detail, true);
    values.forEach((v, k) => view.setInt32(i * 32 + 16 + 4 * k, v, true));
  });
  return out;
}

/**
 * A recording as the bytes of a file.
 * @param {import('./player.js').Player} player
 * @param {import('./texts.js').Texts} texts
 * @param {number} [from] first event
 */
export function recordingOf(player, texts, from = 0) {
  let before = new Uint8Array(0);
  let restoring = player.restoring;
  if (from > 0 || player.dropped > 0) {
    const at = player.at;
    const us = player.us;
    player.seek(Math.max(from, player.dropped ? player.keyframes[0].at : 0));
    before = snapshotRecords(player.state);
    from = player.at;
    restoring = before.length / EVENT_BYTES;
    player.seek(at);
    player.us = us;
  }
  const after = player.events.slice(from);
  const all = new Uint8Array(before.length + after.length);
  all.set(before);
  all.set(after, before.length);
  const shift = before.length / EVENT_BYTES - from;
  const chapters = player.bookmarks.filter((b) => b.at >= from).map((b) => ({ name: b.name, event: b.at + shift }));
  const { texts: _t, bytes: _b, special: _s, ...settings } = player.metadata;
  return buildFile({ ...settings, ...texts.toJson(), chapters, snapshot_events: restoring }, all);
}

export function download(bytes, name, type) {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([bytes], { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}

function base64(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}

async function throughStream(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

/**
 * One HTML page that replays a recording and needs nothing else.
 * @param {Uint8Array} file
 * @param {string} [base] where the page's own parts are
 */
export async function selfContained(file, base = 'live/') {
  const get = async (name) => {
    const response = await fetch(base + name);
    if (!response.ok) throw new Error(`${name}: ${response.status}`);
    return response.text();
  };
  const modules = {};
  const take = async (name) => {
    if (modules[name]) return;
    const source = await get(name);
    modules[name] = source.replace(/ from '\.\//g, " from 'orrery/");
    for (const [, needed] of source.matchAll(/ from '\.\/(.*)'/g)) await take(needed);
  };
  await take('main.js');
  const style = await get('style.css');
  const holder = async (id, bytes) => `<script type="application/gzip" id="${id}">${base64(await throughStream(bytes, new CompressionStream('gzip')))}</script>\n`;
  const holders = await holder('modules', new TextEncoder().encode(JSON.stringify(modules))) + await holder('recording', file);
  return (await get('index.html'))
    .replace(/<link rel="icon"[^>]*>\n?/, '')
    .replace(/<link rel="stylesheet"[^>]*>/, () => `<style>\n${style}</style>`)
    .replace(/<script type="module"[^>]*><\/script>/, () => `${holders}<script>(${unpack})();</script>`);
}

/** Runs in a self-contained page: gives the modules addresses, and starts the first. */
async function unpack() {
  const packed = Uint8Array.from(atob(document.getElementById('modules').textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const imports = {};
  for (const [name, source] of Object.entries(await new Response(stream).json())) {
    imports[`orrery/${name}`] = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  }
  const map = Object.assign(document.createElement('script'), { type: 'importmap', textContent: JSON.stringify({ imports }) });
  document.head.append(map);
  import('orrery/main.js');
}

/** The recording inside a self-contained page. @returns {Promise<import('./events.js').Recording|null>} */
export async function embeddedRecording() {
  const holder = document.getElementById('recording');
  if (!holder) return null;
  const packed = Uint8Array.from(atob(holder.textContent.trim()), (c) => c.charCodeAt(0));
  return parseFile((await throughStream(packed, new DecompressionStream('gzip'))).buffer);
}
