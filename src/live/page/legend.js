// What the signs of the two pictures mean.

import { $, el, svg } from './elements.js';
import { say } from './words.js';

/** In the language of the page. */
export function legends() {
  const put = (id, items) => {
    const root = $(id);
    root.textContent = '';
    for (const [shape, word] of items) {
      root.append(el('span', {}, svg('svg', { viewBox: '0 0 14 14' }, ...shape.map(([tag, attributes]) => svg(tag, attributes))), say(word)));
    }
  };
  const ink = { fill: 'currentColor' };
  const line = { stroke: 'currentColor', 'stroke-width': 1.4, fill: 'none' };
  put('blocks-legend', [
    [[['rect', { ...ink, x: 1, y: 1, width: 5, height: 5 }], ['rect', { ...ink, x: 8, y: 1, width: 5, height: 5 }], ['rect', { ...ink, x: 1, y: 8, width: 5, height: 5 }]], 'legendFilled'],
    [[['rect', { x: 1, y: 1, width: 12, height: 12, fill: 'oklch(var(--chip-l) var(--chip-c) 230)', opacity: 0.4 }]], 'legendHeld'],
    [[['path', { ...line, d: 'M1 13L13 1M1 7L7 1M7 13L13 7' }]], 'legendShared'],
    [[['rect', { ...ink, x: 1, y: 1, width: 12, height: 12, opacity: 0.4 }]], 'legendGhost'],
    [[['rect', { ...line, x: 1.5, y: 1.5, width: 11, height: 11, stroke: 'var(--alarm)' }]], 'legendEvicted'],
  ]);
  put('plan-legend', [
    [[['rect', { ...ink, x: 0, y: 3, width: 14, height: 8 }]], 'legendPrefill'],
    [[['circle', { ...ink, cx: 7, cy: 7, r: 3 }]], 'legendDecode'],
    [[['path', { ...line, 'stroke-dasharray': '2 2', d: 'M0 7H14' }]], 'legendWait'],
    [[['path', { fill: 'var(--alarm)', d: 'M2 2H12L7 12Z' }]], 'legendPreempt'],
    [[['path', { ...line, d: 'M3 13V2L11 5L3 8' }]], 'legendEnd'],
    [[['rect', { fill: 'var(--brass)', x: 1, y: 5, width: 12, height: 8 }]], 'legendBudget'],
  ]);
}
