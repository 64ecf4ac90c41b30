// The grid of KV blocks: one cell a block, one dot a slot, one hue a request.

import { blockCounts, evictionOrder, filledSlots } from './state.js';
import { colourOf, dot, font, hueOf, patternOf, prepare, showTip, themeColour } from './paint.js';
import { figure, say } from './words.js';
import { $, el } from './elements.js';

const MOST_CELLS = 4096;
const FLASH_MS = 700;

export class Blocks {
  /** @param {HTMLCanvasElement} canvas @param {(request: number) => void} onPick */
  constructor(canvas, onPick) {
    this.canvas = canvas;
    this.flashes = new Map();
    this.hover = -1;
    this.layout = null;
    canvas.addEventListener('pointermove', (e) => this.point(e));
    canvas.addEventListener('pointerleave', () => { this.hover = -1; showTip(''); });
    canvas.addEventListener('click', () => {
      const owner = this.state && this.hover >= 0 ? this.state.owner[this.hover] : 0;
      if (owner) onPick(owner);
    });
  }

  /** Cells as large as the place allows. Beyond MOST_CELLS blocks, one cell stands for several. */
  measure(width, height, blocks) {
    const per = Math.max(1, 2 ** Math.ceil(Math.log2(Math.max(1, blocks / MOST_CELLS))));
    const cells = Math.max(1, Math.ceil(blocks / per));
    let size = Math.min(72, Math.floor(Math.sqrt((width * height) / cells)));
    for (; size > 3; --size) if (Math.floor(width / size) * Math.floor(height / size) >= cells) break;
    size = Math.max(2, size);
    const columns = Math.max(1, Math.floor(width / size));
    // What is left over is shared out, so that the grid is as wide as its place.
    const rows = Math.ceil(cells / columns);
    const used = Math.ceil(cells / rows);
    const pitch = Math.min(72, width / used, height / rows);
    return { per, cells, columns: used, rows, size: pitch, gap: pitch > 48 ? 6 : pitch > 16 ? 4 : pitch > 8 ? 2 : 1 };
  }

  place(block) {
    const l = this.layout;
    const cell = Math.floor(block / l.per);
    return { x: (cell % l.columns) * l.size, y: Math.floor(cell / l.columns) * l.size, size: l.size - l.gap };
  }

  /** Where the slot of a token is on the page. @returns {{x: number, y: number}|null} */
  slotOnPage(state, request, position) {
    if (!this.layout) return null;
    const block = request.table[Math.floor(position / state.blockSize)];
    if (block === undefined || block < 0) return null;
    const { x, y, size } = this.place(block);
    const box = this.canvas.getBoundingClientRect();
    const side = Math.ceil(Math.sqrt(state.blockSize));
    const slot = position % state.blockSize;
    const cell = size / side;
    return { x: box.left + x + (slot % side + 0.5) * cell, y: box.top + y + (Math.floor(slot / side) + 0.5) * cell };
  }

  /** @param {import('./state.js').State} state */
  draw(state, focus, now) {
    this.state = state;
    const coarse = state.numBlocks > MOST_CELLS;
    const { g, width, height, ratio, kept } = prepare(this.canvas, coarse);
    if (!state.numBlocks) return;
    this.layout = this.measure(width, height, state.numBlocks);
    if (coarse) this.drawCoarse(g, state, kept, ratio);
    else this.drawCells(g, state, focus);
    this.drawFlashes(g, state, now);
    this.caption(state);
  }

  /** What a cell shows besides its owner. */
  look(state) {
    this.filled = filledSlots(state);
    this.order = evictionOrder(state);
    this.rank = new Map(this.order.map((b, k) => [b, k]));
  }

  drawCells(g, state, focus) {
    this.coarse = null;
    this.look(state);
    const { size, gap } = this.layout;
    const cell = size - gap;
    const side = Math.ceil(Math.sqrt(state.blockSize));
    const pitch = cell / side;
    const dots = pitch >= 2.6;
    const empty = themeColour('--cell');
    const inset = dots ? Math.max(0.3, pitch * 0.18) : 0;
    const byColour = new Map();  // one path a colour and shape: thousands of dots, few strokes
    const pathOf = (colour) => {
      let path = byColour.get(colour);
      if (!path) byColour.set(colour, path = new Path2D());
      return path;
    };
    const ground = new Path2D();
    const held = new Map();      // by owner: blocks that it holds, however few of their slots are filled
    const hatch = new Path2D();
    for (let b = 0; b < state.numBlocks; ++b) {
      const { x, y } = this.place(b);
      ground.rect(x, y, cell, cell);
      const owner = state.owner[b];
      const used = state.users[b] > 0;
      if (!used && !state.cached[b]) continue;
      if (used) {
        if (!held.has(owner)) held.set(owner, new Path2D());
        held.get(owner).rect(x, y, cell, cell);
      }
      const ghost = !used;
      const age = ghost ? 0.14 + 0.3 * (this.rank.get(b) / Math.max(1, this.order.length)) : 1;
      const alpha = ghost ? age : !focus || owner === focus || state.users[b] > 1 ? 1 : 0.72;
      const path = pathOf(owner ? colourOf(owner, alpha) : themeColour('--faint'));
      const filled = this.filled[b];
      if (!dots) {
        path.rect(x, y + cell * (1 - filled / state.blockSize), cell, (cell * filled) / state.blockSize);
      } else {
        const shape = pitch > 4.2 ? patternOf(owner) : 0;
        for (let s = 0; s < filled; ++s) {
          dot(path, shape, x + (s % side + 0.5) * pitch, y + (Math.floor(s / side) + 0.5) * pitch, pitch / 2 - inset);
        }
      }
      if (state.users[b] > 1) for (let k = 0; k <= cell; k += 5) { hatch.moveTo(x + k, y + cell); hatch.lineTo(x + cell, y + k); }
    }
    g.fillStyle = empty;
    g.fill(ground);
    for (const [owner, path] of held) { g.fillStyle = colourOf(owner, 0.2); g.fill(path); }
    for (const [colour, path] of byColour) { g.fillStyle = colour; g.fill(path); }
    g.strokeStyle = themeColour('--ink');
    g.globalAlpha = 0.5;
    g.lineWidth = 1;
    g.stroke(hatch);
    g.globalAlpha = 1;
    if (cell >= 22) this.drawCounts(g, state, cell);
    if (this.hover >= 0 && this.hover < state.numBlocks) this.outline(g, state, cell);
  }

  drawCounts(g, state, cell) {
    if (state.users.every((users) => users < 2)) return;
    g.font = font(Math.min(13, cell * 0.42), 600);
    g.textAlign = 'center';
    g.textBaseline = 'middle';
    for (let b = 0; b < state.numBlocks; ++b) {
      if (state.users[b] < 2) continue;
      const { x, y } = this.place(b);
      g.lineWidth = 4;
      g.strokeStyle = themeColour('--paper');
      g.strokeText(`${state.users[b]}`, x + cell / 2, y + cell / 2 + 0.5);
      g.fillStyle = themeColour('--ink');
      g.fillText(`${state.users[b]}`, x + cell / 2, y + cell / 2 + 0.5);
    }
  }

  /** The other blocks of the request under the pointer. */
  outline(g, state, cell) {
    const owner = state.owner[this.hover];
    const request = state.requests.get(owner);
    g.lineWidth = 1.5;
    g.strokeStyle = themeColour('--ink');
    const blocks = request && request.table.length ? request.table.filter((b) => b >= 0) : [this.hover];
    for (const b of blocks) {
      const { x, y } = this.place(b);
      g.globalAlpha = b === this.hover ? 1 : 0.55;
      g.strokeRect(x - 1, y - 1, cell + 2, cell + 2);
    }
    g.globalAlpha = 1;
  }

  /** One cell for `per` blocks: how many are used, and by whom. Only what has changed is drawn. */
  drawCoarse(g, state, kept, ratio) {
    const { per, cells, size, gap } = this.layout;
    const key = `${per} ${size} ${cells} ${ratio} ${themeColour('--cell')}`;
    if (!kept || this.coarse?.key !== key) {
      this.coarse = { key, looks: new Float64Array(cells).fill(-1) };
      g.clearRect(0, 0, this.canvas.width, this.canvas.height);
    }
    const { looks } = this.coarse;
    const snap = (v) => Math.round(v * ratio) / ratio;  // clearing a cell touches no other
    const cell = Math.max(1 / ratio, snap(size - gap));
    const ground = new Path2D();
    const ghosts = new Path2D();
    const paths = new Map();  // by owner: one fill each, however many cells
    let changed = false;
    for (let c = 0; c < cells; ++c) {
      const { used, cached, owner, count } = this.lookInto(state, c);
      const look = (owner * 8192 + used) * 8192 + cached;
      if (looks[c] === look) continue;
      looks[c] = look;
      changed = true;
      const place = this.place(c * per);
      const x = snap(place.x);
      const y = snap(place.y);
      const tall = (cell * used) / count;
      const ghost = (cell * cached) / count;
      g.clearRect(x, y, snap(place.x + size) - x, snap(place.y + size) - y);
      if (tall < cell) ground.rect(x, y, cell, cell - tall);
      if (ghost) ghosts.rect(x, y + cell - tall - ghost, cell, ghost);
      if (!used) continue;
      let path = paths.get(owner);
      if (!path) paths.set(owner, path = new Path2D());
      path.rect(x, y + cell - tall, cell, tall);
    }
    if (!changed) return;  // a canvas goes to the screen whole
    g.fillStyle = themeColour('--cell');
    g.fill(ground);
    g.fillStyle = themeColour('--line');
    g.fill(ghosts);
    for (const [owner, path] of paths) { g.fillStyle = colourOf(owner); g.fill(path); }
  }

  /** What the blocks of one cell are. */
  lookInto(state, c) {
    const first = c * this.layout.per;
    const last = Math.min(state.numBlocks, first + this.layout.per);
    let used = 0;
    let cached = 0;
    let owner = 0;
    for (let b = first; b < last; ++b) {
      if (state.users[b]) { ++used; owner = state.owner[b]; } else if (state.cached[b]) ++cached;
    }
    return { used, cached, owner, count: last - first };
  }

  flash(block, now) {
    this.flashes.set(block, now);
    if (this.flashes.size > 512) this.flashes.delete(this.flashes.keys().next().value);
  }

  drawFlashes(g, state, now) {
    const { per, size, gap } = this.layout;
    for (const [block, start] of this.flashes) {
      const age = (now - start) / FLASH_MS;
      if (age > 1 || block >= state.numBlocks) { this.flashes.delete(block); continue; }
      const { x, y } = this.place(block);
      g.globalAlpha = 1 - age;
      g.strokeStyle = themeColour('--alarm');
      g.lineWidth = 2;
      const grow = per === 1 ? 2 + age * 5 : -2;  // a coarse cell is drawn alone: nothing leaves it
      if (per > 1) this.coarse.looks[Math.floor(block / per)] = -1;
      g.strokeRect(x - grow / 2, y - grow / 2, size - gap + grow, size - gap + grow);
    }
    g.globalAlpha = 1;
  }

  get moving() { return this.flashes.size > 0; }

  caption(state) {
    const c = blockCounts(state);
    const text = say('memoryCaption', figure(c.used), figure(state.numBlocks), figure(c.cached), figure(c.free));
    const per = this.layout.per > 1 ? ` · ${say('each', this.layout.per)}` : '';
    const place = $('memory-caption');
    if (place.textContent !== text + per) place.textContent = text + per;
    this.canvas.dataset.used = c.used;
    this.canvas.setAttribute('aria-label', text);
  }

  point(e) {
    if (!this.layout || !this.state) return;
    const box = this.canvas.getBoundingClientRect();
    const { columns, size, per } = this.layout;
    const column = Math.floor((e.clientX - box.left) / size);
    const block = (Math.floor((e.clientY - box.top) / size) * columns + column) * per;
    this.hover = column < columns && block >= 0 && block < this.state.numBlocks ? block : -1;
    showTip(this.hover >= 0 ? this.describe(this.hover) : '', e.clientX, e.clientY);
  }

  /** @param {number} block */
  describe(block) {
    const s = this.state;
    this.look(s);
    const lines = [say('block', block)];
    if (s.users[block]) {
      const r = s.requests.get(s.owner[block]);
      lines.push(say('blockUse', this.filled[block], s.blockSize));
      if (s.users[block] > 1) lines.push(say('users', s.users[block]));
      if (s.cached[block]) lines.push(say('cachedBlock'));
      if (r) {
        const index = r.table.indexOf(block);
        const table = r.table.map((b) => (b === block ? `[${b}]` : b < 0 ? '–' : b));
        lines.push(`${say('request', r.id)}: ${say('tokensOf', r.promptLength, r.output.length)}`);
        if (index >= 0) lines.push(say('holds', index * s.blockSize, (index + 1) * s.blockSize - 1));
        lines.push(say('table', table.length > 40 ? `${table.slice(0, 40).join(' ')} …` : table.join(' ')));
      }
    } else if (s.cached[block]) {
      lines.push(say('ghost', this.rank.get(block) + 1, this.order.length));
    } else {
      lines.push(say('freeBlock'));
    }
    return lines.join('\n');
  }
}

/**
 * The tree of prefixes: unfinished requests, joined where they share blocks.
 * @param {import('./state.js').State} state
 */
export function drawTree(root, state, texts) {
  root.textContent = '';
  const rows = [...state.requests.values()].filter((r) => r.status === 'running' && r.table.length);
  if (!rows.length) { root.append(el('p.caption', { textContent: say('treeEmpty') })); return; }
  root.append(branch(rows, 0, state, texts));
}

function branch(rows, depth, state, texts) {
  const list = document.createElement('ul');
  const groups = new Map();
  for (const r of rows) {
    const block = r.table[depth] ?? -1 - r.id;
    if (!groups.has(block)) groups.set(block, []);
    groups.get(block).push(r);
  }
  for (const members of groups.values()) {
    let end = depth;
    const longest = Math.max(...members.map((r) => r.table.length));
    while (end < longest && members.every((r) => r.table[end] === members[0].table[end])) ++end;
    end = Math.max(end, depth + 1);
    const r = members[0];
    const ids = r.prompt.concat(r.output).slice(depth * state.blockSize, end * state.blockSize);
    const li = document.createElement('li');
    const names = members.length > 6 ? `×${members.length}` : members.map((m) => m.id).join(' ');
    const leaf = el('div.leaf', { hue: hueOf(r.id).toFixed(1) },
      el('b', { textContent: members.length > 1 ? `×${members.length}` : `${r.id}` }),
      el('span', { textContent: `${r.table.slice(depth, end).filter((b) => b >= 0).join(' ')}  ${texts.join(ids)}`, title: names }));
    li.append(leaf);
    const deeper = members.filter((m) => m.table.length > end);
    if (members.length > 1 && deeper.length) li.append(branch(deeper, end, state, texts));
    list.append(li);
  }
  return list;
}
