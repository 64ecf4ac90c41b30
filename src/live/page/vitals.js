// Seven figures, each with what it was.

import { blockCounts, quantile, tokensPerSecond } from './state.js';
import { el, svg } from './elements.js';
import { figure, milliseconds, say } from './words.js';

const NAMES = ['queue', 'ttft', 'itl', 'rate', 'use', 'hits', 'split'];
const MOST = 120;

export class Vitals {
  constructor(root) {
    this.items = {};
    this.history = {};
    for (const name of NAMES) {
      const item = el('div.vital', {}, el('h4'), el('p.figure'), el('p.aside'));
      item.dataset.name = name;
      if (name === 'split') {
        item.children[1].remove();
        item.insertBefore(el('div.split', {}, el('i'), el('i'), el('i'), el('i')), item.lastChild);
      } else {
        item.append(svg('svg', { viewBox: '0 0 120 26', preserveAspectRatio: 'none' }, svg('path')));
      }
      this.items[name] = item;
      this.history[name] = [];
      root.append(item);
    }
    this.lastStep = -1;
  }

  reset() { for (const name of NAMES) this.history[name] = []; this.lastStep = -1; }

  /** @param {import('./state.js').State} s */
  update(s) {
    const last = s.steps[s.steps.length - 1];
    const counts = blockCounts(s);
    let running = 0;
    let waiting = 0;
    for (const r of s.requests.values()) if (r.finishedStep < 0) { if (r.status === 'running') ++running; else ++waiting; }
    const use = s.numBlocks ? (counts.used / s.numBlocks) * 100 : NaN;
    const rate = tokensPerSecond(s);
    const hits = s.totals.promptTokens ? (s.totals.hits / s.totals.promptTokens) * 100 : NaN;
    const values = { queue: running + waiting, ttft: quantile(s.ttftUs.slice(-64), 0.5), itl: quantile(s.itlUs.slice(-128), 0.5), rate, use, hits };
    this.put('queue', `${figure(running)} · ${figure(waiting)}`, say('preempted', figure(s.totals.preemptions)));
    this.put('ttft', milliseconds(values.ttft), s.ttftUs.length ? say('p99', milliseconds(quantile(s.ttftUs, 0.99))) : '');
    this.put('itl', milliseconds(values.itl), s.itlUs.length ? say('p99', milliseconds(quantile(s.itlUs, 0.99))) : '');
    this.put('rate', Number.isFinite(rate) ? figure(Math.round(rate)) : '–', say('soFar', figure(s.totals.generated)));
    this.put('use', Number.isFinite(use) ? `${figure(Math.round(use))} %` : '–', say('ofBlocks', figure(counts.used), figure(s.numBlocks)));
    this.put('hits', Number.isFinite(hits) ? `${figure(Math.round(hits))} %` : '–', say('ofTokens', figure(s.totals.hits), figure(s.totals.promptTokens)));
    this.putSplit(s);
    if (last && last.step !== this.lastStep) {
      this.lastStep = last.step;
      for (const name of Object.keys(values)) this.trace(name, values[name]);
    }
  }

  put(name, value, aside) {
    const [title, number, note] = this.items[name].children;
    if (title.textContent !== say(name)) title.textContent = say(name);
    if (number.textContent !== value) number.textContent = value;
    if (note.textContent !== aside) note.textContent = aside;
  }

  trace(name, value) {
    const list = this.history[name];
    if (Number.isFinite(value)) list.push(value);
    if (list.length > MOST) list.shift();
    if (list.length < 3) return;
    const most = Math.max(...list, 1e-9);
    const wide = Math.max(24, list.length - 1);
    const points = list.map((v, k) => `${((k / wide) * 120).toFixed(1)} ${(24.5 - (22 * v) / most).toFixed(1)}`);
    this.items[name].querySelector('path').setAttribute('d', `M${points.join('L')}`);
  }

  putSplit(s) {
    const sum = [0, 0, 0, 0];
    for (const step of s.steps.slice(-32)) if (step.timed) step.timed.forEach((us, k) => { sum[k] += us; });
    const all = sum.reduce((a, b) => a + b, 0);
    const item = this.items.split;
    if (item.children[0].textContent !== say('split')) item.children[0].textContent = say('split');
    [...item.querySelectorAll('i')].forEach((bar, k) => { bar.style.flex = `${all ? sum[k] / all : 0}`; });
    const names = say('splitParts');
    const text = !all ? '' : sum.map((us, k) => [us, k]).filter(([us]) => us >= all * 0.005).sort((a, b) => b[0] - a[0])
      .map(([us, k]) => `${names[k]}\u00a0${((us / all) * 100).toFixed(0)}\u00a0%`).join(' · ');
    const aside = item.querySelector('.aside');
    if (aside.textContent !== text) { aside.textContent = text; aside.title = text; }
  }
}
