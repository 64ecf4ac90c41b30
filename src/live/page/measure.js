// What a run was worth, from the log alone: the same reducer that the page draws from, run once more.

import { Kind } from './events.js';
import { apply, filledSlots, initialState, quantile } from './state.js';

/**
 * @typedef {Object} Run
 * @property {number} techniques bits of those that were on
 * @property {number} requests that ended
 * @property {number} steps
 * @property {number} us the engine's time
 * @property {number} generated tokens
 * @property {number} computed tokens
 * @property {number} rate tokens a second
 * @property {number} ttft µs, median
 * @property {number} itl µs between two tokens, median
 * @property {number} gap µs, the longest
 * @property {number} atOnce requests that run, mean of the steps
 * @property {number} filled per cent of the slots of used blocks that hold a token
 * @property {string} answers prompts and the tokens that came; '' where they are hidden
 */

/**
 * Of a run that begins with an empty pool and ends when nothing runs.
 * @param {import('./events.js').EventList} events
 * @param {number} from its first event: the record of techniques, or that of the engine's start
 * @param {Object} settings of the engine
 * @returns {Run}
 */
export function measure(events, from, settings) {
  const s = initialState(settings);
  const clocks = new Map();  // by request: when its last token came, or it itself
  const ttft = [];
  const gaps = [];
  const answers = new Map();
  const run = { requests: 0, steps: 0, generated: 0, computed: 0 };
  let running = 0;
  let held = 0;
  let filled = 0;
  const every = Math.ceil(s.numBlocks / 512);  // steps between two looks at a large pool
  for (let i = from; i < events.length; ++i) {
    const kind = events.kind(i);
    const id = events.request(i);
    const drawn = kind === Kind.stepTimed ? s.drawn : [];
    apply(s, events, i);
    if (kind === Kind.arrived) {
      clocks.set(id, { us: s.clockUs, tokens: 0 });
    } else if (kind === Kind.chunk) {
      run.computed += events.value(i, 1);
    } else if (kind === Kind.stepPlanned) {
      ++run.steps;
      running += events.value(i, 2);
      if (run.steps % every === 0) {
        const slots = filledSlots(s);
        for (let b = 0; b < s.numBlocks; ++b) if (s.users[b]) { held += s.blockSize; filled += slots[b]; }
      }
    } else if (kind === Kind.stepTimed) {
      for (const request of drawn) {
        const clock = clocks.get(request);
        if (!clock) continue;
        (clock.tokens++ ? gaps : ttft).push(s.clockUs - clock.us);
        clock.us = s.clockUs;
      }
      run.generated += drawn.length;
    } else if (kind === Kind.finished) {
      ++run.requests;
      const r = s.requests.get(id);
      answers.set(JSON.stringify(r.prompt), r.output.slice());
    }
  }
  const hidden = [...answers.values()].some((ids) => ids.includes(-1));
  return {
    ...run, techniques: s.techniques, us: s.clockUs,
    rate: (run.generated / s.clockUs) * 1e6, ttft: quantile(ttft, 0.5), itl: quantile(gaps, 0.5), gap: quantile(gaps, 1),
    atOnce: running / run.steps, filled: (filled / held) * 100,
    answers: hidden ? '' : JSON.stringify([...answers].sort((a, b) => (a[0] < b[0] ? -1 : 1))),
  };
}

/** What each technique is measured by; the scene that shows it, and whether less is better. */
export const WORTH = {
  paging: { scene: 'sceneMany', measures: ['atOnce', 'filled', 'rate'] },
  kv_cache: { scene: 'sceneOne', measures: ['computed', 'itl', 'rate'] },
  prefix_cache: { scene: 'sceneShared', measures: ['computed', 'ttft', 'us'] },
  continuous_batching: { scene: 'sceneLong', measures: ['ttft', 'atOnce', 'rate'] },
  chunked_prefill: { scene: 'sceneLong', measures: ['gap', 'us'] },
};
const MORE_IS_BETTER = ['atOnce', 'filled', 'rate'];

/** How many times better with the technique. */
export function ratio(measure, off, on) { return MORE_IS_BETTER.includes(measure) ? on / off : off / on; }

/** The middle of several runs, measure by measure. @param {Run[]} runs @param {string} measure */
export function middle(runs, measure) { return quantile(runs.map((r) => r[measure]), 0.5); }
