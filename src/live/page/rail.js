// The prompt rail: real requests to the server behind this page.

import { say } from './words.js';
import { $, el, svg } from './elements.js';

const STORY = 'Once upon a time, in a village by the sea, there lived an old fisherman. He had many friends, and every evening they sat by the fire. The wind blew, and the rain fell on the roof. One evening the fisherman told them about a ';
const HEROES = ['king', 'fox', 'farmer', 'robot', 'dragon', 'duck'];
const FILLER = 'In the forest there stood a small house, and in the house there lived an old woman with her cat, her hen and her three sons. ';

const ICONS = {
  sceneOne: [[2, 5, 22, 4]],
  sceneShared: [[2, 5, 10, 4], [14, 0, 10, 3], [14, 5, 10, 3], [14, 10, 10, 3]],
  sceneMany: [[2, 0, 5, 3], [9, 0, 5, 3], [16, 0, 5, 3], [2, 5, 5, 3], [9, 5, 5, 3], [16, 5, 5, 3], [2, 10, 5, 3], [9, 10, 5, 3], [16, 10, 5, 3]],
  sceneLong: [[2, 0, 6, 3], [10, 0, 6, 3], [2, 5, 22, 4], [2, 11, 6, 3], [10, 11, 6, 3]],
};

export class Rail {
  /** @param {import('./source.js').Source} source whose API key is used */
  constructor(source, onSend) {
    this.source = source;
    this.onSend = onSend;
    this.onScene = (name) => this.send(this.scene(name));
    this.served = false;
    this.model = null;
    this.settings = { numBlocks: 0, blockSize: 16, maxModelLen: 512 };
    this.note = $('rail-note');
    $('prompt-form').addEventListener('submit', (e) => {
      e.preventDefault();
      const text = $('prompt').value;
      if (text) this.send([{ prompt: text, max_tokens: 64, temperature: 0.7, top_k: 40, top_p: 0.95 }]);
    });
    const scenes = $('scenes');
    for (const name of Object.keys(ICONS)) {
      const button = el('button', { type: 'button' });
      const icon = svg('svg', { viewBox: '0 0 26 14' }, ...ICONS[name].map(([x, y, width, height]) => svg('rect', { x, y, width, height, rx: 1.2 })));
      const label = el('span');
      label.dataset.w = name;
      button.append(icon, label);
      button.dataset.scene = name;
      button.addEventListener('click', () => this.onScene(name));
      scenes.append(button);
    }
  }

  /**
   * The requests of a scene, each with the milliseconds after which it is sent; the same ones, with
   * the same answers, each time. Many prompts go as one list: a browser opens six connections to a
   * server, and one of them is the stream.
   */
  scene(name) { return this.requestsOf(name).map((request) => ({ ...request, seed: 7 })); }

  requestsOf(name) {
    const { numBlocks, blockSize, maxModelLen } = this.settings;
    const room = maxModelLen || 512;
    if (name === 'sceneOne') return [{ prompt: 'The future of AI is', max_tokens: 32, temperature: 0.7, top_p: 0.95, top_k: 12 }];
    if (name === 'sceneShared') {
      const like = { max_tokens: 40, temperature: 0.7, top_p: 0.9 };
      const prompts = HEROES.map((h) => STORY + h);
      return [{ ...like, prompt: prompts.slice(0, 1) }, { ...like, prompt: prompts.slice(1, 4), wait: 60 }, { ...like, prompt: prompts.slice(4), wait: 120 }];
    }
    if (name === 'sceneMany') {
      // A third more than the pool holds, however large it is, as far as 320 requests can ask for it.
      const slots = numBlocks * blockSize;
      const each = Math.max(64, Math.min(room - 48, Math.ceil((1.3 * slots) / 320)));
      const count = Math.max(8, Math.min(320, Math.ceil((1.3 * slots) / (each + 30))));
      const prompts = Array.from({ length: count }, (_, k) => `Once upon a time, in land number ${k + 1}, there lived a ${HEROES[k % HEROES.length]} who wanted to see the sea. One day`);
      return [{ prompt: prompts, max_tokens: each, temperature: 0.7, top_p: 0.95, ignore_eos: true }];
    }
    const long = FILLER.repeat(40).slice(0, Math.floor(room * 2.4));
    return [
      { prompt: HEROES.slice(0, 3).map((h) => `Once upon a time a ${h} lived near the forest.`), max_tokens: 96, temperature: 0.7, top_p: 0.95, ignore_eos: true },
      { prompt: HEROES.slice(3).map((h) => `Once upon a time a ${h} lived near the forest.`), max_tokens: 96, temperature: 0.7, top_p: 0.95, ignore_eos: true, wait: 9 },
      { prompt: long, max_tokens: 24, temperature: 0.7, wait: 25 },
    ];
  }

  async modelName() {
    if (this.model === null) {
      const response = await fetch('v1/models', { headers: this.source.headers() });
      if (!response.ok) throw await failure(response);
      this.model = (await response.json()).data[0].id;
    }
    return this.model;
  }

  /** @returns {Promise<number>} how many were sent and answered; 0 if any was not */
  async send(requests) {
    if (!this.served) { this.say(say('notServed'), true); return 0; }
    try {
      const model = await this.modelName();
      const count = requests.reduce((n, r) => n + (Array.isArray(r.prompt) ? r.prompt.length : 1), 0);
      this.say(count === 1 ? say('sentOne') : say('sent', count));
      this.onSend(count);
      const results = await Promise.allSettled(requests.map((r) => this.one(model, r)));
      const failed = results.find((r) => r.status === 'rejected');
      this.say(failed ? failed.reason.message : '', Boolean(failed));
      return failed ? 0 : count;
    } catch (error) {
      this.say(error.message, true);
      return 0;
    }
  }

  async one(model, { wait = 0, ...body }) {
    if (wait) await new Promise((done) => setTimeout(done, wait));
    const response = await fetch('v1/completions', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...this.source.headers() },
      body: JSON.stringify({ model, ...body }),
    });
    if (!response.ok) throw await failure(response);
    await response.arrayBuffer();  // what it says is seen in the loop
  }

  say(text, bad = false) {
    this.note.textContent = text;
    this.note.toggleAttribute('data-bad', bad);
  }
}

export async function failure(response) {
  let message = response.statusText;
  try { message = (await response.json()).error.message; } catch { /* no JSON */ }
  const error = new Error(say('sendFailed', response.status, message));
  error.status = response.status;
  return error;
}
