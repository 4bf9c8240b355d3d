/** The built-in data set: ten digits drawn by pen strokes, so that everything works without a download. */
import { Random, SternaError } from '../../core/index.ts'
import { type Dataset, digestDataset, type LabelledImages } from '../dataset.ts'
import { Canvas } from './canvas.ts'
import { drawGlyph } from './glyph.ts'

export interface GlyphsOptions {
  /** Training images, by default 12,000. */
  readonly train?: number
  /** Test images, by default 2,000. */
  readonly test?: number
  /** By default 1. */
  readonly seed?: number
}

const SIZE = 28
const IMAGE_SHAPE = [1, SIZE, SIZE] as const
const CLASSES = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'] as const
const MAX_IMAGES = 1_000_000

/** Mean and standard deviation of the default training set. */
const NORMALIZATION = { mean: [0.1098], std: [0.214] } as const

/**
 * Draws the set. Image i of a part shows digit i mod 10 and depends on (seed, part, i) alone, so a smaller
 * set is the beginning of a larger one. Only additions, multiplications, divisions and square roots
 * (correctly rounded in every engine) go into a pixel, so the bytes are the same on every machine.
 */
export function createGlyphs(options: GlyphsOptions = {}): Dataset {
  const { train: trainCount = 12_000, test: testCount = 2_000, seed = 1 } = options
  const random = new Random(seed).fork('glyphs')
  const train = drawPart(random.fork('train'), trainCount, 'train')
  const test = drawPart(random.fork('test'), testCount, 'test')
  return {
    name: 'glyphs',
    classes: CLASSES,
    imageShape: IMAGE_SHAPE,
    normalization: NORMALIZATION,
    train,
    test,
    digest: digestDataset(IMAGE_SHAPE, train, test),
  }
}

/** Options from the text after `glyphs:`, e.g. `train=6000,test=1000,seed=1`. */
export function parseGlyphsOptions(text: string): GlyphsOptions {
  const options: { train?: number; test?: number; seed?: number } = {}
  for (const item of text.split(',').filter(part => part.trim() !== '')) {
    const [key = '', value = '', ...rest] = item.split('=').map(part => part.trim())
    if (
      (key !== 'train' && key !== 'test' && key !== 'seed') ||
      !/^\d{1,9}$/.test(value) ||
      rest.length > 0
    ) {
      throw new SternaError(
        'usage/option',
        `glyphs: expected train=N, test=N or seed=N with a whole number, found "${item.trim()}"`,
        { hint: 'for example glyphs:train=6000,test=1000,seed=1' },
      )
    }
    options[key] = Number(value)
  }
  return options
}

function drawPart(random: Random, count: number, name: string): LabelledImages {
  if (!Number.isInteger(count) || count < 1 || count > MAX_IMAGES) {
    throw new SternaError(
      'usage/option',
      `glyphs: expected from 1 to ${MAX_IMAGES} images in ${name}, found ${count}`,
    )
  }
  const images = new Uint8Array(count * SIZE * SIZE)
  const labels = new Uint8Array(count)
  const canvas = new Canvas(SIZE)
  for (let i = 0; i < count; i++) {
    labels[i] = i % CLASSES.length
    drawGlyph(canvas, labels[i]!, random.fork(i))
    const start = i * SIZE * SIZE
    for (let j = 0; j < canvas.ink.length; j++) {
      images[start + j] = Math.max(0, Math.min(255, Math.floor(canvas.ink[j]! * 255 + 0.5)))
    }
  }
  return { images, labels, count }
}
