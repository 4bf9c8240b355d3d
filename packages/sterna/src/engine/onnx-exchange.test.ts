import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, describe, it } from 'node:test'
import * as ort from 'onnxruntime-node'
import { expectF32, f32, type Tensor } from '../core/index.ts'
import { readOnnx, writeOnnx } from '../formats/onnx/index.ts'
import { GraphBuilder, type Model, withBatchSize } from '../graph/index.ts'
import { exportOnnx, importOnnx } from '../graph/onnx/index.ts'
import { createEngine } from './create-engine.node.ts'
import { differentiableCases, drawInputs, type OperatorCase } from './testing/operator-cases.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const trainingOnly = new Set([
  'BatchNormalizationTraining',
  'Neg',
  'Abs',
  'Exp',
  'Log',
  'Sqrt',
  'Reciprocal',
  'Min',
  'Max',
  'Expand',
  'Clamp',
  'Dot',
])
const cases = differentiableCases.filter(({ op }) => !trainingOnly.has(op))

/** A model of one operator with batch size 1: the first input is given at run time, the others are parameters. */
function modelOf(operator: OperatorCase): { model: Model; x: Tensor } {
  const b = new GraphBuilder(operator.title)
  const [first, ...rest] = drawInputs(operator)
  const x = b.input('x', first!.shape)
  const parameters = new Map(rest.map((value, index) => [`parameter${index}`, value]))
  const values = [...parameters].map(([name, value]) => b.parameter(name, value.shape))
  const y = b.opAll(operator.op, [x, ...values], operator.attributes)
  // A constant on the way out takes part in the exchange too.
  const graph = b.build([b.add(y[0]!, 0.5)])
  return { model: { graph, parameters }, x: first! }
}

describe('a model that is exported to ONNX', () => {
  for (const operator of cases) {
    it(`computes in ONNX Runtime what the engine computes: ${operator.title}`, async () => {
      const { model, x } = modelOf(operator)
      const executable = await engine.load({ graph: model.graph, state: new Map() })
      await executable.setState(model.parameters)
      const output = model.graph.outputs[0]!
      const expected = expectF32((await executable.run({ x }))[output], output)
      await executable.release()

      const session = await ort.InferenceSession.create(writeOnnx(exportOnnx(model)), { logSeverityLevel: 4 })
      const result = (await session.run({ x: new ort.Tensor('float32', x.data as Float32Array, x.shape) }))[
        output
      ]!
      await session.release()
      assert.deepEqual(result.dims, expected.shape)
      const found = result.data as Float32Array
      expected.data.forEach((value, i) => {
        assert.ok(
          Math.abs(value - found[i]!) <= 1e-5 * Math.max(1, Math.abs(value)),
          `${i}: ${value}, ${found[i]}`,
        )
      })
    })
  }

  it('is imported as the same model', () => {
    for (const operator of cases) {
      const { model, x } = modelOf(operator)
      // Written as Identity, because no axes means all axes in ONNX.
      if (operator.op === 'ReduceMean' && operator.attributes.axes.length === 0) continue
      const imported = importOnnx(readOnnx(writeOnnx(exportOnnx(model))), { inputShapes: { x: x.shape } })
      assert.deepEqual(imported, model)
    }
  })
})

describe('a network that PyTorch exported', () => {
  const folder = path.resolve(import.meta.dirname, '../../test/fixtures/onnx')
  const expected: { input: number[]; outputs: Record<string, number[]> } = JSON.parse(
    readFileSync(path.join(folder, 'expected.json'), 'utf8'),
  )
  for (const [name, logits] of Object.entries(expected.outputs)) {
    it(`computes what PyTorch computed, ${name}`, async () => {
      const model = importOnnx(readOnnx(readFileSync(path.join(folder, `${name}.onnx`))))
      assert.deepEqual(model.graph.inputs[0]!.shape, [1, 2, 11, 9])
      const executable = await engine.load({ graph: withBatchSize(model.graph, 2), state: new Map() })
      await executable.setState(model.parameters)
      const { output } = await executable.run({ input: f32([2, 2, 11, 9], expected.input) })
      await executable.release()
      logits.forEach((value, i) => {
        assert.ok(Math.abs(value - Number(output!.data[i])) < 1e-5, `${i}: ${value}, ${output!.data[i]}`)
      })
    })
  }
})
