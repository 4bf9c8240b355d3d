/** Hands out normalised, augmented batches in a seeded order that can be continued from any position. */
import { Random, SternaError } from '../core/index.ts'
import { type Augmentation, augmentations } from './augmentation.ts'
import { type ImageShape, type ImageView, type LabelledImages, viewAll } from './dataset.ts'
import { type Normalization, normalizationTable } from './normalization.ts'

export interface LoaderOptions {
  readonly images: LabelledImages | ImageView
  readonly imageShape: ImageShape
  readonly normalization: Normalization
  readonly batchSize: number
  /** Decides the order of every epoch and the augmentation of every image in it. */
  readonly seed: number
  /** A new order every epoch; otherwise the images come as they lie. Default false. */
  readonly shuffle?: boolean
  /** Default none. */
  readonly augmentation?: Augmentation
  /** Leaves out the last batch of an epoch where it would be smaller than the others. Default false. */
  readonly dropLast?: boolean
}

/** Where the next batch is: plain numbers that go into a checkpoint. */
export interface LoaderPosition {
  readonly epoch: number
  readonly batch: number
}

export interface Batch {
  /** [B, C, H, W]. Valid until the next call of `next()` but one. */
  readonly x: Float32Array
  /** [B], class numbers; valid as long as `x`. */
  readonly labels: Int32Array
  readonly epoch: number
  /** The batch's number in its epoch, from 0. */
  readonly batch: number
  /** Whether it ends its epoch. */
  readonly last: boolean
}

export interface Loader {
  readonly batchesPerEpoch: number
  /** How many images an epoch hands out. */
  readonly samplesPerEpoch: number
  /** The position of the batch that `next()` will hand out. */
  readonly position: LoaderPosition
  /** Continues at a position; the batches from there are those an uninterrupted loader gives. */
  seek(position: LoaderPosition): void
  /** The next batch; epochs follow one another without end. */
  next(): Promise<Batch>
}

/**
 * A loader over a part of a data set. The order of epoch e is a function of (seed, e), the augmentation of
 * an image one of (seed, e, its index), so seeking costs nothing and repeats exactly. Right after a batch is
 * handed out the following one is prepared, while an engine in another thread computes.
 */
export function createLoader(options: LoaderOptions): Loader {
  return new ImageLoader(options)
}

interface Buffers {
  x: Float32Array
  labels: Int32Array
}

class ImageLoader implements Loader {
  readonly batchesPerEpoch: number
  readonly samplesPerEpoch: number
  readonly #view: ImageView
  readonly #shape: ImageShape
  readonly #table: Float32Array
  readonly #batchSize: number
  readonly #random: Random
  readonly #shuffle: boolean
  readonly #augmentation: Augmentation
  /** Three, because two batches handed out stay valid while a third is prepared. */
  readonly #buffers: Buffers[]
  #turn = 0
  #position: LoaderPosition = { epoch: 0, batch: 0 }
  #ready: Batch | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #order: { readonly epoch: number; readonly positions: Uint32Array } | undefined

  constructor(options: LoaderOptions) {
    const { images, imageShape, batchSize, dropLast = false, augmentation = augmentations.none } = options
    this.#view = 'indices' in images ? images : viewAll(images)
    this.#shape = imageShape
    this.#table = normalizationTable(options.normalization, imageShape[0])
    this.#batchSize = batchSize
    this.#random = new Random(options.seed).fork('loader')
    this.#shuffle = options.shuffle ?? false
    this.#augmentation = augmentation
    checkOptions(this.#view, imageShape, batchSize, augmentation)
    const { count } = this.#view
    this.batchesPerEpoch = dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize)
    this.samplesPerEpoch = dropLast ? this.batchesPerEpoch * batchSize : count
    if (this.batchesPerEpoch === 0) {
      throw new SternaError('usage/input', `loader: ${count} images do not fill one batch of ${batchSize}`)
    }
    this.#buffers = [0, 1, 2].map(() => this.#allocate())
  }

  get position(): LoaderPosition {
    return this.#position
  }

  seek({ epoch, batch }: LoaderPosition): void {
    if (
      !Number.isInteger(epoch) ||
      epoch < 0 ||
      !Number.isInteger(batch) ||
      batch < 0 ||
      batch >= this.batchesPerEpoch
    ) {
      throw new SternaError(
        'usage/input',
        `loader: expected an epoch ≥ 0 and a batch from 0 to ${this.batchesPerEpoch - 1}, found epoch ${epoch}, batch ${batch}`,
      )
    }
    this.#position = { epoch, batch }
    this.#ready = undefined
    clearTimeout(this.#timer)
  }

  async next(): Promise<Batch> {
    clearTimeout(this.#timer)
    const batch = this.#ready ?? this.#prepare()
    this.#ready = undefined
    this.#turn++
    const { epoch } = this.#position
    this.#position = batch.last ? { epoch: epoch + 1, batch: 0 } : { epoch, batch: batch.batch + 1 }
    // A task of its own, so that the caller first gets this batch and sends it to the engine.
    this.#timer = setTimeout(() => {
      this.#ready = this.#prepare()
    }, 0)
    return batch
  }

  #prepare(): Batch {
    const { epoch, batch } = this.#position
    const { count, indices, source } = this.#view
    const positions = this.#orderOf(epoch)
    const first = batch * this.#batchSize
    const size = Math.min(this.#batchSize, count - first)
    const slot = this.#turn % this.#buffers.length
    // A receiver may have moved the memory to another thread.
    if (this.#buffers[slot]!.x.length === 0) this.#buffers[slot] = this.#allocate()
    const buffers = this.#buffers[slot]!
    const imageSize = this.#shape[0] * this.#shape[1] * this.#shape[2]
    const { pad, flip } = this.#augmentation
    const random = this.#random.fork('augment', epoch)
    for (let i = 0; i < size; i++) {
      const index = indices[positions === undefined ? first + i : positions[first + i]!]!
      buffers.labels[i] = source.labels[index]!
      if (pad === 0 && !flip) {
        this.#copyPlain(index * imageSize, buffers.x, i * imageSize)
      } else {
        const draw = random.fork(index)
        const mirrored = flip && draw.below(2) === 1
        this.#copyShifted(
          index * imageSize,
          buffers.x,
          i * imageSize,
          draw.below(2 * pad + 1) - pad,
          draw.below(2 * pad + 1) - pad,
          mirrored,
        )
      }
    }
    return {
      x: size === this.#batchSize ? buffers.x : buffers.x.subarray(0, size * imageSize),
      labels: size === this.#batchSize ? buffers.labels : buffers.labels.subarray(0, size),
      epoch,
      batch,
      last: batch === this.batchesPerEpoch - 1,
    }
  }

  #allocate(): Buffers {
    const size = Math.min(this.#batchSize, this.#view.count)
    const [channels, height, width] = this.#shape
    return { x: new Float32Array(size * channels * height * width), labels: new Int32Array(size) }
  }

  #orderOf(epoch: number): Uint32Array | undefined {
    if (!this.#shuffle) return undefined
    if (this.#order?.epoch !== epoch) {
      const positions = new Uint32Array(this.#view.count)
      for (let i = 0; i < positions.length; i++) positions[i] = i
      this.#order = { epoch, positions: this.#random.fork('order', epoch).shuffle(positions) }
    }
    return this.#order.positions
  }

  #copyPlain(from: number, x: Float32Array, to: number): void {
    const [channels, height, width] = this.#shape
    const pixels = this.#view.source.images
    const table = this.#table
    const plane = height * width
    for (let channel = 0; channel < channels; channel++) {
      const base = channel * 256
      const start = channel * plane
      for (let i = start; i < start + plane; i++) x[to + i] = table[base + pixels[from + i]!]!
    }
  }

  /** Writes pixel (y + dy, x + dx) of the image at (y, x), black outside, mirrored if asked. */
  #copyShifted(from: number, x: Float32Array, to: number, dy: number, dx: number, mirrored: boolean): void {
    const [channels, height, width] = this.#shape
    const pixels = this.#view.source.images
    const table = this.#table
    // The columns whose source lies inside the image.
    const low = Math.max(0, -dx)
    const high = Math.min(width, width - dx)
    let target = to
    for (let channel = 0; channel < channels; channel++) {
      const base = channel * 256
      const black = table[base]!
      for (let row = 0; row < height; row++, target += width) {
        const sourceRow = row + dy
        if (sourceRow < 0 || sourceRow >= height) {
          x.fill(black, target, target + width)
          continue
        }
        const source = from + (channel * height + sourceRow) * width + dx
        const step = mirrored ? -1 : 1
        const start = mirrored ? target + width - 1 : target
        for (let column = 0; column < low; column++) x[start + step * column] = black
        for (let column = low; column < high; column++) {
          x[start + step * column] = table[base + pixels[source + column]!]!
        }
        for (let column = high; column < width; column++) x[start + step * column] = black
      }
    }
  }
}

function checkOptions(view: ImageView, shape: ImageShape, batchSize: number, { pad }: Augmentation): void {
  const imageSize = shape[0] * shape[1] * shape[2]
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new SternaError('usage/option', `loader: expected a batch size of at least 1, found ${batchSize}`)
  }
  if (!Number.isInteger(pad) || pad < 0 || pad >= Math.min(shape[1], shape[2])) {
    throw new SternaError(
      'usage/option',
      `loader: expected a padding from 0 to ${Math.min(shape[1], shape[2]) - 1} pixels, found ${pad}`,
    )
  }
  if (view.source.images.length !== view.source.count * imageSize) {
    throw new SternaError(
      'data/invalid',
      `loader: ${view.source.count} images of [${shape}] need ${view.source.count * imageSize} pixels, found ${view.source.images.length}`,
    )
  }
}
