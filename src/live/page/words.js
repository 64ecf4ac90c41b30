// What the page says, in two languages. {0} stands for a value.

const en = {
  language: '中文', languageTitle: '切换到中文', themeTitle: 'Paper or dark', tour: 'Tour', close: 'Close',
  back: '← Back', next: 'Next →', finish: 'Finish', send: 'Send', keysTitle: 'Keys', keyTitle: 'API key',
  railTitle: 'Send a prompt', promptHint: 'Type a prompt, and watch it go round',
  sceneOne: 'One request', sceneShared: 'One shared prefix', sceneMany: 'More than memory', sceneLong: 'Long among short',
  sent: 'Sent {0} requests.', sentOne: 'Sent.', sendFailed: 'The server answered {0}: {1}',
  notServed: 'This is a recording: there is no engine behind this page to send a prompt to.',
  loopTitle: 'The loop from text to text', tokenizer: 'Tokenizer', model: 'Model', sampler: 'Sampler', detokenizer: 'DeTokenizer',
  tokenizerIdle: 'text becomes numbers', modelIdle: 'from all so far, the odds of what comes next', samplerIdle: 'one draw by those odds',
  detokenizerIdle: 'numbers become text',
  pieces: '{0} bytes → {1} tokens', piecesIds: '{0} tokens', prefill: 'prefill · {0} tokens at once', decode: 'decode · token {0}', again: 'all {0} tokens again', contextNone: 'nothing is kept: the next token needs all of these again',
  chunkOf: 'prefill · tokens {0}–{1} of {2}', took: ' · {0} ms', context: 'in the KV cache: {0} tokens, {1} of them found there', contextPlain: 'in the KV cache: {0} tokens',
  greedy: 'greedy: the most probable', drawnWith: 'the lot fell on {0}', masks: 'masks', among: 'among {0} candidates',
  nextToken: 'the next token, until the end',
  heldUtf8: 'held back: not yet a character', heldStop: 'held back: may begin a stop string',
  out: 'tokens out: {0}', ended_stop: 'ended: the model chose to stop', ended_length: 'ended: max_tokens reached', ended_aborted: 'ended: client gone', ended_error: 'ended: error',
  noDetail: 'many run at once: candidates are logged for the request in focus',
  memory: 'KV blocks', memoryCaption: '{0} of {1} used · {2} cached · {3} free', tree: 'Prefix tree', treeEmpty: 'No prefix is cached yet.',
  legendFilled: 'slots filled', legendShared: 'shared', legendHeld: 'held, not filled', legendGhost: 'cached, free: fades as its eviction nears', legendEvicted: 'evicted just now',
  each: 'each cell is {0} blocks',
  scheduler: 'Scheduler', plan: 'step {0} · {1} of {2} tokens', planFree: 'step {0} · {1} tokens', moreRows: '{0} more requests',
  legendPrefill: 'prefill, as wide as its tokens', legendDecode: 'decode', legendWait: 'waits', legendPreempt: 'preempted', legendEnd: 'ends', legendBudget: "the step's token budget",
  vitals: 'Vitals', queue: 'Running · waiting', ttft: 'Time to first token', itl: 'Between tokens', rate: 'Tokens per second', use: 'KV in use', hits: 'Prefix hits', split: "Where a step's time goes",
  splitParts: ['schedule', 'model', 'sample', 'rest'], p99: '99 %: {0}', ofTokens: '{0} of {1} prompt tokens', ofBlocks: '{0} of {1} blocks', preempted: '{0} preemptions', soFar: '{0} in all', median: 'median of {0}',
  pauseTitle: 'Pause the view, never the engine (space)', stepBackTitle: 'Back (←)', stepTitle: 'On (→)', unitTitle: 'Step by', byToken: 'token', byStep: 'step', byRequest: 'request',
  speedTitle: 'Speed', scrubTitle: 'Time', toLive: 'To live', bookmarkTitle: 'Bookmark (b)', record: '● Record', save: 'Save', share: 'Share', open: 'Open', recording: '● {0}',
  live: 'live', liveIdle: 'live · idle', replay: 'a recording, not live', replayIdle: 'the engine is idle: a recording plays', paused: 'paused', behind: 'behind: {0} events left out', lag: 'behind live by {0} steps', lost: 'no connection',
  dropHere: 'Drop a recording to replay it', badFile: 'Cannot open {0}: {1}', opened: '{0}: {1} events', speedFull: 'full', speedOf: '1/{0}', speedPace: '{0} steps/s',
  request: 'Request {0}', tokensOf: '{0} prompt + {1} output tokens', block: 'Block {0}', blockUse: '{0} of {1} slots filled', users: 'shared by {0}', cachedBlock: 'content can be found by others', ghost: 'free; its content stays until it is evicted (place {0} of {1})', freeBlock: 'free', table: 'block table: {0}', holds: 'holds tokens {0}–{1}',
  why_token_budget: "waits: the step's tokens are all given out", why_sequences: 'waits: max_num_seqs requests are running', why_blocks: 'waits: needs {0} blocks, {1} are free', why_prefix_pending: 'waits: request {2} is computing its prefix', why_batch_running: 'waits: the running batch must end first', why_behind_others: 'waits: not its turn', why_preempted: 'preempted: its blocks went to request {2}', why_stalled: 'stalled: needs {0} blocks, {1} are free', why_invalid: 'refused: invalid', why_too_long: 'refused: {0} tokens, at most {1}', why_never_fits: 'refused: needs {0} blocks, there are {1}',
  because_cheapest: 'cheapest to recompute: {0} tokens', because_only_shares: 'frees no block, but its shares stood in the way',
  key_space: 'pause and go on', key_arrows: 'step back, step on', key_live: 'to the end, to live', key_b: 'bookmark', key_t: 'tour', key_d: 'paper or dark', key_l: 'language', key_focus: 'next request in focus', key_esc: 'focus by itself', key_s: 'save', key_slash: 'type a prompt',
  techniques: 'Techniques', paging: 'Paging', kv_cache: 'KV cache', prefix_cache: 'Prefix cache', continuous_batching: 'Continuous batching', chunked_prefill: 'Chunked prefill',
  about_paging: 'Memory is given in blocks, as tokens come. Off: room for the longest answer is kept for each request from its start.', about_kv_cache: 'Keys and values are kept. Off: the whole text so far is computed again for each token.', about_prefix_cache: 'What begins alike is computed once. Off: each request computes its whole prompt.', about_continuous_batching: 'Requests join and leave at each step. Off: a batch ends before the next begins.', about_chunked_prefill: 'A long prompt is taken in pieces, beside the others. Off: it is computed in one step, and the others wait for that.',
  without: 'without {0}', allOn: 'all techniques on', and: ' and ', needsFirst: 'Needs {0}.', cannotSwitch: 'The engine cannot switch it: {0}', switchesOff: 'To switch them here, the server has to be started with --live-switches.',
  compareHint: '⇄ runs the same requests without it and with it.', compareTitle: '{0}: run “{1}” without it and with it, and compare', disturbed: 'Other requests ran beside these, or the view lost events: not measured.',
  worth: '{0}: what it is worth', worthOnce: '{0} · once without it, once with it', worthRuns: '{0} · medians of {1} runs without it, {2} with it', off: 'off', on: 'on', better: 'better', sameAnswers: 'The answers are the same, token for token.', otherAnswers: 'The answers differ: this should not be.', smallSample: "By the engine's own clock. A small sample: times vary from run to run (⇄ adds one), counts do not.",
  flat_paging: 'Hardly a difference here: the pool has room for every request at its longest. Fewer blocks (--num-kv-blocks) show it.', flat_kv_cache: 'Hardly a difference here: the text is too short.', flat_prefix_cache: 'Hardly a difference here: too little is shared.', flat_continuous_batching: 'Hardly a difference here: the requests came at once, or one by one.', flat_chunked_prefill: 'Hardly a difference here: the longest prompt fits into one step. Smaller steps (--max-num-batched-tokens) show it.',
  m_rate: 'Tokens per second', m_ttft: 'Time to first token, median', m_itl: 'Between tokens, median', m_gap: 'Longest wait for a next token', m_atOnce: 'Requests at once, mean', m_filled: 'KV memory filled, of what is held', m_computed: 'Tokens computed', m_us: 'Until all are done',
  chapters: ['The pipeline', 'Memory', 'Computing', 'Scheduling'],
};

const zh = {
  language: 'English', languageTitle: 'Switch to English', themeTitle: '纸色或深色', tour: '导览', close: '关闭',
  back: '← 上一步', next: '下一步 →', finish: '结束', send: '发送', keysTitle: '快捷键', keyTitle: 'API 密钥',
  railTitle: '发送提示词', promptHint: '输入一句话，看它转一圈',
  sceneOne: '一个请求', sceneShared: '共享前缀', sceneMany: '超过内存', sceneLong: '长短混跑',
  sent: '已发送 {0} 个请求。', sentOne: '已发送。', sendFailed: '服务器回答 {0}：{1}',
  notServed: '这是一段录像：本页背后没有引擎可以接收提示词。',
  loopTitle: '从文本到文本的循环', tokenizer: 'Tokenizer 分词', model: 'Model 模型', sampler: 'Sampler 采样', detokenizer: 'DeTokenizer 还原',
  tokenizerIdle: '文字变成数字', modelIdle: '根据已有的一切，给出下一个词的可能性', samplerIdle: '按可能性抽一次签', detokenizerIdle: '数字变回文字',
  pieces: '{0} 字节 → {1} 个 token', piecesIds: '{0} 个 token', prefill: '预填充 · 一次 {0} 个 token', decode: '解码 · 第 {0} 个 token', again: '全部 {0} 个 token 重算一遍', contextNone: '什么也没留：下一个 token 要把这些全部重算',
  chunkOf: '预填充 · 第 {0}–{1} 个，共 {2} 个', took: ' · {0} 毫秒', context: 'KV 缓存中有 {0} 个 token，其中 {1} 个本来就在', contextPlain: 'KV 缓存中有 {0} 个 token',
  greedy: '贪心：取可能性最大的', drawnWith: '签落在 {0}', masks: '掩码', among: '共 {0} 个候选',
  nextToken: '下一个 token，直到结束',
  heldUtf8: '暂存：还不是一个完整的字', heldStop: '暂存：可能是停止串的开头',
  out: '已输出 {0} 个 token', ended_stop: '结束：模型选择停止', ended_length: '结束：到达 max_tokens', ended_aborted: '结束：客户端离开', ended_error: '结束：出错',
  noDetail: '同时运行的请求很多：只记录所关注请求的候选',
  memory: 'KV 块', memoryCaption: '共 {1} 块，使用 {0} · 缓存 {2} · 空闲 {3}', tree: '前缀树', treeEmpty: '还没有缓存任何前缀。',
  legendFilled: '已填的槽位', legendShared: '共享', legendHeld: '占着，未填', legendGhost: '已缓存且空闲：越临近淘汰越淡', legendEvicted: '刚被淘汰',
  each: '每格代表 {0} 块',
  scheduler: '调度器', plan: '第 {0} 步 · {1} / {2} 个 token', planFree: '第 {0} 步 · {1} 个 token', moreRows: '另有 {0} 个请求',
  legendPrefill: '预填充，宽度即 token 数', legendDecode: '解码', legendWait: '等待', legendPreempt: '被抢占', legendEnd: '结束', legendBudget: '这一步的 token 预算',
  vitals: '指标', queue: '运行 · 等待', ttft: '首 token 延迟', itl: 'token 间隔', rate: '每秒 token 数', use: 'KV 使用率', hits: '前缀命中', split: '一步的时间花在哪里',
  splitParts: ['调度', '模型', '采样', '其余'], p99: '99 %：{0}', ofTokens: '{1} 个提示 token 中的 {0} 个', ofBlocks: '{1} 块中的 {0} 块', preempted: '抢占 {0} 次', soFar: '共 {0} 个', median: '{0} 次的中位数',
  pauseTitle: '暂停画面，引擎不停（空格）', stepBackTitle: '后退（←）', stepTitle: '前进（→）', unitTitle: '步进单位', byToken: '按 token', byStep: '按步', byRequest: '按请求',
  speedTitle: '速度', scrubTitle: '时间', toLive: '回到实时', bookmarkTitle: '书签（b）', record: '● 录制', save: '保存', share: '分享', open: '打开', recording: '● {0}',
  live: '实时', liveIdle: '实时 · 空闲', replay: '录像，非实时', replayIdle: '引擎空闲：正在播放录像', paused: '已暂停', behind: '落后：略去 {0} 个事件', lag: '落后实时 {0} 步', lost: '连接已断开',
  dropHere: '松手即可回放这段录像', badFile: '无法打开 {0}：{1}', opened: '{0}：{1} 个事件', speedFull: '全速', speedOf: '1/{0}', speedPace: '每秒 {0} 步',
  request: '请求 {0}', tokensOf: '{0} 个提示 + {1} 个输出 token', block: '块 {0}', blockUse: '{1} 个槽位中填了 {0} 个', users: '由 {0} 个请求共享', cachedBlock: '内容可被他人找到', ghost: '空闲；内容保留到被淘汰（第 {0} 位，共 {1} 位）', freeBlock: '空闲', table: '块表：{0}', holds: '存放第 {0}–{1} 个 token',
  why_token_budget: '等待：这一步的 token 已分完', why_sequences: '等待：已有 max_num_seqs 个请求在运行', why_blocks: '等待：需要 {0} 块，空闲 {1} 块', why_prefix_pending: '等待：请求 {2} 正在计算它的前缀', why_batch_running: '等待：当前批次必须先结束', why_behind_others: '等待：还没轮到', why_preempted: '被抢占：它的块让给了请求 {2}', why_stalled: '停顿：需要 {0} 块，空闲 {1} 块', why_invalid: '被拒：无效', why_too_long: '被拒：{0} 个 token，至多 {1} 个', why_never_fits: '被拒：需要 {0} 块，总共 {1} 块',
  because_cheapest: '重算代价最小：{0} 个 token', because_only_shares: '不释放块，但它的共享挡住了路',
  key_space: '暂停与继续', key_arrows: '后退、前进一步', key_live: '到末尾、回到实时', key_b: '书签', key_t: '导览', key_d: '纸色或深色', key_l: '语言', key_focus: '关注下一个请求', key_esc: '自动选择关注', key_s: '保存', key_slash: '输入提示词',
  techniques: '技术开关', paging: '分页', kv_cache: 'KV 缓存', prefix_cache: '前缀缓存', continuous_batching: '连续批处理', chunked_prefill: '分块预填充',
  about_paging: '内存按块给，来一个 token 用一格。关掉：每个请求一开始就占下最长回答的空间。', about_kv_cache: '键和值都留着。关掉：每个 token 都要把全文重算一遍。', about_prefix_cache: '开头相同的只算一次。关掉：每个请求都要算完整的提示。', about_continuous_batching: '请求在每一步都可以加入和离开。关掉：一批结束，下一批才开始。', about_chunked_prefill: '长提示切成几段，与别人并排前进。关掉：一步算完，别人都得等它。',
  without: '无{0}', allOn: '技术全开', and: '和', needsFirst: '需要先打开{0}。', cannotSwitch: '引擎不能切换它：{0}', switchesOff: '要在这里切换，启动服务器时须加 --live-switches。',
  compareHint: '⇄：同样的请求，不用它和用它各跑一次。', compareTitle: '{0}：不用它和用它各跑一次“{1}”，作比较', disturbed: '有别的请求同时在跑，或画面丢了事件：没有测量。',
  worth: '{0}：值多少', worthOnce: '{0} · 不用它和用它各跑一次', worthRuns: '{0} · 不用它 {1} 次、用它 {2} 次的中位数', off: '关', on: '开', better: '好几倍', sameAnswers: '两次的回答逐个 token 相同。', otherAnswers: '两次的回答不同：这不应该发生。', smallSample: '按引擎自己的时钟。样本很小：时间每次不同（再按 ⇄ 可多跑一次），计数不变。',
  flat_paging: '这里几乎没有差别：内存池够每个请求用到最长。块少一些（--num-kv-blocks）才看得出。', flat_kv_cache: '这里几乎没有差别：文本太短。', flat_prefix_cache: '这里几乎没有差别：共享的太少。', flat_continuous_batching: '这里几乎没有差别：请求同时到来，或一个接一个。', flat_chunked_prefill: '这里几乎没有差别：最长的提示一步就放得下。步子小一些（--max-num-batched-tokens）才看得出。',
  m_rate: '每秒 token 数', m_ttft: '首 token 延迟，中位数', m_itl: 'token 间隔，中位数', m_gap: '等下一个 token 的最长时间', m_atOnce: '同时运行的请求，平均', m_filled: '占用的 KV 内存中已填的', m_computed: '计算的 token 数', m_us: '全部完成的时间',
  chapters: ['流水线', '内存', '计算', '调度'],
};

const LANGUAGES = { en, zh };
let language = 'en';

/** @param {string} key @param {...(string|number)} values */
export function say(key, ...values) {
  const text = LANGUAGES[language][key] ?? en[key] ?? key;
  return Array.isArray(text) ? text : text.replace(/\{(\d)\}/g, (_, k) => values[k] ?? '');
}

/** Every key with its words in both languages: for tests. */
export function words() {
  const keys = new Set([...Object.keys(en), ...Object.keys(zh)]);
  return [...keys].map((key) => [key, en[key], zh[key]]);
}

/** "without paging", '' if nothing is off. @param {string[]} techniques */
export function without(techniques) {
  return techniques.length ? say('without', techniques.map(within).join(language === 'zh' ? '、' : ', ')) : '';
}

/** A name as it stands within a sentence. */
export function within(key) { return say(key).replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase()); }

export function has(key) { return key in en; }
export function currentLanguage() { return language; }

/** Puts the words of a language into the page. */
export function setLanguage(name, root = document) {
  language = name in LANGUAGES ? name : 'en';
  root.documentElement.lang = language;
  for (const e of root.querySelectorAll('[data-w]')) e.textContent = say(e.dataset.w);
  for (const e of root.querySelectorAll('[data-title]')) {
    e.title = say(e.dataset.title);
    if (!e.textContent.trim() || e.textContent.trim().length < 3) e.setAttribute('aria-label', e.title);
  }
  for (const e of root.querySelectorAll('[data-placeholder]')) e.placeholder = say(e.dataset.placeholder);
  for (const e of root.querySelectorAll('[data-label]')) e.setAttribute('aria-label', say(e.dataset.label));
}

const numbers = new Map();
/** A number with three significant digits, or all of a whole number. */
export function figure(value) {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value) || Math.abs(value) >= 100) {
    if (!numbers.has(language)) numbers.set(language, new Intl.NumberFormat(language, { maximumFractionDigits: 0 }));
    return numbers.get(language).format(value);
  }
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function milliseconds(us) {
  if (!Number.isFinite(us)) return '–';
  return us >= 1e6 ? `${figure(us / 1e6)} s` : `${figure(us / 1e3)} ms`;
}
