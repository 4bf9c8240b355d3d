import type { Executor } from './executor.ts'

/** Runs images `first` to `end` − 1 of those that follow each other in each input; `outputs` takes their results there. */
export function runImages(
  executor: Executor,
  first: number,
  end: number,
  inputs: readonly Float32Array[],
  outputs: readonly Float32Array[],
): void {
  for (let image = first; image < end; image++) {
    for (const [i, { data }] of executor.inputs.entries()) {
      data.set(inputs[i]!.subarray(image * data.length, (image + 1) * data.length))
    }
    executor.run()
    for (const [i, { data }] of executor.outputs.entries()) outputs[i]!.set(data, image * data.length)
  }
}
