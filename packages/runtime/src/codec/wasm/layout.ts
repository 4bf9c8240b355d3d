/** Where the functions of `decoders.ts` find in memory what they work on. */

/** 32 bits each from address 0 on: the state of a decoder between its calls, and what stays the same over them. */
export const words = [
  // A range decoder: its range, where in that the string points, the next byte of the string and its end.
  'range',
  'point',
  'next',
  'end',
  // Lists of places, where they go on, and where the ends of the next filter's lists are written.
  'lists',
  'listsEnd',
  'ends',
  // Four rANS states.
  'state0',
  'state1',
  'state2',
  'state3',
  // A tensor: its channels' records, sizes of a kernel, steps to the next weight in each direction and to the term below.
  'channels',
  'channelsEnd',
  'rows',
  'columns',
  'toColumn',
  'toRow',
  'toChannel',
  'toBelow',
  // The plane of neighbours: steps to the left and up in it, and how wide it is.
  'toLeft',
  'toAbove',
  'width',
  // A model: `modelKinds`, density, 16 log2 of that over what counts start with, contexts and how many of them.
  'kind',
  'density',
  'densityBase',
  'contexts',
  'zeros',
  'signs',
  // From a probability to its count of decisions, and where that stops.
  'toSeen',
  'memory',
  // Of a mix of contexts: its weights, and the tables of `stretch` and `logistic`.
  'mixes',
  'stretched',
  'logisticSteps',
  // The register of a checksum.
  'crc',
] as const

export type Word = (typeof words)[number]

/** The address of a word. */
export const at = (word: Word): number => 4 * words.indexOf(word)

/** `fixed`: two probabilities that do not learn; the others are context sets. */
export const modelKinds = ['fixed', 'plane', 'kernel', 'matrix'] as const

/** Behind the words: `rates` of adaptive bits, 32 bits each, the spans of a `fast` payload, or the remainders of a checksum. */
export const tablesAt: number = 4 * words.length

/** Of one channel: how many weights were not zero, 16 × log2 of that, whether it has any; 32 bits each. */
export const channelBytes = 12
