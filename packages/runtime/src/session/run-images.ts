import { sizeOf } from '../plan/shape.ts'
import type { Executor } from './executor.ts'

/** Runs images `first` to `end` − 1 of those that follow each other in each input; `outputs` takes their results there. */
export function runImages(
  executor: Executor,
  first: number,
  end: number,
  inputs: readonly Float32Array[],
  outputs: readonly Float32Array[],
): void {
  const { model, shapes } = executor.plan
  for (let image = first; image < end; image++) {
    for (const [i, { name, shape }] of model.inputs.entries()) {
      const size = sizeOf(shape)
      executor.value(name).set(inputs[i]!.subarray(image * size, (image + 1) * size))
    }
    executor.run()
    for (const [i, name] of model.outputs.entries()) {
      outputs[i]!.set(executor.value(name), image * sizeOf(shapes.get(name)!))
    }
  }
}
