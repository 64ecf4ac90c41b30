// What the two canvases share: sharp pixels, tooltips, and patterns.

// Asking for an element's size lays the page out, some 2 ms in the middle of a frame: sizes are kept until they change.
let sizes = new WeakMap();
const resizes = new ResizeObserver((entries) => { for (const e of entries) sizes.delete(e.target); });
addEventListener('resize', () => { sizes = new WeakMap(); });

function sizeOf(canvas) {
  let size = sizes.get(canvas);
  if (!size) {
    size = { width: canvas.clientWidth, height: canvas.clientHeight };
    sizes.set(canvas, size);
    resizes.observe(canvas);
  }
  return size;
}

/** Fits the canvas to its place on the page. @returns {{g: CanvasRenderingContext2D, width: number, height: number}} */
export function prepare(canvas) {
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  const { width, height } = sizeOf(canvas);
  const w = Math.round(width * ratio);
  const h = Math.round(height * ratio);
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const g = canvas.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  return { g, width, height };
}

/** Shows text beside the pointer; empty text hides it. */
export function showTip(text, x, y) {
  const tip = document.getElementById('tip');
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(innerWidth - box.width - 8, x + 14))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18}px`;
}

/** A dot in one of four shapes. */
export function dot(g, shape, x, y, r) {
  if (shape === 0 || r < 1.1) { g.rect(x - r, y - r, 2 * r, 2 * r); return; }
  if (shape === 1) { g.moveTo(x + r, y); g.arc(x, y, r * 1.1, 0, 7); return; }
  if (shape === 2) { g.moveTo(x, y - r * 1.35); g.lineTo(x + r * 1.35, y); g.lineTo(x, y + r * 1.35); g.lineTo(x - r * 1.35, y); g.closePath(); return; }
  g.moveTo(x, y - r * 1.2); g.lineTo(x + r * 1.2, y + r); g.lineTo(x - r * 1.2, y + r); g.closePath();
}
