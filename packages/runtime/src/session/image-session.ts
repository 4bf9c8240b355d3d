import { SternaError } from '../errors.ts'
import type { PackedMetadata } from '../file/types.ts'
import { type Shape, sizeOf } from '../plan/shape.ts'
import { type ImageRunner, runImage, runImageInto } from './run-images.ts'

/** A named input or output with its shape for one image. */
export interface Port {
  readonly name: string
  readonly shape: Shape
}

/** One array where the model has one input, otherwise one for each by name. */
export type RunInput = Float32Array | Readonly<Record<string, Float32Array>>

export interface RunOptions {
  /**
   * Takes the results, in place of fresh arrays: one array where the model has one output, otherwise one for each by
   * name, each as long as the output for all images. It must not share memory with the input.
   */
  readonly into?: Float32Array | Readonly<Record<string, Float32Array>>
}

export interface RunOutput {
  /** As the model says for one image, the first size times the number of images. */
  readonly shape: Shape
  readonly data: Float32Array
}

export interface RunResult {
  /** The numbers of the first output, row-major. */
  readonly output: Float32Array
  /** Their shape: the model's for one image, the first size times the number of images. */
  readonly shape: Shape
  /** Every output by name. */
  readonly outputs: Readonly<Record<string, RunOutput>>
}

export interface Classification {
  /** Position of the largest number of the first output; the first one where several are equal. */
  readonly index: number
  /** That number. */
  readonly score: number
  /** Its name, where the model's metadata has one. */
  readonly label: string | undefined
}

/** What runs one image after the other, whatever it was made from. */
export class ImageSession {
  readonly name: string
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
  readonly metadata: PackedMetadata
  readonly #runner: ImageRunner

  constructor(name: string, metadata: PackedMetadata, runner: ImageRunner) {
    this.name = name
    this.metadata = metadata
    this.inputs = runner.inputs.map(portOf)
    this.outputs = runner.outputs.map(portOf)
    this.#runner = runner
  }

  /**
   * Runs one image, or several that follow each other: how many is the array's length over the input's size.
   * Each image runs by itself, so results do not depend on what it is run with.
   * @param input numbers as the network was trained on (already normalised), row-major
   * @throws SternaError `usage/input` where an input, or an array of `into`, is missing or its length does not fit
   */
  run(input: RunInput, { into }: RunOptions = {}): RunResult {
    const { images, inputs } = this.read(input)
    if (images === 1 && into === undefined) {
      runImage(this.#runner, 0, inputs)
      // An array made as a copy is not filled with zeros beforehand.
      return this.collect(
        1,
        this.#runner.outputs.map(({ data }) => new Float32Array(data)),
      )
    }
    const results = this.takeResults(images, into)
    for (let image = 0; image < images; image++) runImageInto(this.#runner, image, inputs, results)
    return this.collect(images, results)
  }

  /** Runs the images and names the class of each: the largest number of the first output. */
  classify(input: RunInput): Classification[] {
    const { output } = this.run(input)
    const classes = sizeOf(this.outputs[0]!.shape)
    return Array.from({ length: output.length / classes }, (_, image) => {
      const start = image * classes
      let best = start
      for (let i = start + 1; i < start + classes; i++) if (output[i]! > output[best]!) best = i
      const index = best - start
      return { index, score: output[best]!, label: this.metadata.classes?.[index] }
    })
  }

  protected read(input: RunInput): {
    readonly images: number
    readonly inputs: readonly Float32Array[]
  } {
    const inputs = this.inputs.map(port => pick('input', input, port, this.inputs.length))
    return { images: countImages(this.inputs, inputs), inputs }
  }

  protected takeResults(images: number, into: RunOptions['into']): readonly Float32Array[] {
    return this.outputs.map(port => {
      const length = images * sizeOf(port.shape)
      if (into === undefined) return new Float32Array(length)
      const array = pick('output', into, port, this.outputs.length)
      if (array.length === length) return array
      throw new SternaError(
        'usage/input',
        `output "${port.name}": expected room for ${length} numbers, ${images} × [${port.shape}], found ${array.length}`,
        { detail: { output: port.name, shape: port.shape, expected: length, found: array.length } },
      )
    })
  }

  protected collect(images: number, results: readonly Float32Array[]): RunResult {
    const named = this.outputs.map(({ name, shape }, i): [string, RunOutput] => {
      const stacked = images === 1 ? shape : [images * (shape[0] ?? 1), ...shape.slice(1)]
      return [name, { shape: stacked, data: results[i]! }]
    })
    const [, { data, shape }] = named[0]!
    return { output: data, shape, outputs: Object.fromEntries(named) }
  }
}

const portOf = ({ name, shape }: Port): Port => ({ name, shape })

/** The array of one port, which may stand alone where there are no other ports. */
function pick(what: 'input' | 'output', given: RunInput, { name }: Port, ports: number): Float32Array {
  if (given instanceof Float32Array && ports === 1) return given
  const array = !(given instanceof Float32Array) && Object.hasOwn(given, name) ? given[name] : undefined
  if (!(array instanceof Float32Array)) {
    throw new SternaError(
      'usage/input',
      `${what} "${name}": expected a Float32Array, found ${typeof array}`,
      {
        hint: ports === 1 ? 'pass the array itself' : `pass an object with one array for each ${what}`,
      },
    )
  }
  return array
}

function countImages(ports: readonly Port[], arrays: readonly Float32Array[]): number {
  const counts = ports.map(({ name, shape }, i) => {
    const size = sizeOf(shape)
    const found = arrays[i]!.length
    if (found === 0 || found % size !== 0) {
      throw new SternaError(
        'usage/input',
        `input "${name}": expected ${size} numbers [${shape}] for each image, found ${found}`,
        { detail: { input: name, shape, expected: size, found } },
      )
    }
    return found / size
  })
  if (counts.some(count => count !== counts[0])) {
    throw new SternaError('usage/input', `the inputs hold different numbers of images: ${counts.join(', ')}`)
  }
  return counts[0]!
}
