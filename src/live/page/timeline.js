// The scheduler's timeline: columns are steps, rows are requests.

import { $ } from './elements.js';
import { colourOf, dot, font, patternOf, prepare, showTip, themeColour } from './paint.js';
import { techniquesOff } from './state.js';
import { figure, has, say, without } from './words.js';

const HEAD = 34;         // the bar of the token budget
const NARROW = 9;        // a column in which every request decodes one token
const MIDDLE = NARROW / 2 - 0.5;
const WIDE = 62;         // one that uses the whole budget
const LABEL = 34;

/** A step's marks, sorted: many pictures show the same hundred steps of hundreds of requests. @param {import('./state.js').Mark[]} marks */
function sorted(marks) {
  const of = (what) => marks.filter((m) => m.what === what);
  return {
    count: marks.length,
    chunk: Math.max(0, ...of('prefill').map((m) => m.b)),
    decodes: new Set(of('decode').map((m) => m.request)),
    techniques: of('techniques').pop(),
    others: marks.filter((m) => !['decode', 'techniques', 'sampled'].includes(m.what)),
  };
}

export class Timeline {
  /** @param {HTMLCanvasElement} canvas @param {(request: number) => void} onPick */
  constructor(canvas, onPick) {
    this.canvas = canvas;
    this.hits = [];
    this.rowsOf = new Map();
    this.digests = new Map();  // of the steps in view
    canvas.addEventListener('pointermove', (e) => this.point(e));
    canvas.addEventListener('pointerleave', () => showTip(''));
    canvas.addEventListener('click', (e) => { const r = this.rowAt(e); if (r) onPick(r.id); });
  }

  /** The columns that fit, newest last, with their places. */
  columns(state, width) {
    const budget = state.budget || Math.max(1, ...state.steps.slice(-200).map((s) => s.tokens));
    const columns = [];
    const digests = new Map();
    let room = width - LABEL - 10;
    for (let k = state.steps.length - 1; k >= 0 && room > 0; --k) {
      const step = state.steps[k];
      let digest = this.digests.get(step);
      if (digest?.count !== step.marks.length) digest = sorted(step.marks);
      digests.set(step, digest);
      const w = NARROW + (WIDE - NARROW) * Math.min(1, digest.chunk / budget);
      room -= w;
      if (room < 0) break;
      columns.push({ step, digest, w, budget });
    }
    this.digests = digests;
    columns.reverse();
    let x = LABEL;
    for (const c of columns) { c.x = x; x += c.w; }
    return columns;
  }

  /** Requests with a mark in sight, oldest first. */
  rows(state, columns, height) {
    const first = columns.length ? columns[0].step.step : 0;
    const rows = [...state.requests.values()].filter((r) => r.finishedStep < 0 || r.finishedStep >= first);
    rows.sort((a, b) => a.id - b.id);
    const pitch = Math.max(3, Math.min(22, Math.floor((height - HEAD - 6) / Math.max(1, rows.length))));
    const fit = Math.floor((height - HEAD - 4) / pitch);
    this.numHidden = Math.max(0, rows.length - fit);
    if (!this.numHidden) return { shown: rows, pitch };
    // Those that run, oldest first; what room is left shows who has just ended.
    const unfinished = rows.filter((r) => r.finishedStep < 0).slice(0, fit);
    const finished = rows.filter((r) => r.finishedStep >= 0);
    const shown = finished.slice(Math.max(0, finished.length - (fit - unfinished.length))).concat(unfinished);
    return { shown: shown.sort((a, b) => a.id - b.id), pitch };
  }

  /** @param {import('./state.js').State} state */
  draw(state, focus) {
    const { g, width, height } = prepare(this.canvas);
    const columns = this.columns(state, width);
    const { shown, pitch } = this.rows(state, columns, height);
    this.state = state;
    this.places = shown.map((r, k) => ({ r, y: HEAD + (k + 0.5) * pitch }));
    this.columnPlaces = columns;
    this.pitch = pitch;
    this.rowsOf = new Map(this.places.map((p) => [p.r.id, p.y]));
    this.drawBudget(g, columns);
    this.drawLabels(g, focus, pitch);
    this.drawLives(g, state, columns, pitch);
    this.waits = new Path2D();
    for (const c of columns) this.drawStep(g, c, pitch, focus);
    this.drawSwitches(g, columns, width, height);
    this.drawDecodes(g, columns, pitch, focus);
    g.strokeStyle = themeColour('--faint');
    g.setLineDash([2, 2]);
    g.lineWidth = 1.4;
    g.stroke(this.waits);
    g.setLineDash([]);
    this.caption(state);
  }

  drawBudget(g, columns) {
    const h = HEAD - 14;
    for (const { x, w, step, budget } of columns) {
      g.fillStyle = themeColour('--cell');
      g.fillRect(x, 2, w - 1, h);
      const part = Math.min(1, step.tokens / budget);
      g.fillStyle = themeColour('--brass');
      const tall = Math.max(step.tokens ? 1 : 0, h * part);
      g.fillRect(x, 2 + h - tall, w - 1, tall);
    }
  }

  drawLabels(g, focus, pitch) {
    if (pitch < 9) return;
    g.font = font(Math.min(11, pitch));
    g.textAlign = 'right';
    g.textBaseline = 'middle';
    for (const { r, y } of this.places) {
      g.fillStyle = r.id === focus ? colourOf(r.id) : themeColour('--faint');
      g.fillText(`${r.id}`, LABEL - 10, y + 0.5);
    }
  }

  /** A thin line from arrival to end, so that a row can be followed. */
  drawLives(g, state, columns, pitch) {
    if (!columns.length || pitch < 4) return;
    const right = columns[columns.length - 1].x + columns[columns.length - 1].w;
    const xOf = (step, edge) => {
      for (const c of columns) if (c.step.step >= step) return c.x + (edge && c.step.step === step ? c.w : 0);
      return right;
    };
    g.strokeStyle = themeColour('--line');
    g.lineWidth = 1;
    g.beginPath();
    for (const { r, y } of this.places) {
      const end = r.finishedStep >= 0 ? xOf(r.finishedStep, true) : right;
      g.moveTo(xOf(r.arrivedStep + 1, false), Math.round(y) + 0.5);
      g.lineTo(end, Math.round(y) + 0.5);
    }
    g.stroke();
  }

  /** A dot for each step in which a request decodes. Dots too small to have a shape are the dashes of a line. */
  drawDecodes(g, columns, pitch, focus) {
    const radius = Math.min(2.6, pitch * 0.3);
    const draw = radius < 1.1 ? this.dashes : this.dots;
    g.lineWidth = 2 * radius;
    g.setLineDash([2 * radius, NARROW - 2 * radius]);
    for (const { r, y } of this.places) {
      g.fillStyle = g.strokeStyle = colourOf(r.id, !focus || focus === r.id ? 1 : 0.8);
      g.beginPath();
      draw(g, columns, r.id, y, radius);
    }
    g.setLineDash([]);
  }

  dots(g, columns, request, y, radius) {
    const shape = patternOf(request);
    for (const { x, digest } of columns) if (digest.decodes.has(request)) dot(g, shape, x + MIDDLE, y, radius);
    g.fill();
  }

  dashes(g, columns, request, y, radius) {
    let end = -1;  // of the line so far
    for (const { x, w, digest } of columns) {
      if (!digest.decodes.has(request)) continue;
      if (end !== x) { if (end >= 0) g.lineTo(end, y); g.moveTo(x + MIDDLE - radius, y); }
      end = x + w;
      if (w !== NARROW) { g.lineTo(x + MIDDLE + radius, y); end = -1; }
    }
    if (end >= 0) g.lineTo(end, y);
    g.stroke();
  }

  drawStep(g, { x, w, digest, budget }, pitch, focus) {
    const tall = Math.min(13, pitch * 0.72);
    for (const m of digest.others) {
      const y = this.rowsOf.get(m.request);
      if (y === undefined) continue;
      if (m.what === 'waiting' || m.what === 'stalled') {
        this.waits.moveTo(x, y);
        this.waits.lineTo(x + w - 1, y);
        continue;
      }
      const colour = colourOf(m.request, !focus || focus === m.request ? 1 : 0.8);
      if (m.what === 'prefill') {
        const wide = Math.max(3, Math.min(w - 1, 3 + (w - 4) * Math.min(1, m.b / Math.max(1, (budget * (w - NARROW)) / (WIDE - NARROW)))));
        g.fillStyle = colour;
        g.fillRect(x, y - tall / 2, wide, tall);
        if (patternOf(m.request) && tall > 5) this.stripe(g, x, y - tall / 2, wide, tall, patternOf(m.request));
      } else if (m.what === 'preempted') {
        g.fillStyle = themeColour('--alarm');
        g.beginPath();
        g.moveTo(x, y - tall / 2 - 1); g.lineTo(x + 6, y - tall / 2 - 1); g.lineTo(x + 3, y + tall / 2 - 1);
        g.fill();
      } else if (m.what === 'finished' || m.what === 'refused') {
        g.strokeStyle = colour;
        g.fillStyle = colour;
        g.lineWidth = 1.4;
        g.beginPath();
        g.moveTo(x + w - 2, y + tall / 2); g.lineTo(x + w - 2, y - tall / 2 - 1); g.lineTo(x + w + 4, y - tall / 4); g.lineTo(x + w - 2, y);
        g.stroke();
        if (m.reason === 'stop') g.fill();
      }
    }
  }

  /** Where techniques were switched, and which are off from there on. */
  drawSwitches(g, columns, width, height) {
    const switched = columns.filter(({ digest }) => digest.techniques);
    if (!switched.length) return;
    g.font = font(11);  // brings the styles of the page up to date, some 10 ms beside hundreds of requests
    g.textBaseline = 'bottom';
    let free = -Infinity;
    for (const { x, w, step, digest } of switched) {
      const m = digest.techniques;
      const at = Math.round(m.b === step.step ? x + w : x) - 0.5;  // after the step, or before the first
      g.strokeStyle = g.fillStyle = themeColour('--brass');
      g.lineWidth = 1;
      g.beginPath();
      g.moveTo(at, HEAD - 12);
      g.lineTo(at, height);
      g.stroke();
      const text = without(techniquesOff(m.a)) || say('allOn');
      const wide = g.measureText(text).width;
      const left = at + 5 + wide > width ? at - 5 - wide : at + 5;
      if (left < free) continue;
      free = left + wide + 8;
      g.textAlign = 'left';
      g.fillText(text, left, HEAD - 1);
    }
  }

  stripe(g, x, y, w, h, pattern) {
    g.save();
    g.beginPath();
    g.rect(x, y, w, h);
    g.clip();
    g.strokeStyle = themeColour('--paper');
    g.globalAlpha = 0.45;
    g.lineWidth = 1;
    g.beginPath();
    for (let k = -h; k < w + h; k += 5) {
      if (pattern === 1) { g.moveTo(x + k, y + h); g.lineTo(x + k + h, y); }
      else if (pattern === 2) { g.moveTo(x + k, y); g.lineTo(x + k + h, y + h); }
      else { g.moveTo(x + k, y); g.lineTo(x + k, y + h); }
    }
    g.stroke();
    g.restore();
  }

  caption(state) {
    const last = state.steps[state.steps.length - 1];
    const more = this.numHidden ? ` · ${say('moreRows', figure(this.numHidden))}` : '';
    const now = !last ? '' : state.budget ? say('plan', figure(last.step), figure(last.tokens), figure(state.budget)) : say('planFree', figure(last.step), figure(last.tokens));
    const off = without(techniquesOff(state.techniques));
    const text = now + more + (off ? ` · ${off}` : '');
    const place = $('plan-caption');
    if (place.textContent !== text) place.textContent = text;
    this.canvas.setAttribute('aria-label', text);
  }

  rowAt(e) {
    if (!this.places) return null;
    const y = e.clientY - this.canvas.getBoundingClientRect().top;
    const found = this.places.find((p) => Math.abs(p.y - y) <= this.pitch / 2);
    return found ? found.r : null;
  }

  point(e) {
    const r = this.rowAt(e);
    if (!r) { showTip(''); return; }
    const x = e.clientX - this.canvas.getBoundingClientRect().left;
    const column = this.columnPlaces.find((c) => x >= c.x && x < c.x + c.w);
    showTip(this.describe(r, column?.step), e.clientX, e.clientY);
  }

  describe(r, step) {
    const lines = [say('request', r.id), say('tokensOf', r.promptLength, r.output.length)];
    if (r.preemptions) lines.push(say('preempted', r.preemptions));
    const marks = step ? step.marks.filter((m) => m.request === r.id) : [];
    for (const m of marks) {
      if ((m.what === 'waiting' || m.what === 'stalled') && has(`why_${m.reason}`)) lines.push(say(`why_${m.reason}`, m.a, m.b, r.wait?.other ?? ''));
      if (m.what === 'preempted') lines.push(say('why_preempted', '', '', m.b), has(`because_${m.reason}`) ? say(`because_${m.reason}`, m.a) : '');
      if (m.what === 'refused') lines.push(say(`why_${m.reason}`, m.a, m.b));
      if (m.what === 'finished' && has(`ended_${m.reason}`)) lines.push(say(`ended_${m.reason}`));
    }
    if (!marks.length && r.wait && has(`why_${r.wait.reason}`)) lines.push(say(`why_${r.wait.reason}`, r.wait.needed, r.wait.available, r.wait.other));
    return lines.filter(Boolean).join('\n');
  }
}
