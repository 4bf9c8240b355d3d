import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { sizeOf } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { GraphBuilder, gradients, type OperatorName, type Operators } from './index.ts'
import { assertNear, type Generated, generate, readFixture } from './testing/pytorch.node.ts'

interface Fixture {
  readonly cases: readonly {
    readonly title: string
    readonly op: string
    readonly attributes: Operators[OperatorName]
    readonly inputs: readonly Generated[]
    readonly outputGradient: Generated
    readonly output: readonly number[]
    readonly inputGradients: readonly (readonly number[])[]
  }[]
}

/**
 * Relative to the largest element. The fixture is float64 of inputs exact in float32, so what remains is the
 * rounding of float32 sums of at most a few hundred terms: some units of 6e-8.
 */
const tolerance = 3e-6

const { cases } = readFixture<Fixture>('operator-gradients')
const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

describe('operators and their derivatives give what PyTorch gives', () => {
  for (const { title, op, attributes, inputs, outputGradient, output, inputGradients } of cases) {
    it(`${op}: ${title}`, async () => {
      // The fixture's batch norm is the one that trains.
      const name = (op === 'BatchNormalization' ? 'BatchNormalizationTraining' : op) as OperatorName
      const b = new GraphBuilder(title)
      const values = inputs.map((input, index) => b.input(`input${index}`, input.shape))
      const y = b.opAll(name, values, attributes)[0]!
      assert.deepEqual(y.shape, outputGradient.shape)
      const loss = b.sum(b.mul(y, b.constant(generate(outputGradient))))
      const derivatives = gradients(b, loss, values)
      const executable = await engine.load({ graph: b.build([y, ...derivatives]), state: new Map() })
      const feeds = inputs.map((input, index) => [`input${index}`, generate(input)] as const)
      const results = await executable.run(Object.fromEntries(feeds))
      assertNear(results[y.name]!.data as Float32Array, output, tolerance, 'output')
      derivatives.forEach((derivative, index) => {
        const found = results[derivative.name]!
        assert.equal(sizeOf(found.shape), sizeOf(inputs[index]!.shape))
        assertNear(found.data as Float32Array, inputGradients[index]!, tolerance, `dL/d input ${index}`)
      })
      await executable.release()
    })
  }
})
