// The technique switches: what is on in the engine, and what each was worth, measured on real runs.

import { Kind, TECHNIQUES } from './events.js';
import { techniqueBits } from './state.js';
import { measure, middle, ratio, WORTH } from './measure.js';
import { failure } from './rail.js';
import { $, el } from './elements.js';
import { figure, milliseconds, say, within } from './words.js';

const MOST_RUNS = 9;
const NEEDS = { prefix_cache: ['paging', 'kv_cache'] };

export class Switches {
  /**
   * @param {import('./rail.js').Rail} rail
   * @param {() => import('./player.js').Player|undefined} live the running engine's history
   * @param {(steps: number) => void} onRuns after a comparison: steps that the view has to show
   */
  constructor(rail, live, onRuns) {
    this.rail = rail;
    this.live = live;
    this.onRuns = onRuns;
    this.bits = techniqueBits(Object.fromEntries(TECHNIQUES.map((name) => [name, true])));
    this.known = false;     // what follows
    this.allowed = false;
    this.refused = {};
    this.busy = false;
    this.runs = new Map();  // by scene and bits
    this.shown = null;      // {technique, scene, off, on}
    this.items = TECHNIQUES.map((name, k) => this.build(name, k));
    $('switches').append(...this.items.map((item) => item.root), this.why = el('p.why'));
    $('worth-close').addEventListener('click', () => { this.shown = null; $('worth').hidden = true; });
    rail.onScene = (name) => this.run(name);
  }

  build(name, k) {
    const toggle = el('button', { type: 'button' }, el('i'), el('span'));
    toggle.setAttribute('role', 'switch');
    toggle.dataset.technique = name;
    toggle.addEventListener('click', () => this.toggle(name));
    const compare = el('button.compare', { type: 'button', textContent: '⇄' });
    compare.dataset.compare = name;
    compare.addEventListener('click', () => this.compare(name));
    return { name, bit: 1 << k, root: el('span.technique', {}, toggle, compare), toggle, compare };
  }

  isOn(name, bits = this.bits) { return Boolean(bits >> TECHNIQUES.indexOf(name) & 1); }

  /** What the server says; called when the stream opens. */
  async load() {
    try {
      const response = await fetch('live/techniques', { headers: this.rail.source.headers() });
      if (response.ok) this.take(await response.json());
    } catch { /* the connection broke: it is asked again with the next */ }
  }

  take({ allowed, on, refused }) {
    this.known = true;
    this.allowed = allowed;
    this.refused = refused;
    this.bits = techniqueBits(on);
    this.show();
  }

  /** Somebody has switched, here or elsewhere. */
  noticed(bits) {
    if (bits === this.bits) return;
    this.bits = bits;
    this.show();
  }

  /** Why a switch cannot be used now; '' if it can. */
  hindrance(name) {
    if (!this.allowed) return say('switchesOff');
    if (this.refused[name]) return say('cannotSwitch', this.refused[name]);
    const missing = (NEEDS[name] ?? []).filter((other) => !this.isOn(other));
    return missing.length ? say('needsFirst', missing.map(within).join(say('and'))) : '';
  }

  show() {
    $('switches').hidden = !this.rail.served || !this.known;
    $('switches').toggleAttribute('data-fixed', !this.allowed);
    for (const { name, toggle, compare } of this.items) {
      const why = this.hindrance(name);
      const about = `${say(`about_${name}`)}${why ? `\n${why}` : ''}`;
      toggle.children[1].textContent = say(name);
      toggle.setAttribute('aria-checked', String(this.isOn(name)));
      // Not `disabled`, so that it can be reached and says why.
      toggle.setAttribute('aria-disabled', String(Boolean(why) || this.busy));
      toggle.title = about;
      compare.hidden = !this.allowed;
      compare.disabled = Boolean(this.refused[name]) || this.busy;
      compare.title = say('compareTitle', say(name), say(WORTH[name].scene));
      compare.setAttribute('aria-label', compare.title);
    }
    this.why.textContent = say(this.allowed ? 'compareHint' : 'switchesOff');
    this.showWorth();
  }

  /** A switch that another one needs takes that along. */
  async toggle(name) {
    const why = this.hindrance(name);
    if (why) { this.rail.say(why, true); return; }
    const on = !this.isOn(name);
    const changes = { [name]: on };
    if (!on) for (const [other, needs] of Object.entries(NEEDS)) if (needs.includes(name) && this.isOn(other)) changes[other] = false;
    await this.guard(() => this.set(changes));
  }

  async guard(work) {
    if (this.busy) return;
    this.busy = true;
    this.show();
    try {
      await work();
    } catch (error) {
      this.rail.say(error.message, true);
    }
    this.busy = false;
    this.show();
  }

  /** @param {Object<string, boolean>} changes by name */
  async set(changes) {
    const before = this.live().switchedAt;
    const response = await fetch('live/techniques', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...this.rail.source.headers() },
      body: JSON.stringify(changes),
    });
    if (!response.ok) throw await failure(response);
    this.take(await response.json());
    await until(() => this.live().switchedAt > before);
  }

  /** The first event of a run that begins now; −1 if the pool is not empty, so that it would not be comparable. */
  beginning() {
    const player = this.live();
    const { events } = player;
    const from = player.switchedAt >= 0 ? player.switchedAt - player.dropped : player.dropped ? -1 : 0;
    if (from < 0) return -1;
    for (let i = from; i < events.length; ++i) if (events.kind(i) === Kind.arrived || events.kind(i) === Kind.taken) return -1;
    return from + player.dropped;
  }

  /** Sends a scene, and measures it if it can be compared. @returns {Promise<import('./measure.js').Run|null>} */
  async run(scene) {
    const player = this.live();
    const from = player ? this.beginning() : -1;
    const bits = this.bits;
    const count = await this.rail.send(this.rail.scene(scene));
    if (from < 0 || !count) return null;
    const ended = () => {
      let left = count;
      for (let i = from - player.dropped; i < player.events.length; ++i) {
        const kind = player.events.kind(i);
        if (kind === Kind.finished) --left;
        else if (kind === Kind.stepTimed && left <= 0) return true;
      }
      return false;
    };
    // What was left out, or is forgotten, cannot be measured.
    if (!await until(ended) || this.live() !== player || from < player.dropped) return null;
    const run = measure(player.events, from - player.dropped, player.metadata);
    if (run.requests !== count || run.techniques !== bits) return null;  // somebody else's were among them
    const key = `${scene} ${bits}`;
    this.runs.set(key, [...(this.runs.get(key) ?? []), run].slice(-MOST_RUNS));
    this.pair(scene, bits);
    return run;
  }

  /** What this run can be held against: the same scene with one technique more, or less. */
  pair(scene, bits) {
    const found = this.items.filter(({ bit }) => this.runs.has(`${scene} ${bits ^ bit}`));
    const item = found.find(({ name }) => name === this.comparing) ?? found[0];
    if (!item) return;
    this.shown = { technique: item.name, scene, off: `${scene} ${bits & ~item.bit}`, on: `${scene} ${bits | item.bit}` };
    this.showWorth();
  }

  /** Runs the technique's scene without and with it. */
  async compare(name) {
    await this.guard(async () => {
      const before = Object.fromEntries(TECHNIQUES.map((other) => [other, this.isOn(other)]));
      const others = { ...before };
      for (const [other, needs] of Object.entries(NEEDS)) {
        if (needs.includes(name)) others[other] = false;
        if (other === name) for (const needed of needs) others[needed] = true;
      }
      const { scene } = WORTH[name];
      const onSend = this.rail.onSend;
      this.comparing = name;
      let steps = 0;
      let complete = true;
      try {
        for (const on of [false, true]) {
          await this.set({ ...others, [name]: on });
          const run = await this.run(scene);
          this.rail.onSend = () => {};  // the view goes on to the second by itself
          steps += run?.steps ?? 0;
          complete &&= run !== null;
        }
      } finally {
        this.rail.onSend = onSend;
        this.comparing = '';
        await this.set(before);
      }
      if (complete) this.onRuns(steps);
      else if (!$('rail-note').hasAttribute('data-bad')) this.rail.say(say('disturbed'), true);
    });
  }

  showWorth() {
    const { technique, scene, off, on } = this.shown ?? {};
    const [without, with_] = [this.runs.get(off), this.runs.get(on)];
    $('worth').hidden = !without || !with_;
    if (!without || !with_) return;
    $('worth-title').textContent = say('worth', say(technique));
    $('worth-caption').textContent = say(without.length + with_.length > 2 ? 'worthRuns' : 'worthOnce', say(scene), without.length, with_.length);
    $('worth-head').replaceChildren(...['measure', 'off', 'on', 'better'].map((word, k) => el('th', { scope: 'col', textContent: k ? say(word) : '' })));
    $('worth-rows').replaceChildren(...WORTH[technique].measures.map((name) => rowOf(name, middle(without, name), middle(with_, name))));
    const notes = [];
    const answers = [without, with_].map((runs) => runs[runs.length - 1].answers);
    if (answers[0] && answers[1]) notes.push(say(answers[0] === answers[1] ? 'sameAnswers' : 'otherAnswers'));
    const flat = WORTH[technique].measures.every((name) => Math.abs(ratio(name, middle(without, name), middle(with_, name)) - 1) < 0.1);
    if (flat) notes.push(say(`flat_${technique}`));
    notes.push(say('smallSample'));
    $('worth-note').textContent = notes.join(' ');
  }
}

const UNITS = {
  atOnce: (v) => v.toFixed(1), filled: (v) => `${figure(Math.round(v))} %`, rate: (v) => figure(Math.round(v)), computed: figure,
  itl: milliseconds, ttft: milliseconds, gap: milliseconds, us: milliseconds,
};

function rowOf(name, off, on) {
  const times = ratio(name, off, on);
  const cell = (value, kind) => {
    const bar = el('i');
    bar.style.width = `${(value / Math.max(off, on)) * 100}%`;
    const td = el('td', {}, el('b', { textContent: UNITS[name](value) }), el('span.track', {}, bar));
    td.dataset.kind = kind;
    td.dataset.label = say(kind);
    return td;
  };
  const better = el('td', { textContent: Number.isFinite(times) ? `${figure(times)} ×` : '–' });
  better.dataset.kind = times > 1.1 ? 'better' : times < 0.9 ? 'worse' : 'same';
  const row = el('tr', {}, el('th', { scope: 'row', textContent: say(`m_${name}`) }), cell(off, 'off'), cell(on, 'on'), better);
  row.dataset.measure = name;
  return row;
}

/** Looks again and again, for some seconds. */
async function until(holds) {
  for (let k = 0; k < 200; ++k) {
    if (holds()) return true;
    await new Promise((done) => setTimeout(done, 30));
  }
  return false;
}
