// The words of the tour. `at`: a chapter of the recording that plays while they are read; `lit`: what
// they are about; `truth`: what of that stands in the state at this moment.

/**
 * @typedef {Object} Beat
 * @property {number} chapter
 * @property {string} at
 * @property {string[]} lit
 * @property {number} pace steps a second
 * @property {string} en
 * @property {string} zh
 */

/** @type {Beat[]} */
export const STORY = [
  { chapter: 0, at: 'one', lit: ['tokenizer'], pace: 1.1,
    en: 'A model knows no words, only numbers. The tokenizer cuts your sentence into pieces that stand in its dictionary, and gives each piece its number.',
    zh: '模型不认识文字，只认识数字。分词器把你的句子切成词表里有的碎片，再给每片一个编号。' },
  { chapter: 0, at: 'one', lit: ['model'], pace: 1.1,
    en: 'The model is a fortune-teller. From everything so far it says, for every word it knows, how likely that word is to come next. The whole prompt goes through at once: the prefill. Afterwards one token at a time: the decodes.',
    zh: '模型像一位占卜师：根据至今的一切，为它认识的每个词说出“下一个是它”的可能。提示词一次通过，叫预填充；之后一次一个，叫解码。' },
  { chapter: 0, at: 'one', lit: ['sampler'], pace: 0.6,
    en: 'The sampler draws lots by those odds. Filters first take out what is too unlikely; then a random number falls, and the word it falls on is the next one.',
    zh: '采样器按这些可能性抽签。先由过滤器去掉太不可能的，再落下一个随机数，落在谁身上，谁就是下一个词。' },
  { chapter: 0, at: 'one', lit: ['detokenizer', 'model'], pace: 1.1,
    en: 'The detokenizer is the way back: numbers become text. And the word drawn goes into the model again. Round and round, until the model says: the end.',
    zh: '还原器走回头路：数字变回文字。抽中的词又回到模型里，一圈又一圈，直到模型说：结束。' },
  { chapter: 1, at: 'many', lit: ['memory'], pace: 5,
    en: 'For every token the model keeps a note, its key and value. Nobody knows beforehand how long an answer will be. Think of a wardrobe: taken and given back all day, until it is full of small gaps, and no room is left for a winter coat.',
    zh: '每个 token 模型都要留一份笔记：键和值。谁也不知道回答会有多长。像一个衣柜，整天取放，最后满是小缝隙，一件冬衣也挂不下。' },
  { chapter: 1, at: 'many', lit: ['memory'], pace: 5,
    en: 'So memory is cut into pages, as an operating system does it. Each cell here is one block of 16 tokens. A request takes blocks as it grows, wherever they are, and gives them back at its end. No gap is too small.',
    zh: '于是像操作系统那样分页。这里每一格是 16 个 token 的一块。请求一边长大一边取块，哪里的都行，结束时归还。再小的缝隙也不浪费。' },
  { chapter: 1, at: 'many', lit: ['memory', 'plan'], pace: 5,
    en: 'When all the same nothing is free, the request that is cheapest to compute again steps back and waits. Nothing is lost but a little time.',
    zh: '如果还是没有空闲，重算代价最小的那个请求就退后等待。除了一点时间，什么也没丢。' },
  { chapter: 2, at: 'one', lit: ['model', 'memory'], pace: 1.1,
    en: 'Within one request: because keys and values are kept, each new token costs one pass of one token, not the whole sentence again.',
    zh: '在一个请求之内：因为键和值都留着，每个新 token 只需走一遍自己，而不必把整句话重算。' },
  { chapter: 2, at: 'shared', lit: ['memory', 'tokenizer'], pace: 5,
    en: 'Across requests: many begin with the same words. Those are computed once; whoever comes later finds the blocks and shares them. The hatched cells, and the number in each says by how many.',
    zh: '在请求之间：许多请求开头相同。那一段只算一次，后来者找到这些块，直接共享。带斜纹的格子就是，里面的数字是共享的人数。' },
  { chapter: 3, at: 'long', lit: ['plan'], pace: 5,
    en: 'Scheduling is a strategy game: limited means, many players, and nobody may stutter. Each column is one step of the engine, each row a request; the bar on top is what the step can afford.',
    zh: '调度是一场策略游戏：资源有限，玩家众多，谁都不许卡顿。每一列是引擎的一步，每一行是一个请求；顶上的条是这一步的预算。' },
  { chapter: 3, at: 'long', lit: ['plan', 'vitals'], pace: 5,
    en: 'A long prompt arrives among short ones. It is taken in pieces, beside the others, whose dots go on without a gap. Requests join and leave at every step: continuous batching.',
    zh: '一个长提示来到一群短请求之中。它被切成几段，与别人并排前进，别人的圆点一个不缺。请求随时加入、随时离开：这就是连续批处理。' },
  { chapter: 3, at: 'many', lit: ['rail'], pace: 12,
    en: 'That is all of it. What you saw was not a drawing: every mark is a record of what the engine did. Now send it something of your own. Or switch one of its techniques off, and see what it is worth: ⇄ runs the same requests without it and with it.',
    zh: '这就是全部。你看到的不是示意图：每个记号都是引擎行动的记录。现在，给它发一句你自己的话吧。也可以关掉一项技术，看看它值多少：⇄ 会让同样的请求不用它和用它各跑一次。' },
];
