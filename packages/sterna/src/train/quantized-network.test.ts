import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32, type Tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { GraphBuilder } from '../graph/index.ts'
import { createQuantizer, denseWeight } from '../ternary/index.ts'
import { materialize, quantizeNetwork, stateKey } from './quantized-network.ts'
import { tinyConfig, tinyNetwork, trainTiny } from './testing/tiny.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

describe('quantizing a network', () => {
  it('leaves everything as it is under the method float', () => {
    const { layers, state } = quantizeNetwork(tinyNetwork(), undefined, undefined)
    assert.equal(layers.size + state.size, 0)
  })

  it("takes the rule that is asked for, else the method's own", () => {
    const quantizer = createQuantizer('ec2t')!
    const names = (rule?: 'all' | 'float-last') =>
      [...quantizeNetwork(tinyNetwork(), quantizer, rule).layers.keys()].map(name =>
        name.replace('.weight', ''),
      )
    assert.deepEqual(names(), ['conv2'])
    assert.deepEqual(names('all'), ['conv1', 'conv2', 'fc'])
    assert.deepEqual(names('float-last'), ['conv1', 'conv2'])
  })

  it('tells each layer its size and that of the largest', () => {
    const { layers, state } = quantizeNetwork(tinyNetwork(), createQuantizer('ec2t'), 'all')
    assert.deepEqual(
      [...layers.values()].map(({ context }) => [context.size, context.largestSize]),
      [
        [150, 2000],
        [432, 2000],
        [2000, 2000],
      ],
    )
    assert.deepEqual([...state.keys()].filter(name => name.startsWith('fc')).sort(), [
      'fc.weight@bounds',
      'fc.weight@magnitudes',
    ])
  })
})

it('levels are one magnitude a layer or one a filter', () => {
  const assignment = Int8Array.of(1, 0, -1, 1, -1, 0)
  const shape = [2, 3]
  const layer = { shape, assignment, positive: Float32Array.of(2), negative: Float32Array.of(3) }
  assert.deepEqual(denseWeight(layer), f32(shape, [2, 0, -3, 2, -3, 0]))
  const filter = { shape, assignment, positive: Float32Array.of(1, 2), negative: Float32Array.of(3, 4) }
  assert.deepEqual(denseWeight(filter), f32(shape, [1, 0, -3, 2, -4, 0]))
})

describe('after some training the network that is written out is the one the step computes with', () => {
  const cases = [
    ['bpwn', {}],
    ['bpwn', { scale: 'filter' }],
    ['twn', {}],
    ['twn', { granularity: 'filter' }],
    ['ec2t', {}],
  ] as const
  for (const [method, methodOptions] of cases) {
    it(`${method} ${JSON.stringify(methodOptions)}`, async () => {
      const config = tinyConfig(method, { methodOptions, epochs: 1, frozenEpochs: 0 })
      const { checkpoints } = await trainTiny(engine, config)
      const { tensors } = checkpoints.at(-1)!
      const { graph } = tinyNetwork()
      const { layers } = quantizeNetwork(tinyNetwork(), createQuantizer(method, methodOptions), 'all')
      const { model, ternary } = materialize(graph, layers, tensors)
      assert.equal(ternary.size, 3)
      for (const [name, { quantizer, context, stateNames, stateShapes }] of layers) {
        const b = new GraphBuilder(name)
        const state = stateNames.map((short, index) => [
          short,
          b.parameter(stateKey(name, short), stateShapes[index]!),
        ])
        const latent = b.parameter(name, context.shape)
        const { weight } = quantizer.forward(b, latent, Object.fromEntries(state), context)
        const executable = await engine.load({ graph: b.build([weight]), state: new Map() })
        const wanted = [name, ...stateNames.map(short => stateKey(name, short))]
        await executable.setState(new Map<string, Tensor>(wanted.map(key => [key, tensors.get(key)!])))
        const computed = (await executable.run({}))[weight.name]!.data as Float32Array
        const written = model.parameters.get(name)!.data as Float32Array
        // The assignment is exact; a mean magnitude may be rounded in another order.
        assert.deepEqual(Array.from(computed, Math.sign), Array.from(written, Math.sign), name)
        computed.forEach((value, index) => {
          const error = Math.abs(value - written[index]!)
          assert.ok(error <= 1e-6 * Math.abs(value), `${name}, ${index}: ${value} and ${written[index]}`)
        })
        await executable.release()
      }
    })
  }
})
