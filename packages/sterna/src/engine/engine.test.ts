import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { expectF32, f32, SternaError, type SternaErrorCode, scalar } from '../core/index.ts'
import { type Graph, GraphBuilder } from '../graph/index.ts'
import { createEngine } from './create-engine.node.ts'
import { digest } from './testing/print-training.node.ts'
import { train } from './testing/training-step.ts'

const engine = await createEngine({ device: 'cpu', threads: 2 })
after(() => engine.close())

function hasCode(code: SternaErrorCode, ...parts: string[]) {
  return (error: unknown) => {
    assert.ok(error instanceof SternaError, String(error))
    assert.equal(error.code, code)
    for (const part of parts)
      assert.ok(error.message.includes(part), `"${error.message}" does not say "${part}"`)
    return true
  }
}

/** total ← total + x; outputs total · 10. */
function counter() {
  const b = new GraphBuilder('counter')
  const x = b.input('x', [2])
  const total = b.parameter('total', [2])
  const next = b.add(total, x)
  const tenfold = b.op('Mul', [next, b.constant(10)], {}, 'tenfold')
  return { graph: b.build([next, tenfold]), state: new Map([['total', next.name]]) }
}

describe('an executable', () => {
  it('keeps its state between runs and hands back the other outputs', async () => {
    const executable = await engine.load(counter())
    await executable.setState(new Map([['total', f32([2], [1, 2])]]))
    const outputs = await executable.run({ x: f32([2], [1, 1]) })
    assert.deepEqual(Object.keys(outputs), ['tenfold:out'])
    assert.deepEqual([...outputs['tenfold:out']!.data], [20, 30])
    await executable.run({ x: f32([2], [1, 1]) })
    await executable.run({ x: f32([2], [0, 5]) })
    assert.deepEqual([...(await executable.getState()).get('total')!.data], [3, 9])
    await executable.release()
  })

  it('carries out queued calls in order, each with the inputs of its moment', async () => {
    const executable = await engine.load(counter())
    const x = f32([2])
    void executable.setState(new Map([['total', f32([2])]]))
    const runs = []
    for (let i = 1; i <= 20; i++) {
      x.data.fill(i)
      runs.push(executable.run({ x }))
    }
    const state = executable.getState(['total'])
    x.data.fill(1000)
    runs.push(executable.run({ x }))
    const results = await Promise.all(runs)
    assert.deepEqual(
      results.slice(0, 3).map(result => result['tenfold:out']!.data[0]),
      [10, 30, 60],
    )
    assert.deepEqual([...(await state).get('total')!.data], [210, 210])
    await executable.release()
  })

  it('gives copies: changing what getState returned, or what setState was given, changes nothing', async () => {
    const executable = await engine.load(counter())
    const given = f32([2], [1, 1])
    await executable.setState(new Map([['total', given]]))
    given.data.fill(7)
    const first = await executable.getState()
    expectF32(first.get('total'), 'total').data.fill(9)
    assert.deepEqual([...(await executable.getState()).get('total')!.data], [1, 1])
    await executable.release()
  })

  it('holds a large parameter once, and leaves no copies of it behind', async () => {
    const b = new GraphBuilder('large')
    const size = 16_000_000
    const rate = b.input('rate', [])
    const total = b.parameter('total', [size])
    const next = b.sub(total, b.mul(b.relu(total), rate))
    const executable = await engine.load({ graph: b.build([next]), state: new Map([['total', next.name]]) })
    const value = f32([size], new Float32Array(size).fill(4))
    const before = process.memoryUsage.rss()
    await executable.setState(new Map([['total', value]]))
    for (let run = 0; run < 3; run++) await executable.run({ rate: scalar(0.5) })
    const held = (process.memoryUsage.rss() - before) / value.data.byteLength
    // Beside the parameter, the two values that its update computes.
    assert.ok(held < 3.5, `holds ${held.toFixed(1)} × the parameter`)
    assert.equal((await executable.getState()).get('total')!.data[size - 1], 0.5)
    await executable.release()
  })

  it('copies state to another executable, after which they are independent', async () => {
    const [from, to] = [await engine.load(counter()), await engine.load(counter())]
    await from.setState(new Map([['total', f32([2], [4, 5])]]))
    await to.copyStateFrom(from, ['total'])
    await to.run({ x: f32([2], [1, 1]) })
    await from.run({ x: f32([2], [2, 2]) })
    await from.run({ x: f32([2], [2, 2]) })
    assert.deepEqual([...(await to.getState()).get('total')!.data], [5, 6])
    assert.deepEqual([...(await from.getState()).get('total')!.data], [8, 9])
    await from.release()
    await to.release()
  })

  it('has outputs that are inputs, parameters, constants or given twice', async () => {
    const b = new GraphBuilder('odd outputs')
    const x = b.input('x', [2])
    const held = b.parameter('held', [2])
    const copied = b.parameter('copied', [2])
    const alsoCopied = b.parameter('alsoCopied', [2])
    const sum = b.op('Add', [x, held], {}, 'sum')
    const graph = b.build([x, held, b.constant(3, 'three'), sum, sum])
    const state = new Map([
      ['copied', sum.name],
      ['alsoCopied', sum.name],
    ])
    const executable = await engine.load({ graph, state })
    await executable.setState(new Map([held, copied, alsoCopied].map(({ name }) => [name, f32([2], [1, 2])])))
    const outputs = await executable.run({ x: f32([2], [10, 20]) })
    assert.deepEqual(Object.keys(outputs), ['x', 'held', 'three'])
    assert.deepEqual(outputs.three, scalar(3))
    assert.deepEqual([...outputs.x!.data], [10, 20])
    const after = await executable.getState()
    assert.deepEqual([...after.get('alsoCopied')!.data], [11, 22])
    assert.deepEqual([...after.get('copied')!.data], [11, 22])
    await executable.release()
  })

  it('does not read parameters that nothing uses', async () => {
    const b = new GraphBuilder('unused')
    const x = b.input('x', [1])
    b.parameter('spare', [3])
    const executable = await engine.load({ graph: b.build([b.neg(x)]), state: new Map() })
    await executable.setState(new Map([['spare', f32([3])]]))
    const outputs = await executable.run({ x: f32([1], [2]) })
    assert.deepEqual(
      Object.values(outputs).map(({ data }) => data[0]),
      [-2],
    )
    await executable.release()
  })

  it('runs a padded pooling behind a Pad', async () => {
    const b = new GraphBuilder('pad and pool')
    const x = b.input('x', [1, 1, 1, 3])
    const padded = b.op('Pad', [x], { pads: [0, 0, 0, 1, 0, 0, 0, 0], value: 0 })
    const pool = { kernel: [1, 2], strides: [1, 2], pads: [0, 1, 0, 0], countIncludePad: true } as const
    const graph = b.build([b.op('AveragePool', [padded], pool)])
    const executable = await engine.load({ graph, state: new Map() })
    const [y] = Object.values(await executable.run({ x: f32([1, 1, 1, 3], [2, 4, 6]) }))
    assert.deepEqual([...y!.data], [0, 3])
    await executable.release()
  })

  it('leaves the main thread free while it runs', async () => {
    const b = new GraphBuilder('busy')
    const x = b.input('x', [700, 700])
    let y = x
    for (let i = 0; i < 6; i++) y = b.matMul(y, x)
    const executable = await engine.load({ graph: b.build([b.sum(y)]), state: new Map() })
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    await executable.run({ x: f32([700, 700]) })
    clearInterval(timer)
    assert.ok(ticks >= 2, `the main thread ran ${ticks} times`)
    await executable.release()
  })
})

describe('the engine names the graph in its errors', () => {
  it('for inputs that are missing or do not fit', async () => {
    const executable = await engine.load(counter())
    await assert.rejects(
      executable.run({ x: f32([2]) }),
      hasCode('graph/unknown-value', 'counter', '"total"', 'not been set'),
    )
    await executable.setState(new Map([['total', f32([2])]]))
    await assert.rejects(executable.run({}), hasCode('graph/unknown-value', 'counter', '"x"'))
    await assert.rejects(
      executable.run({ x: f32([3]) }),
      hasCode('graph/shape', 'counter', '"x"', '[2]', '[3]'),
    )
    await assert.rejects(
      executable.setState(new Map([['other', f32([2])]])),
      hasCode('graph/unknown-value', 'counter', '"other"'),
    )
    await assert.rejects(
      executable.setState(new Map([['total', f32([1])]])),
      hasCode('graph/shape', 'counter', '"total"', '[1]'),
    )
    await executable.release()
    await assert.rejects(executable.getState(), hasCode('engine/failed', 'counter', 'released'))
  })

  it('for state that does not fit', async () => {
    const { graph } = counter()
    await assert.rejects(
      engine.load({ graph, state: new Map([['total', 'nothing']]) }),
      hasCode('graph/unknown-value', 'nothing'),
    )
    await assert.rejects(
      engine.load({ graph, state: new Map([['x', 'tenfold:out']]) }),
      hasCode('graph/unknown-value', '"x"'),
    )
  })

  it('for a graph that ONNX Runtime refuses', async () => {
    const shape = [2, 3]
    const graph: Graph = {
      name: 'impossible',
      inputs: [{ name: 'x', dtype: 'f32', shape }],
      parameters: [],
      constants: new Map(),
      nodes: [{ op: 'MatMul', name: 'product', inputs: ['x', 'x'], outputs: ['y'], attributes: {} }],
      outputs: ['y'],
      values: new Map(['x', 'y'].map(name => [name, { name, dtype: 'f32', shape }])),
    }
    await assert.rejects(
      engine.load({ graph, state: new Map() }),
      hasCode('engine/failed', 'impossible', 'MatMul'),
    )
  })

  it('for thread counts that make no sense', async () => {
    await assert.rejects(createEngine({ device: 'cpu', threads: 0 }), hasCode('usage/option', '0'))
  })
})

describe('a closed engine', () => {
  it('rejects what was waiting and what comes after', async () => {
    const closing = await createEngine({ device: 'cpu', threads: 1 })
    const executable = await closing.load(counter())
    await executable.setState(new Map([['total', f32([2])]]))
    const runs = [executable.run({ x: f32([2]) }), executable.run({ x: f32([2]) })]
    const waiting = runs.map(run => assert.rejects(run, hasCode('engine/failed', 'counter', 'closed')))
    await closing.close()
    await Promise.all(waiting)
    await assert.rejects(executable.run({ x: f32([2]) }), hasCode('engine/failed', 'closed'))
    await closing.close()
  })
})

describe('a process that exits while steps are running', () => {
  it('exits with its own code', () => {
    const program = fileURLToPath(new URL('./testing/print-training.node.js', import.meta.url))
    for (let i = 0; i < 3; i++) {
      const child = spawnSync(process.execPath, [program, 'leave'], { encoding: 'utf8', timeout: 30_000 })
      assert.equal(child.stderr, '')
      assert.equal(child.status, 3)
    }
  })
})

it('starts in a program given on the command line', () => {
  const url = new URL('./create-engine.node.js', import.meta.url).href
  const code = `import { createEngine } from '${url}'; await (await createEngine({ device: 'cpu' })).close()`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    timeout: 30_000,
  })
  assert.equal(child.stderr, '')
  assert.equal(child.status, 0)
})

describe('training on the CPU', () => {
  it('lowers the loss', async () => {
    const { losses } = await train(engine, 30)
    assert.ok(losses.at(-1)! < 0.5 * losses[0]!, `losses ${losses[0]} … ${losses.at(-1)}`)
  })

  it('gives the same bits every time, with spinning threads, and in another process, which ends by itself', async () => {
    const expected = digest((await train(engine, 20)).state)
    assert.equal(digest((await train(engine, 20)).state), expected)
    const spinning = await createEngine({ device: 'cpu', threads: 2, spin: true })
    assert.equal(digest((await train(spinning, 20)).state), expected)
    await spinning.close()
    const program = fileURLToPath(new URL('./testing/print-training.node.js', import.meta.url))
    const child = spawnSync(process.execPath, [program, 'train'], { encoding: 'utf8', timeout: 30_000 })
    assert.equal(child.stderr, '')
    assert.equal(child.status, 0)
    assert.equal(child.stdout.trim(), expected)
  })
})
