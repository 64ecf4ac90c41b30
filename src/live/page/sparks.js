// Sparks: a key and a value fly to their slot. One canvas above the page, drawn only while
// something flies.

import { colourOf } from './colour.js';
import { prepare } from './canvas.js';

const FLIGHT_MS = 420;
const MOST = 160;

export class Sparks {
  constructor(canvas) {
    this.canvas = canvas;
    this.list = [];
    this.empty = true;
  }

  add(from, to, request, delay = 0) {
    if (this.list.length < MOST) this.list.push({ from, to, request, start: performance.now() + delay });
  }

  clear() { this.list = []; }

  get moving() { return this.list.length > 0 || !this.empty; }

  draw(now) {
    if (!this.list.length && this.empty) return;
    const { g } = prepare(this.canvas);
    this.empty = this.list.length === 0;
    this.list = this.list.filter((s) => now - s.start < FLIGHT_MS);
    for (const s of this.list) {
      const t = (now - s.start) / FLIGHT_MS;
      if (t < 0) continue;
      const ease = 1 - (1 - t) ** 3;
      const at = (k) => ({
        x: s.from.x + (s.to.x - s.from.x) * k,
        y: s.from.y + (s.to.y - s.from.y) * k * k,
      });
      const tail = at(Math.max(0, ease - 0.16));
      const head = at(ease);
      g.strokeStyle = colourOf(s.request, 0.75 * (1 - t * 0.5));
      g.lineWidth = 1.6;
      g.lineCap = 'round';
      g.beginPath();
      g.moveTo(tail.x, tail.y);
      g.lineTo(head.x, head.y);
      g.stroke();
      g.fillStyle = colourOf(s.request);
      g.beginPath();
      g.arc(head.x, head.y, 2.2, 0, 7);
      g.fill();
    }
  }
}
