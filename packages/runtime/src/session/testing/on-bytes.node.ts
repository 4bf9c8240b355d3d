/** Networks with ranges of activations, and whether their kernels give the bytes of the plain ones. */
import assert from 'node:assert/strict'
import type { ActivationRange, PackedModel } from '../../file/types.ts'
import { runReference } from '../../kernels/reference/index.ts'
import { type Random, randomArray } from '../../kernels/testing/models.ts'
import { integerValues } from '../../plan/index.ts'
import { sizeOf } from '../../plan/shape.ts'
import { inferShapes } from '../../plan/shapes.ts'
import { loadModel } from '../index.ts'

/** Ranges that hold what the values are for one random input. */
export function calibrated(model: PackedModel, random: Random, max: () => number): PackedModel {
  const shapes = inferShapes(model)
  const inputs = Object.fromEntries(
    model.inputs.map(({ name, shape }) => [name, { shape, data: randomArray(random, sizeOf(shape)) }]),
  )
  const wanted = integerValues(model)
  const computed = wanted.filter(({ name }) => inputs[name] === undefined).map(({ name }) => name)
  const values = {
    ...inputs,
    ...(computed.length > 0 && runReference({ ...model, outputs: computed }, inputs)),
  }
  const activations = new Map<string, ActivationRange>()
  for (const { name, maxLevel } of wanted) {
    assert.ok(shapes.has(name))
    const { data } = values[name]!
    const levels = Math.min(max(), maxLevel)
    const low = Math.min(
      0,
      data.reduce((a, b) => Math.min(a, b)),
    )
    const high = Math.max(
      low + 1e-3,
      data.reduce((a, b) => Math.max(a, b)),
    )
    const scale = Math.fround((0.9 * (high - low)) / levels)
    activations.set(name, { scale, zero: Math.min(levels, Math.round((-0.9 * low) / scale)), max: levels })
  }
  return { ...model, activations }
}

/** @returns the kernels that ran */
export async function conforms(
  model: PackedModel,
  random: Random,
  label: string,
): Promise<readonly string[]> {
  const fast = await loadModel(model, { arithmetic: 'int' })
  const plain = await loadModel(model, { arithmetic: 'int', kernels: 'reference' })
  const kernels = fast.describe().layers.map(({ kernel }) => kernel)
  // Layers in numbers sum in another order than the plain ones.
  if (kernels.some(kernel => /^(add|gather|dense)-/.test(kernel))) return []
  for (let round = 0; round < 2; round++) {
    const arrays = Object.fromEntries(
      model.inputs.map(({ name, shape }) => [name, randomArray(random, 2 * sizeOf(shape))]),
    )
    const [found, expected] = [fast.run(arrays).outputs, plain.run(arrays).outputs]
    for (const name of model.outputs) assert.deepEqual(found[name], expected[name], `${label}: ${name}`)
  }
  return kernels
}
