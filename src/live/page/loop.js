// The loop: four rooms, and the chips that travel through them. It shows one request, the one in
// focus; the DOM is brought into line with the state, and what happened is shown by moving the
// very elements that it happened to.

import { FILTERS, Kind } from './events.js';
import { colourOf, hueOf } from './paint.js';
import { $, el, svg } from './elements.js';
import { Flights } from './flights.js';
import { figure, has, say } from './words.js';
import { techniquesOff } from './state.js';
import { splitOutput } from './texts.js';

const BARS = 8;
const MOST_PROMPT_CHIPS = 72;
const MOST_CONTEXT_CHIPS = 60;
const LAYER_LINES = 12;
const reduced = matchMedia('(prefers-reduced-motion: reduce)');


/** The KV cache is off. */
function keepsNothing(state) { return techniquesOff(state.techniques).includes('kv_cache'); }

export class Loop {
  /** @param {import('./texts.js').Texts} texts */
  constructor(texts) {
    this.texts = texts;
    this.focus = 0;
    this.chosen = 0;        // by hand; 0: the page chooses
    this.fast = false;      // too many tokens a second for flights: streaks
    this.rows = [];
    this.slotOf = () => null;  // (request, position): where its key and value are on the page
    this.onKv = () => {};      // (request, position, from: DOMRect, slot) they were stored
    this.flights = new Flights();
    this.build();
  }

  build() {
    for (let i = 0; i < BARS; ++i) {
      const chip = el('span.chip', {}, el('b'), el('i'));
      const fill = el('span');
      const row = el('li.bar', {}, chip, el('div.track', {}, fill), el('span.figure'));
      $('bars').append(row);
      this.rows.push({ row, chip, fill, figure: row.lastChild });
    }
    for (let i = 0; i < LAYER_LINES; ++i) {
      const x = 6 + (108 * i) / (LAYER_LINES - 1);
      const inset = 22 * Math.abs((2 * i) / (LAYER_LINES - 1) - 1) ** 1.6;
      const line = svg('line', { x1: x, x2: x, y1: 4 + inset, y2: 92 - inset });
      line.style.setProperty('--i', i * 26);
      $('gate').append(line);
    }
  }

  chip(id, request, mark = '') {
    const e = el('span.chip', { hue: hueOf(request).toFixed(1) });
    this.fillChip(e, id);
    if (mark || this.texts.special.has(id)) e.dataset.mark = mark || 'special';
    return e;
  }

  /** White space at the ends of a token is part of it: it is shown as dots. */
  fillChip(e, id) {
    const { text, raw } = this.texts.label(id);
    if (e.dataset.id === String(id) && e.dataset.text === text) return;
    e.dataset.text = text;
    const b = e.querySelector('b') ?? e.appendChild(el('b'));
    const i = e.querySelector('i') ?? e.appendChild(el('i'));
    b.textContent = '';
    b.toggleAttribute('data-raw', raw);
    const parts = raw ? ['', text, ''] : /^(\s*)([\s\S]*?)(\s*)$/.exec(text).slice(1);
    const dots = (s) => s.replace(/\n/g, '↵').replace(/\t/g, '⇥').replace(/ /g, '·').replace(/\r/g, '␍');
    if (parts[0]) b.append(el('span.ws', { textContent: dots(parts[0]) }));
    b.append(parts[1].replace(/\n/g, '↵'));
    if (parts[2]) b.append(el('span.ws', { textContent: dots(parts[2]) }));
    i.textContent = id >= 0 ? id : '';
    e.dataset.id = id;
    e.classList.toggle('wordless', !text);
  }

  /** Which request is shown: the one chosen by hand, the oldest that runs, or the newest of those that were here. */
  chooseFocus(state) {
    if (this.chosen && state.requests.has(this.chosen)) return this.chosen;
    const now = state.requests.get(this.focus);
    if (now && now.status === 'running' && !(now.draw === null && state.step - now.arrivedStep > 8)) return this.focus;
    if (now && now.status === 'finished' && state.step - now.finishedStep < 2) return this.focus;
    let best = 0;
    let waiting = 0;
    let last = 0;
    for (const r of state.requests.values()) {
      if (r.status === 'running' && (!best || r.id < best)) best = r.id;
      if (r.status === 'waiting' && (!waiting || r.id < waiting)) waiting = r.id;
      if (r.id > last) last = r.id;
    }
    return best || waiting || last;
  }

  /** Everything anew: after a jump in time or another focus. */
  reset(state) {
    this.flights.clear();
    this.focus = this.chooseFocus(state);
    this.shown = { prompt: -1, context: -1, draw: '', text: '', hue: -1, door: -2 };
    $('prompt-chips').textContent = '';
    $('context-chips').textContent = '';
    $('door').textContent = '';
    $('text').textContent = '';
    this.written = { request: 0, text: '' };
    this.update(state, null, null);
  }

  /** Once the page has been laid out, marks a box whose content is longer than it is. */
  markFull(box, isFull) { this.flights.order(box, isFull, (full) => box.toggleAttribute('data-full', full)); }

  /**
   * Brings the rooms into line with the state.
   * @param {import('./state.js').State} state
   * @param {import('./events.js').EventList|null} events
   * @param {{from: number, to: number}|null} range what happened since the last time
   */
  update(state, events, range) {
    const focus = this.chooseFocus(state);
    if (focus !== this.focus) { this.focus = focus; this.reset(state); return; }
    const r = state.requests.get(this.focus);
    if (!r) { this.idle(); return; }
    const hue = hueOf(r.id).toFixed(1);
    if (this.shown.hue !== hue) { $('loop').style.setProperty('--hue', hue); this.shown.hue = hue; }
    const happened = events && range ? this.scan(events, range) : { passes: [], sampled: 0, arrived: false };
    const flights = !reduced.matches && !this.fast && happened.passes.length <= 2;
    this.showPrompt(r, happened);
    this.showModel(state, r, happened, flights);
    this.showSampler(state, r);
    this.showOutput(r, happened, flights);
  }

  /** What happened to the request in focus. */
  scan(events, { from, to }) {
    const found = { passes: [], sampled: 0, arrived: false };
    const start = Math.max(from, to - 6000);
    for (let i = start; i < to; ++i) {
      if (events.request(i) !== this.focus) continue;
      const kind = events.kind(i);
      if (kind === Kind.chunk) found.passes.push({ first: events.value(i, 0), tokens: events.value(i, 1) });
      else if (kind === Kind.sampled) ++found.sampled;
      else if (kind === Kind.arrived) found.arrived = true;
    }
    return found;
  }

  idle() {
    for (const room of ['tokenizer', 'model', 'sampler', 'detokenizer']) $(`${room}-caption`).textContent = say(`${room}Idle`);
    $('context-caption').textContent = '';
    this.rows.forEach(({ row }) => { row.style.visibility = 'hidden'; });
    $('lot').dataset.empty = '';
  }

  /** Tokens still to be computed stand in the Tokenizer room; those computed have gone on. */
  showPrompt(r, happened) {
    const key = `${r.id}:${r.prompt.length}`;
    if (this.shown.prompt !== key) {
      this.shown.prompt = key;
      const chips = $('prompt-chips');
      chips.textContent = '';
      const shown = r.prompt.slice(0, MOST_PROMPT_CHIPS);
      this.promptChips = shown.map((id, k) => {
        const chip = this.chip(id, r.id);
        if (!reduced.matches && (happened.arrived || happened.passes.length)) {
          chip.classList.add('fresh');
          chip.style.animationDelay = `${Math.min(k * 12, 300)}ms`;
        }
        return chip;
      });
      chips.append(...this.promptChips);
      if (r.prompt.length > shown.length) chips.append(el('span.more', { textContent: `+${figure(r.prompt.length - shown.length)}` }));
      const bytes = this.texts.joinBytes(r.prompt).length;
      $('tokenizer-caption').textContent = r.prompt.length === 0 ? say('piecesIds', figure(r.promptLength))
        : bytes ? say('pieces', figure(bytes), figure(r.promptLength)) : say('piecesIds', figure(r.promptLength));
      this.markFull(chips, () => chips.scrollHeight > chips.clientHeight + 2);
      this.spent = -1;
    }
    if (this.spent !== r.computed) {
      this.spent = r.computed;
      this.promptChips.forEach((chip, k) => {
        chip.classList.toggle('spent', k < r.computed);
        if (k < r.cachedTokens) chip.dataset.mark = 'cached';
      });
    }
  }

  showModel(state, r, happened, flights) {
    const all = r.prompt.length ? r.prompt.concat(r.output) : r.output;
    const offset = r.prompt.length ? 0 : r.promptLength;
    const chips = $('context-chips');
    const from = Math.max(0, Math.min(r.computed, offset + all.length) - MOST_CONTEXT_CHIPS);
    const key = `${r.id}:${r.computed}:${from}:${this.shown.prompt}`;
    if (this.shown.context !== key) {
      const before = this.contextRange ?? { from: 0, to: 0 };
      const keep = this.shown.context !== -1 && before.request === r.id && before.to <= r.computed && chips.childElementCount > 0;
      if (!keep) chips.textContent = '';
      const start = keep ? before.to : from;
      for (let p = start; p < r.computed; ++p) {
        const id = all[p - offset];
        if (id === undefined) continue;
        const chip = this.chip(id, r.id, p < r.cachedTokens ? 'cached' : '');
        chips.append(chip);
        const source = () => this.sourceOf(p, r).getBoundingClientRect();
        if (flights && r.computed - p <= 40) this.flights.fly(chip, source, (p - start) * 5);
        if (r.computed - p <= 96) this.storeKv(r, p, source);
      }
      while (chips.childElementCount > MOST_CONTEXT_CHIPS) chips.firstChild.remove();
      this.markFull(chips, () => {
        const last = chips.lastElementChild;
        return Boolean(last) && last.offsetTop + last.offsetHeight - chips.firstElementChild.offsetTop > chips.clientHeight;
      });
      this.contextRange = { request: r.id, from, to: r.computed };
      this.shown.context = key;
      $('context-caption').textContent = keepsNothing(state) ? say('contextNone') : r.cachedTokens ? say('context', figure(r.computed), figure(r.cachedTokens)) : say('contextPlain', figure(r.computed));
      if (happened.passes.length && !reduced.matches) {
        // Two names for one animation: changing from one to the other begins it again.
        this.passes = !this.passes;
        $('gate').classList.toggle('pass', this.passes);
        $('gate').classList.toggle('pass-again', !this.passes);
      }
    }
    this.showDoor(r);
    this.showPassCaption(state, r);
  }

  storeKv(r, position, source) {
    this.flights.order(`${r.id}:${position}`, () => ({ from: source(), slot: this.slotOf(r, position) }),
      ({ from, slot }) => { if (slot) this.onKv(r, position, from, slot); });
  }

  /** Where a token comes from on its way into the model. */
  sourceOf(position, r) {
    if (position < r.promptLength) return (position < MOST_PROMPT_CHIPS && this.promptChips[position]) || $('tokenizer');
    return $('door').firstChild ?? $('door');
  }

  /** The token drawn last waits at the model's door until the next step takes it in. */
  showDoor(r) {
    const next = r.status === 'running' && r.output.length && r.computed >= r.promptLength && r.computed < r.promptLength + r.output.length
      ? r.output[r.output.length - 1] : -1;
    const key = next < 0 ? -1 : r.output.length;
    if (this.shown.door === key) return;
    this.shown.door = key;
    $('door').textContent = '';
    if (next >= 0) $('door').append(this.chip(next, r.id));
  }

  showPassCaption(state, r) {
    if (r.status === 'waiting') {
      const w = r.wait;
      $('model-caption').textContent = w && has(`why_${w.reason}`) ? say(`why_${w.reason}`, w.needed, w.available, w.other) : say('modelIdle');
      return;
    }
    const c = r.chunk;
    if (!c) { $('model-caption').textContent = say('modelIdle'); return; }
    const step = state.steps.findLast ? state.steps.findLast((s) => s.step === c.step) : null;
    const took = step?.timed ? say('took', figure(step.timed[1] / 1000)) : '';
    const last = c.first + c.tokens;
    const text = c.first >= r.promptLength ? say('decode', figure(c.first - r.promptLength + 1))
      : c.tokens >= r.promptLength ? say(keepsNothing(state) && r.output.length > 1 ? 'again' : 'prefill', figure(c.tokens))
        : say('chunkOf', figure(c.first + 1), figure(last), figure(r.promptLength));
    $('model-caption').textContent = text + took;
  }

  showSampler(state, r) {
    const draw = r.draw;
    const key = draw ? `${r.id}:${draw.step}:${draw.done}:${draw.candidates.length}` : '';
    if (this.shown.draw === key) return;
    this.shown.draw = key;
    const list = draw ? draw.candidates.slice().sort((a, b) => b.probability - a.probability) : [];
    const shown = list.slice(0, BARS);
    if (draw?.done && !shown.some((c) => c.token === draw.token)) {
      const won = list.find((c) => c.token === draw.token);
      if (won) shown[Math.min(BARS - 1, shown.length)] = won;
    }
    const greedy = list.length > 1 && list.filter((c) => c.cut === 5).length === list.filter((c) => c.token !== draw.token && c.cut !== 0).length && list.some((c) => c.cut === 5);
    const most = shown.reduce((m, c) => Math.max(m, c.probability), 1e-9);
    this.rows.forEach((row, k) => this.showBar(row, shown[k], draw, r, greedy, most));
    this.showLot(list, draw, greedy);
    this.showSkyline(state, list, draw);
    $('sampler-caption').textContent = !draw ? say('samplerIdle')
      : !list.length ? say('noDetail')
        : greedy ? say('greedy') : this.filterCaption(state, draw);
  }

  filterCaption(state, draw) {
    const total = state.vocabulary || draw.filtered[0] || 0;
    const names = [say('masks'), 'min-p', 'top-k', 'top-p'];
    let before = total;
    const cuts = [];
    draw.filtered.forEach((left, k) => {
      if (left < before && left > 0) cuts.push(`${names[k]} → ${figure(left)}`);
      if (left > 0) before = left;
    });
    return (total ? say('among', figure(total)) : '') + (cuts.length ? ` · ${cuts.join(' · ')}` : '');
  }

  showBar(row, candidate, draw, r, greedy, most) {
    row.row.style.visibility = candidate ? '' : 'hidden';
    if (!candidate) return;
    this.fillChip(row.chip, candidate.token);
    const won = draw.done && candidate.token === draw.token;
    row.row.classList.toggle('won', won);
    row.row.classList.toggle('cut', candidate.cut !== 0 && !won);
    row.fill.style.setProperty('--part', `${((candidate.probability / most) * 100).toFixed(2)}%`);
    row.row.dataset.token = candidate.token;
    row.row.dataset.probability = candidate.probability;
    row.row.dataset.logit = candidate.logit;
    const p = candidate.probability;
    const percent = p >= 0.0995 ? `${(p * 100).toFixed(0)} %` : p >= 0.001 ? `${(p * 100).toFixed(1)} %` : '< 0.1 %';
    row.figure.textContent = '';
    row.figure.append(percent);
    if (won && greedy) row.figure.append(' ♛');
    else if (candidate.cut && !won && !greedy) row.figure.append(' ', el('em', { textContent: FILTERS[candidate.cut] ?? '' }));
  }

  /**
   * The lot: the probabilities of being drawn, stacked from the largest on, and the needle at the
   * random number. Tokens that are not among the candidates make up the rest.
   */
  showLot(list, draw, greedy) {
    const lot = $('lot');
    const strip = $('strip');
    const left = list.filter((c) => c.final > 0);
    const shown = draw?.done && left.length > 0 && !greedy;
    lot.toggleAttribute('data-empty', !shown);
    if (!shown) return;
    $('lot-caption').textContent = `${say('drawnWith', draw.uniform.toFixed(4))} · ${say('among', figure(draw.left))}`;
    strip.textContent = '';
    let sum = 0;
    for (const c of left) {
      // The token drawn may be one that the candidates would not have reached: it lies in the rest.
      if (c.token === draw.token && (draw.uniform < sum - 1e-6 || draw.uniform > sum + c.final + 1e-6)) continue;
      const part = el(c.token === draw.token ? 'i.won' : 'i');
      part.style.width = `${(c.final * 100).toFixed(3)}%`;
      strip.append(part);
      sum += c.final;
    }
    if (sum < 1 - 1e-6) {
      const restPart = el('i.rest');
      restPart.style.flex = '1';
      strip.append(restPart);
    }
    $('needle').style.transform = `translateX(${(draw.uniform * 100).toFixed(3)}cqi)`;
  }

  /** The largest logits at their places in the vocabulary. */
  showSkyline(state, list, draw) {
    const sky = $('skyline');
    sky.textContent = '';
    sky.append(svg('line', { class: 'ground', x1: 0, x2: 240, y1: 94, y2: 94 }));
    const finite = list.filter((c) => Number.isFinite(c.logit));
    if (!finite.length) return;
    const vocabulary = state.vocabulary || Math.max(...finite.map((c) => c.token)) + 1;
    const top = Math.max(...finite.map((c) => c.logit));
    const low = Math.min(...finite.map((c) => c.logit));
    const scale = 66 / Math.max(top - low, 1e-3);
    for (const c of finite) {
      const x = 3 + (234 * c.token) / vocabulary;
      sky.append(svg('line', { class: draw.done && c.token === draw.token ? 'won' : '', x1: x, x2: x, y1: 94, y2: 94 - 18 - (c.logit - low) * scale }));
    }
  }

  showOutput(r, happened, flights) {
    const { text, waiting } = splitOutput(this.texts, r.output, r.released, r.held);
    const key = `${r.id}:${r.released}:${r.held}:${r.output.length}:${r.status}`;
    if (this.shown.text === key) return;
    this.shown.text = key;
    const tray = $('tray');
    tray.textContent = '';
    for (const byte of waiting.slice(0, 12)) tray.append(el('span.byte', { textContent: byte.toString(16).padStart(2, '0').toUpperCase() }));
    if (r.held) tray.append(el('span.why', { textContent: say(r.heldReason === 'stop_string' ? 'heldStop' : 'heldUtf8') }));
    this.showText(text, r);
    $('detokenizer-caption').textContent = r.status === 'finished' && has(`ended_${r.endReason}`)
      ? say(`ended_${r.endReason}`) : r.output.length ? say('out', figure(r.output.length)) : say('detokenizerIdle');
    if (!happened.sampled) return;
    if (flights) {
      const source = () => this.rows.find(({ row }) => row.classList.contains('won') && row.style.visibility === '')?.chip ?? $('sampler');
      const last = r.output[r.output.length - 1];
      this.flights.flyGhost(this.chip(last, r.id), source, () => $('text').lastElementChild?.lastElementChild ?? $('tray'));
      if (r.status === 'running') this.flights.flyArc(this.chip(last, r.id), source);
    } else if (!reduced.matches) {
      this.flights.streak(colourOf(r.id));
    }
  }

  /** Only the end of a long text is in the page, in two spans: what stood there, and what is new. */
  showText(text, r) {
    const tail = text.length > 1600 ? `…${text.slice(-1600)}` : text;
    const box = $('text');
    const line = box.firstChild ?? box.appendChild(el('span', {}, el('span.given'), el('span'), el('span.new')));
    const old = this.written.request === r.id ? this.written.text : '';
    const grown = tail.startsWith(old) ? old : tail;
    // The answer goes on from the prompt: its end stands before it.
    const given = text.length < 400 ? this.texts.join(r.prompt) : '';
    line.firstChild.textContent = given.length > 90 ? `…${given.slice(-80)}` : given;
    line.children[1].textContent = grown;
    const fresh = tail.slice(grown.length);
    if (fresh || line.lastChild.textContent) line.lastChild.replaceWith(el('span.new', { textContent: fresh }));
    this.markFull(box, () => Boolean(box.firstChild) && box.firstChild.offsetHeight > box.clientHeight + 2);
    this.written = { request: r.id, text: tail };
  }
}
