import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32, Random, type Tensor } from '../core/index.ts'
import { GraphBuilder, gradients, operatorNames } from '../graph/index.ts'
import { operatorTable } from '../graph/operators/index.ts'
import { createEngine } from './create-engine.node.ts'
import { differentiableCases, drawInputs, type OperatorCase } from './testing/operator-cases.ts'
import type { Executable } from './types.ts'

const engine = await createEngine({ device: 'cpu', threads: 1, lowering: 'standard' })
after(() => engine.close())

/** Half the distance of the central difference. */
const step = 1e-2
/** Positions checked in each input. */
const mostPositions = 48

/** y = op(inputs) and dL/d inputs for L = Σ y · weights. */
async function load(operator: OperatorCase, weightsOf: (size: number) => Float32Array) {
  const b = new GraphBuilder(operator.title)
  const inputs = operator.inputs.map((shape, index) => b.input(`input${index}`, shape))
  const y = b.opAll(operator.op, inputs, operator.attributes)[0]!
  const weights = b.constant(f32(y.shape, weightsOf(y.shape.reduce((size, length) => size * length, 1))))
  const derivatives = gradients(
    b,
    b.sum(b.mul(y, weights)),
    operator.differentiable.map(index => inputs[index]!),
  )
  const graph = b.build([y, ...derivatives])
  return {
    executable: await engine.load({ graph, state: new Map() }),
    y: y.name,
    derivatives: derivatives.map(d => d.name),
  }
}

function run(executable: Executable, inputs: readonly Tensor[]): Promise<Record<string, Tensor>> {
  return executable.run(Object.fromEntries(inputs.map((input, index) => [`input${index}`, input])))
}

describe('derivatives through the standard lowering', () => {
  for (const operator of differentiableCases) {
    it(`of ${operator.title} are central finite differences`, async () => {
      const random = new Random(3)
      let weights = new Float32Array()
      const { executable, y, derivatives } = await load(operator, size => {
        weights = Float32Array.from({ length: size }, () => random.normal())
        return weights
      })
      const inputs = drawInputs(operator)
      const results = await run(executable, inputs)
      for (const [at, index] of operator.differentiable.entries()) {
        const analytic = results[derivatives[at]!]!.data as Float32Array
        assert.deepEqual(results[derivatives[at]!]!.shape, operator.inputs[index])
        const scale = Math.max(1, ...analytic.map(Math.abs))
        const { data } = inputs[index]!
        const stride = Math.max(1, Math.ceil(data.length / mostPositions))
        for (let i = 0; i < data.length; i += stride) {
          const held = data[i]!
          data[i] = held + step
          const above = data[i]!
          const plus = run(executable, inputs)
          data[i] = held - step
          const below = data[i]!
          const minus = run(executable, inputs)
          data[i] = held
          const high = (await plus)[y]!.data as Float32Array
          const low = (await minus)[y]!.data as Float32Array
          const difference = weights.reduce((sum, weight, k) => sum + weight * (high[k]! - low[k]!), 0)
          const expected = difference / (above - below)
          assert.ok(
            Math.abs(expected - analytic[i]!) <= 2e-3 * scale,
            `input ${index}, position ${i}: expected ${expected}, found ${analytic[i]}`,
          )
        }
      }
      await executable.release()
    })
  }

  it('is checked for every operator that has one, but for straight-through estimates', () => {
    // Round is flat between its steps; its derivative is the identity by definition.
    const straightThrough: readonly string[] = ['Round']
    const covered = new Set<string>(differentiableCases.map(({ op }) => op))
    const missing = operatorNames.filter(
      name =>
        operatorTable[name].derive !== undefined && !covered.has(name) && !straightThrough.includes(name),
    )
    assert.deepEqual(missing, [])
  })
})
