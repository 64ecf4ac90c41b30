// What moves between the rooms. Asking for a place in the middle of a frame lays the page out at once, 10 ms and more of a slow
// machine: what is ordered in a frame begins right after it, when that has been done and asking costs nothing.

import { $, el } from './elements.js';
import { hueOf } from './paint.js';

const EASE = 'cubic-bezier(.16,.84,.3,1)';
const MOST_GHOSTS = 24;
const STREAK_MS = 260;
const SPARK_MS = 420;
const MOST_SPARKS = 160;
const SPARK_POINTS = 6;

const at = (x, y) => `translate(${x}px, ${y}px)`;

export class Flights {
  constructor() {
    this.label = '';         // what the arc is called
    this.orders = new Map();
    this.arc = null;
    this.streakEnd = 0;
    this.afterFrame = new MessageChannel();  // its message comes once the browser has done with the frame
    this.afterFrame.port1.onmessage = () => this.begin();
    new ResizeObserver(() => this.drawOrbit()).observe($('loop'));
  }

  /**
   * For the end of the frame: first everything is read, then everything written.
   * @param {any} key a later order of the same key replaces this one
   * @param {() => any} read asks the page
   * @param {(found: any) => void} write changes it
   */
  order(key, read, write) {
    if (!this.orders.size) this.afterFrame.port2.postMessage(null);
    this.orders.set(key, [read, write]);
  }

  begin() {
    const found = [...this.orders.values()].map(([read, write]) => [write, read()]);
    this.orders.clear();
    for (const [write, value] of found) write(value);
  }

  clear() {
    this.orders.clear();
    for (const a of $('flights').children) a.getAnimations().forEach((x) => x.cancel());
    $('flights').textContent = '';
  }

  /** The arc from the sampler back to the model's door. */
  drawOrbit() {
    const box = $('loop').getBoundingClientRect();
    const from = $('sampler').getBoundingClientRect();
    const to = $('model').getBoundingClientRect();
    this.arc = null;
    $('orbit-label').textContent = '';
    if (Math.abs(from.top - to.top) > 40) { $('orbit-track').setAttribute('d', ''); return; }
    const x1 = from.left + from.width * 0.34 - box.left;
    const x0 = to.left + 14 - box.left;
    const y = to.top - box.top - 8;
    const d = `M ${x1} ${y} C ${x1 - 10} ${y - 74}, ${x0 + 10} ${y - 74}, ${x0} ${y}`;
    $('orbit-track').setAttribute('d', d);
    $('orbit-trail').setAttribute('d', d);
    this.arc = { x0, x1, y, length: $('orbit-trail').getTotalLength() };
    $('orbit-label').setAttribute('x', (x0 + x1) / 2);
    $('orbit-label').setAttribute('y', y - 20);
    $('orbit-label').textContent = this.label;
  }

  /** Moves a chip to its place from where its token was. Until then it isn't seen. @param {() => DOMRect} source */
  fly(chip, source, delay) {
    chip.style.visibility = 'hidden';
    this.order(chip, () => ({ from: source(), to: chip.getBoundingClientRect() }), ({ from, to }) => {
      chip.style.visibility = '';
      if (!to.width) return;
      chip.animate([{ transform: at(from.left - to.left, from.top - to.top) }, { transform: 'none' }],
        { duration: 300, delay: Math.min(delay, 220), easing: EASE, fill: 'backwards' });
    });
  }

  /** A chip that comes from an element, and is gone where it arrives. */
  flyGhost(chip, source, target) {
    if ($('flights').childElementCount > MOST_GHOSTS) return;
    this.order(chip, () => ({ from: source().getBoundingClientRect(), to: target().getBoundingClientRect() }), ({ from, to }) => this.launch(chip, [
      { transform: at(from.left, from.top), opacity: 1 },
      { transform: `${at(to.right - 10, to.top - 4)} scale(.9)`, opacity: 1, offset: 0.8 },
      { transform: `${at(to.right - 10, to.top)} scale(.8)`, opacity: 0 },
    ], 320, EASE));
  }

  /** Along the arc back to the model, at whose door the token is seen once it has come. */
  flyArc(chip, source) {
    if (!this.arc || $('flights').childElementCount > MOST_GHOSTS) return;
    const waiting = $('door').firstElementChild;
    if (waiting) waiting.style.visibility = 'hidden';
    this.order(chip, () => ({ from: source().getBoundingClientRect(), box: $('loop').getBoundingClientRect(), door: $('door').getBoundingClientRect() }), ({ from, box, door }) => {
      if (waiting) {
        waiting.style.visibility = '';
        waiting.animate([{ opacity: 0 }, { opacity: 0, offset: 0.94 }, { opacity: 1 }], { duration: 360 });
      }
      if (!this.arc) return;
      const { x0, x1, y } = this.arc;
      const frames = [{ transform: at(from.left, from.top) }];
      for (let k = 0; k <= 8; ++k) {
        const t = k / 8;
        const u = 1 - t;
        const x = u ** 3 * x1 + 3 * u * u * t * (x1 - 10) + 3 * u * t * t * (x0 + 10) + t ** 3 * x0;
        const high = (u ** 3 + t ** 3) * y + 3 * u * t * (y - 74);
        frames.push({ transform: at(box.left + x - 16, box.top + high - 18) });
      }
      frames.push({ transform: at(door.right - 40, door.top) });
      this.launch(chip, frames, 360, 'cubic-bezier(.3,.1,.2,1)');
    });
  }

  launch(chip, frames, duration, easing) {
    $('flights').append(chip);
    chip.animate(frames, { duration, easing }).finished.then(() => chip.remove(), () => chip.remove());
  }

  /** Tokens too fast to be followed: light along the arc. */
  streak(colour) {
    const now = performance.now();
    if (!this.arc || now < this.streakEnd) return;
    this.streakEnd = now + STREAK_MS;
    const trail = $('orbit-trail');
    const { length } = this.arc;
    trail.style.stroke = colour;
    trail.animate([
      { strokeDasharray: `60 ${length}`, strokeDashoffset: 60, opacity: 0.9 },
      { strokeDasharray: `60 ${length}`, strokeDashoffset: -length, opacity: 0.5 },
    ], { duration: STREAK_MS, easing: 'linear' });
  }
}

/** A key and a value fly to their slot: elements, since a canvas above the page is painted whole each time. */
export class Sparks {
  /** @param {HTMLElement} root */
  constructor(root) { this.root = root; }

  /** @param {{x: number, y: number}} from @param {{x: number, y: number}} to on the page */
  add(from, to, request, delay = 0) {
    if (this.root.childElementCount >= MOST_SPARKS) return;
    const dx = to.x - from.x;
    const dy = to.y - from.y;
    const length = Math.max(8, Math.min(60, 0.12 * Math.hypot(dx, dy)));
    const spark = el('i.spark', { hue: hueOf(request).toFixed(1) });
    spark.style.width = `${length}px`;
    const frames = [];
    for (let k = 0; k <= SPARK_POINTS; ++k) {
      const part = 1 - (1 - k / SPARK_POINTS) ** 3;  // fast at first; and falling: the height goes with the square
      const angle = Math.atan2(2 * part * dy, dx);
      frames.push({ transform: `${at(from.x + dx * part - length, from.y + dy * part * part)} rotate(${angle}rad)`, opacity: 1 - 0.4 * k / SPARK_POINTS });
    }
    this.root.append(spark);
    spark.animate(frames, { duration: SPARK_MS, delay }).finished.then(() => spark.remove(), () => spark.remove());
  }

  clear() { this.root.textContent = ''; }
}
