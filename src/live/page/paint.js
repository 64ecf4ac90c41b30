// Colours, one hue a request with a pattern as a second channel; and what the pictures share.

/** By golden steps around the circle, without the arc of the brass, which means chosen. @param {number} id */
export function hueOf(id) { return (110 + ((id * 0.381966) % 1) * 310) % 360; }

/** 0 … 3: which way a request's stripes run, what shape its dots have. */
export function patternOf(id) { return id & 3; }

let css = null;
let cache = new Map();

/** Forgets what was read from the style sheet: the theme has changed. */
export function resetColours() { css = null; cache = new Map(); }

/** A colour of the theme, by the name of its custom property. */
export function themeColour(name) {
  if (!css) css = getComputedStyle(document.documentElement);
  if (!cache.has(name)) cache.set(name, css.getPropertyValue(name).trim());
  return cache.get(name);
}

let family = '';

/** The page's own, as canvases want it. Asking for it computes the styles of the whole page: it is asked for once. */
export function font(px, weight = 400) {
  if (!family) family = getComputedStyle(document.body).fontFamily;
  return `${weight} ${px}px ${family}`;
}

/** The colour of a request. */
export function colourOf(id, alpha = 1) {
  const key = id * 32 + Math.round(alpha * 31);
  let colour = cache.get(key);
  if (!colour) {
    colour = `oklch(${themeColour('--chip-l')} ${themeColour('--chip-c')} ${hueOf(id).toFixed(1)} / ${alpha})`;
    if (cache.size > 8192) cache.clear();
    cache.set(key, colour);
  }
  return colour;
}

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

/**
 * Fits the canvas to its place on the page.
 * @param {boolean} [keep] what was drawn, where its size is the same
 * @returns {{g: CanvasRenderingContext2D, width: number, height: number, ratio: number, kept: boolean}}
 */
export function prepare(canvas, keep = false) {
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  const { width, height } = sizeOf(canvas);
  const w = Math.round(width * ratio);
  const h = Math.round(height * ratio);
  const kept = keep && canvas.width === w && canvas.height === h;
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const g = canvas.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (!kept) g.clearRect(0, 0, width, height);
  return { g, width, height, ratio, kept };
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
