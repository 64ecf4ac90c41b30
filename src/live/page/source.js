// The stream of a running engine. Read with fetch, so that an API key can be sent; goes on where it
// ended when the connection comes back.

import { FrameReader } from './events.js';

/**
 * @typedef {Object} Listener
 * @property {(hello: Object, resumed: boolean) => void} hello
 * @property {(texts: Object) => void} texts
 * @property {(records: Uint8Array, kind: string) => void} events 'E', or 'S' and 's': a snapshot
 * @property {(leftOut: number) => void} behind
 * @property {(connected: boolean, status: number) => void} connected
 */

export class Source {
  /** @param {Listener} listener */
  constructor(listener) {
    this.listener = listener;
    this.key = '';
    this.next = -1;
    this.epoch = '';
    this.focus = 0;
    this.stopped = false;
    this.controller = null;
  }

  headers() { return this.key ? { Authorization: `Bearer ${this.key}` } : {}; }

  async run() {
    for (let pause = 500; !this.stopped; pause = Math.min(pause * 2, 8000)) {
      let status = 0;
      try {
        status = await this.once(() => { pause = 500; });
      } catch { /* the connection broke: below */ }
      if (this.stopped) return;
      this.listener.connected(false, status);
      if (status === 404 || status === 401) return;
      await new Promise((done) => setTimeout(done, this.restart ? 0 : pause));
      this.restart = false;
    }
  }

  async once(onOpen) {
    const query = new URLSearchParams();
    if (this.next >= 0) { query.set('from', this.next); query.set('epoch', this.epoch); }
    if (this.focus) query.set('focus', this.focus);
    this.controller = new AbortController();
    const response = await fetch(`live/events?${query}`, { headers: this.headers(), signal: this.controller.signal, cache: 'no-store' });
    if (!response.ok || !response.body) return response.status;
    onOpen();
    this.listener.connected(true, response.status);
    const reader = response.body.getReader();
    const frames = new FrameReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return response.status;
      for (const frame of frames.push(value)) this.take(frame);
    }
  }

  take({ kind, body }) {
    const json = () => JSON.parse(new TextDecoder().decode(body));
    if (kind === 'H') {
      const hello = json();
      const resumed = hello.epoch === this.epoch && hello.resumed === true;
      this.epoch = hello.epoch;
      this.listener.hello(hello, resumed);
    } else if (kind === 'T') {
      this.listener.texts(json());
    } else if (kind === 'B') {
      this.listener.behind(json().left_out);
    } else if (kind === 'S' || kind === 's' || kind === 'E') {
      const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
      this.next = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
      this.listener.events(body.subarray(16), kind);
    }
  }

  /** Asks for the candidates of another request. */
  setFocus(request) {
    if (request === this.focus) return;
    this.focus = request;
    this.reconnect();
  }

  reconnect() {
    this.restart = true;
    this.controller?.abort();
  }
}
