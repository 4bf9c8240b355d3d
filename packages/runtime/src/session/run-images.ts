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

/** Runs images `first` to `end` − 1 of those that follow each other in each input; `outputs` takes their results there. */
export function runImages(
  runner: ImageRunner,
  first: number,
  end: number,
  inputs: readonly Float32Array[],
  outputs: readonly Float32Array[],
): void {
  for (let image = first; image < end; image++) {
    for (const [i, { data }] of runner.inputs.entries()) {
      data.set(inputs[i]!.subarray(image * data.length, (image + 1) * data.length))
    }
    runner.run()
    for (const [i, { data }] of runner.outputs.entries()) outputs[i]!.set(data, image * data.length)
  }
}
