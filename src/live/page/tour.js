// The tour: a story beside a recording that plays.

import { $ } from './elements.js';
import { STORY } from './story.js';
import { currentLanguage, say } from './words.js';


export class Tour {
  /** @param {(chapter: string, pace: number) => void} play @param {() => void} onEnd */
  constructor(play, onEnd) {
    this.play = play;
    this.onEnd = onEnd;
    this.at = -1;
    $('tour-next').addEventListener('click', () => this.go(this.at + 1));
    $('tour-back').addEventListener('click', () => this.go(this.at - 1));
    $('tour-close').addEventListener('click', () => this.end());
  }

  get running() { return this.at >= 0; }

  start() { this.go(0); }

  go(to) {
    if (to >= STORY.length) { this.end(); return; }
    this.at = Math.max(0, to);
    $('tour').hidden = false;
    const beat = STORY[this.at];
    document.body.dataset.spot = '';
    for (const e of document.querySelectorAll('[data-lit]')) e.removeAttribute('data-lit');
    for (const id of beat.lit) $(id).dataset.lit = '';
    this.words();
    const before = STORY[to - 1];
    // The same stretch goes on playing while its story goes on.
    if (!before || before.at !== beat.at || before.chapter !== beat.chapter || beat.at === 'one') this.play(beat.at, beat.pace);
    this.reveal($(beat.lit[0]));
  }

  /** Scrolls so that what is told of stands below the words, which stay at the top. */
  reveal(what) {
    const words = $('tour').getBoundingClientRect().height;
    const place = what.getBoundingClientRect();
    if (place.top > words && place.bottom < innerHeight - 60) return;
    const top = scrollY + place.top - words - 12;
    scrollTo({ top: Math.max(0, top), behavior: 'smooth' });
  }

  words() {
    if (!this.running) return;
    const beat = STORY[this.at];
    $('tour-chapter').textContent = `${beat.chapter + 1}. ${say('chapters')[beat.chapter]}`;
    $('tour-story').textContent = currentLanguage() === 'zh' ? beat.zh : beat.en;
    $('tour-dots').textContent = '';
    STORY.forEach((_, k) => {
      const dot = document.createElement('i');
      dot.toggleAttribute('data-here', k === this.at);
      $('tour-dots').append(dot);
    });
    $('tour-back').disabled = this.at === 0;
    $('tour-next').textContent = say(this.at === STORY.length - 1 ? 'finish' : 'next');
  }

  end() {
    this.at = -1;
    $('tour').hidden = true;
    delete document.body.dataset.spot;
    for (const e of document.querySelectorAll('[data-lit]')) e.removeAttribute('data-lit');
    this.onEnd();
  }
}
