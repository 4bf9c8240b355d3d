import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SternaError, type SternaErrorCode } from '../errors.ts'
import type { PackedModel } from '../file/types.ts'
import {
  convAttributes,
  createRandom,
  lenet5,
  ModelSketch,
  randomDense,
  randomTernary,
  resnet20,
} from '../kernels/testing/models.ts'
import { planFor } from '../session/open.ts'
import { type Lifetime, planArena } from './arena.ts'
import { planLimits } from './limits.ts'
import { chooseTiling } from './numbers/tile.ts'
import { inputsOf } from './plan.ts'
import { sizeOf } from './shape.ts'
import { inferShapes } from './shapes.ts'

const failsWith = (model: PackedModel, code: SternaErrorCode, message: RegExp) =>
  assert.rejects(planFor(model, {}), (error: unknown) => {
    assert.ok(error instanceof SternaError, `expected a SternaError, found ${error}`)
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })

describe('planArena', () => {
  test('never lays two values alive at the same time over each other', () => {
    const random = createRandom(1)
    for (let round = 0; round < 50; round++) {
      const lifetimes: Lifetime[] = Array.from({ length: 60 }, (_, i) => {
        const first = Math.floor(random() * 40)
        return {
          name: `${i}`,
          bytes: 1 + Math.floor(random() * 1000),
          first,
          last: first + Math.floor(random() * 10),
        }
      })
      const { offsets, bytes } = planArena(lifetimes)
      for (const a of lifetimes) {
        const start = offsets.get(a.name)!
        assert.ok(start % 64 === 0 && start + a.bytes <= bytes)
        for (const b of lifetimes) {
          if (a === b || a.last < b.first || b.last < a.first) continue
          const other = offsets.get(b.name)!
          assert.ok(start + a.bytes <= other || other + b.bytes <= start, `${a.name} and ${b.name} overlap`)
        }
      }
    }
  })

  test('lets a chain of equal layers live in two places', () => {
    const chain = Array.from({ length: 20 }, (_, i) => ({ name: `${i}`, bytes: 640, first: i, last: i + 1 }))
    assert.equal(planArena(chain).bytes, 1280)
  })
})

describe('chooseTiling', () => {
  test('covers every output with at most four accumulators and never leaves the map', () => {
    for (let height = 1; height <= 20; height++) {
      for (let width = 1; width <= 40; width++) {
        const { rows, columns, vectors, lanes } = chooseTiling(height, width)
        assert.ok(rows * vectors.length <= 4)
        assert.ok(rows <= height && columns <= width)
        const covered = new Set(
          vectors.flatMap(start => Array.from({ length: lanes }, (_, lane) => start + lane)),
        )
        assert.deepEqual(
          [...covered].sort((a, b) => a - b),
          [...Array(columns).keys()],
        )
      }
    }
  })
})

describe('planModel', () => {
  test('fuses bias, residual and activation, and runs the step where the residual is ready', async () => {
    const plan = await planFor(resnet20(0.6), {})
    const ops = plan.steps.map(({ step }) =>
      (step.kind === 'linear' ? step.nodes : [step.node]).map(n => n.op).join(' '),
    )
    assert.equal(ops.filter(op => op === 'Conv Add Relu').length, 9)
    assert.equal(ops.includes('Add'), false)
    const ready = new Set([...plan.model.inputs.map(input => input.name), ...plan.model.tensors.keys()])
    for (const { step } of plan.steps) {
      for (const name of inputsOf(step))
        assert.ok(ready.has(name), `${step.node.name} reads ${name} too early`)
      ready.add(step.output)
    }
  })

  test('does not fuse a value that something else reads or that the model returns', async () => {
    const random = createRandom(1)
    const m = new ModelSketch()
    const y = m.node(
      'Conv',
      [m.input('x', [1, 1, 4, 4]), m.tensor(randomDense(random, [1, 1, 1, 1]))],
      convAttributes(),
    )
    const relu = m.node('Relu', [y], {})
    assert.equal((await planFor(m.model(relu, y), {})).steps.length, 2)
    m.node('Sigmoid', [y], {})
    assert.equal((await planFor(m.model(relu), {})).steps.length, 3)
    assert.equal((await planFor(lenet5(0.9), {})).steps.length, 7)
  })

  test('lets layers of equal geometry share their padded input', async () => {
    const scratch = (await planFor(resnet20(0.6), {})).steps.flatMap(
      ({ scratchAddress }) => scratchAddress ?? [],
    )
    assert.equal(scratch.length, 19)
    assert.equal(new Set(scratch).size, 5)
  })

  test('names the node whose shapes do not fit', async () => {
    const random = createRandom(1)
    const m = new ModelSketch()
    const x = m.input('x', [1, 3, 8, 8])
    m.node('Conv', [x, m.tensor(randomDense(random, [4, 2, 3, 3]))], convAttributes())
    await failsWith(m.model(x), 'graph/shape', /conv0 \(Conv\): expected a weight \[O, 3\/1, kH, kW\]/)
  })

  test('refuses attributes out of range, unknown names and unknown operators', async () => {
    const sketch = (op: string, inputs: string[], attributes: object) => {
      const m = new ModelSketch()
      const x = m.input('x', [1, 2, 8, 8])
      return m.model(m.node(op as never, inputs.length > 0 ? inputs : [x], attributes as never))
    }
    const pool = { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] }
    await failsWith(sketch('MaxPool', [], { ...pool, strides: [0, 1] }), 'graph/attribute', /strides/)
    await failsWith(sketch('MaxPool', [], { ...pool, kernel: [2, 1.5] }), 'graph/attribute', /kernel/)
    await failsWith(sketch('MaxPool', [], { ...pool, pads: [2, 0, 0, 0] }), 'graph/attribute', /pads/)
    await failsWith(
      sketch('MaxPool', [], { ...pool, kernel: [9, 9] }),
      'graph/shape',
      /input of 9 to \d+ positions/,
    )
    await failsWith(sketch('Softmax', [], { axis: 4 }), 'graph/attribute', /axis/)
    await failsWith(sketch('Transpose', [], { perm: [0, 1, 2, 2] }), 'graph/attribute', /axes/)
    await failsWith(sketch('Reshape', [], { shape: [3, -1] }), 'graph/shape', /128 elements/)
    await failsWith(
      sketch('Slice', [], { starts: [8], ends: [9], axes: [3], steps: [1] }),
      'graph/shape',
      /≥ 1/,
    )
    await failsWith(sketch('Relu', ['nowhere'], {}), 'graph/unknown-value', /"nowhere"/)
    await failsWith(sketch('Swirl', [], {}), 'graph/unknown-operator', /"Swirl"/)
  })

  test('refuses tensors whose numbers do not match their shape', async () => {
    const random = createRandom(1)
    const broken = [
      { ...randomDense(random, [4]), shape: [5] },
      { ...randomTernary(random, [4, 4], 0.5), shape: [4, 5] },
      randomTernary(random, [4, 4], 0.5, { magnitudes: 3 }),
    ]
    for (const tensor of broken) {
      const m = new ModelSketch()
      m.tensor(tensor as never)
      await failsWith(m.model(m.input('x', [1, 4])), 'tensor/invalid', /tensor "t0"/)
    }
  })

  test('refuses a small model that asks for absurd memory or work before taking any', async () => {
    const padded = (pad: number, times: number) => {
      const m = new ModelSketch()
      let x = m.input('x', [1, 1, 1, 1])
      for (let i = 0; i < times; i++)
        x = m.node('Pad', [x], { pads: [0, 0, pad, pad, 0, 0, pad, pad], value: 0 })
      return { m, x }
    }
    await failsWith(padded(2 ** 29, 1).m.model('v0'), 'file/limit', /elements/)
    await failsWith(padded(2 ** 53 - 1, 1).m.model('v0'), 'graph/shape', /whole number/)
    const far = padded(1, 1)
    const window = {
      strides: [2 ** 32, 1],
      dilations: [1, 1],
      pads: [2 ** 32 - 1, 0, 0, 0],
      groups: 1,
    } as const
    const once = far.m.node('Conv', [far.x, far.m.input('w', [1, 1, 1, 1])], window)
    await failsWith(far.m.model(once), 'graph/shape', /a padded input of 1 to/)
    const big = padded(8000, 1)
    await failsWith(big.m.model(big.m.node('Concat', [big.x], { axis: 0 })), 'file/limit', /bytes of memory/)
    const slow = padded(4000, 1)
    const kernel = [4001, 4001] as const
    const y = slow.m.node('MaxPool', [slow.x], { kernel, strides: [1, 1], pads: [0, 0, 0, 0] })
    await failsWith(slow.m.model(y), 'file/limit', /operations/)
  })

  test('refuses too many nodes', async () => {
    const m = new ModelSketch()
    let x = m.input('x', [1])
    for (let i = 0; i <= planLimits.nodes; i++) x = m.node('Identity', [x], {})
    await failsWith(m.model(x), 'file/limit', /nodes/)
  })
})

describe('inferShapes', () => {
  test('follows another batch size through the model', () => {
    const model = lenet5(0.9)
    const shapes = inferShapes(model, new Map([['x', [7, 1, 28, 28]]]))
    assert.deepEqual(shapes.get(model.outputs[0]!), [7, 10])
    assert.equal(sizeOf(shapes.get('v2')!), 7 * 32 * 12 * 12)
  })
})
