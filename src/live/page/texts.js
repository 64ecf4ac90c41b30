// What token ids say, and how a chip shows it.

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

export class Texts {
  constructor() {
    this.text = new Map();
    this.raw = new Map();
    this.special = new Set();
    this.encoded = new Map();  // texts as bytes, once asked for
  }

  /** @param {{texts?: Object<string, string>, bytes?: Object<string, number[]>, special?: number[]}} from */
  add(from) {
    for (const [id, text] of Object.entries(from.texts ?? {})) { this.text.set(+id, text); this.encoded.delete(+id); }
    for (const [id, bytes] of Object.entries(from.bytes ?? {})) this.raw.set(+id, Uint8Array.from(bytes));
    for (const id of from.special ?? []) this.special.add(id);
  }

  toJson() {
    return {
      texts: Object.fromEntries(this.text),
      bytes: Object.fromEntries([...this.raw].map(([id, b]) => [id, [...b]])),
      special: [...this.special],
    };
  }

  get known() { return this.text.size + this.raw.size > 0; }

  bytesOf(id) {
    let bytes = this.raw.get(id) ?? this.encoded.get(id);
    if (!bytes) this.encoded.set(id, bytes = encoder.encode(this.text.get(id) ?? ''));
    return bytes;
  }

  /** The bytes of several tokens as text; what is no character becomes U+FFFD. */
  join(ids) {
    return new TextDecoder().decode(this.joinBytes(ids));
  }

  joinBytes(ids) {
    const parts = ids.filter((id) => !this.special.has(id)).map((id) => this.bytesOf(id));
    const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;
    for (const p of parts) { all.set(p, at); at += p.length; }
    return all;
  }

  /** What a chip shows: white space made visible, bytes in hexadecimal. */
  label(id) {
    const text = this.text.get(id);
    if (text !== undefined) return { text: text || '∅', raw: false };
    const raw = this.raw.get(id);
    if (raw) return { text: [...raw].map((b) => b.toString(16).padStart(2, '0').toUpperCase()).join(' '), raw: true };
    return { text: id < 0 ? '·' : '', raw: true };
  }
}

/** Splits released output text: whole characters so far, and the bytes that wait. */
export function splitOutput(texts, ids, released, held) {
  let bytes = texts.joinBytes(ids);
  // SentencePiece drops the space before the first word.
  if (bytes.length && bytes[0] === 0x20 && bytes.length > released + held && bytes.length === released + held + 1) bytes = bytes.subarray(1);
  let end = Math.min(released, bytes.length);
  let text = '';
  for (let back = 0; back < 4 && end >= 0; ++back, --end) {
    try { text = decoder.decode(bytes.subarray(0, end)); break; } catch { text = ''; }
  }
  if (!text && released) text = new TextDecoder().decode(bytes.subarray(0, released));
  return { text, waiting: held ? bytes.subarray(released, released + held) : new Uint8Array(0) };
}
