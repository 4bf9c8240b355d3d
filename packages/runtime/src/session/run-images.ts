import type { Shape } from '../plan/shape.ts'

/** An input, to be written before a run, or an output, to be read after it. */
export interface Value {
  readonly name: string
  /** For one image. */
  readonly shape: Shape
  readonly data: Float32Array
}

export interface ImageRunner {
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  /** Runs one image. */
  run(): void
}

/**
 * Runs one image of those that follow each other in each input; the results stay in the runner's outputs.
 * Loops over places here: destructured entries take an engine's compiler five times as long, on a core that computes.
 */
export function runImage({ inputs, run }: ImageRunner, image: number, from: readonly Float32Array[]): void {
  for (let i = 0; i < inputs.length; i++) {
    const { data } = inputs[i]!
    data.set(from[i]!.subarray(image * data.length, (image + 1) * data.length))
  }
  run()
}

/** Runs one image and copies its results to where they belong in `to`. */
export function runImageInto(
  runner: ImageRunner,
  image: number,
  from: readonly Float32Array[],
  to: readonly Float32Array[],
): void {
  runImage(runner, image, from)
  const { outputs } = runner
  for (let i = 0; i < outputs.length; i++) {
    const { data } = outputs[i]!
    to[i]!.set(data, image * data.length)
  }
}
