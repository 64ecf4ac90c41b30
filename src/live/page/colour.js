// One hue per request, of equal lightness, and a pattern as a second channel.

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
