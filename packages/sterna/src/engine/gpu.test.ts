import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { expectF32, type Tensor, tensor } from '../core/index.ts'
import { GraphBuilder, gradients } from '../graph/index.ts'
import { chooseDevice, probeDevice } from './choose-device.node.ts'
import { createEngine } from './create-engine.node.ts'
import { differentiableCases, drawInputs } from './testing/operator-cases.ts'
import { train, trainingStep } from './testing/training-step.ts'
import type { Engine, Program } from './types.ts'

const [webgpu, cuda] = [await probeDevice('webgpu'), await probeDevice('cuda')]
const skip = 'failure' in webgpu ? webgpu.failure : false
const skipCuda = 'failure' in cuda ? `no CUDA: ${cuda.failure}` : false

describe('the choice of a device', () => {
  it('falls back to the CPU with the reason, unless WebGPU was asked for', {
    skip: skip === false ? 'there is a WebGPU adapter' : false,
  }, async () => {
    const choice = await chooseDevice('auto')
    assert.equal(choice.device, 'cpu')
    assert.match(choice.reason, /^no WebGPU: ./)
    await assert.rejects(chooseDevice('webgpu'), { code: 'engine/unavailable' })
  })

  it('says how CUDA is installed where it is not', {
    skip: skipCuda === false ? 'there is CUDA' : false,
  }, async () => {
    await assert.rejects(chooseDevice('cuda'), {
      code: 'engine/unavailable',
      message: /^device cuda: ./,
      hint: /ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false/,
    })
  })

  it('compares both where there is an adapter', { skip }, async () => {
    const { reason } = await chooseDevice('auto')
    assert.match(reason, /takes [\d.]+ ms on WebGPU, [\d.]+ ms on the CPU/)
  })
})

describe('on WebGPU', { skip }, () => {
  let cpu: Engine
  let gpu: Engine
  before(async () => {
    cpu = await createEngine({ device: 'cpu', threads: 1 })
    gpu = await createEngine({ device: 'webgpu', strict: true })
  })
  after(async () => {
    await cpu.close()
    await gpu.close()
  })

  it('training equals training on the CPU up to rounding', () => expectSameTraining(cpu, gpu))

  it('state is copied between executables on the device', async () => {
    const { program, state, batch, loss } = trainingStep()
    const [from, to] = [await gpu.load(program), await gpu.load(program)]
    await from.setState(state)
    await from.run(batch)
    await to.copyStateFrom(from, state.keys())
    await from.release()
    const outputs = await to.run(batch)
    assert.ok(Number.isFinite(outputs[loss]!.data[0]))
    await to.release()
  })

  it('a graph that the GPU cannot run whole is refused in strict mode, and runs otherwise', async () => {
    const b = new GraphBuilder('double')
    const program = { graph: b.build([b.sqrt(b.input('x', [2], 'f64'))]), state: new Map() }
    await assert.rejects(gpu.load(program), { code: 'engine/failed', message: /graph "double": .*CPU/s })
    const lenient = await createEngine({ device: 'webgpu' })
    const executable = await lenient.load(program)
    const [y] = Object.values(await executable.run({ x: tensor('f64', [2], Float64Array.of(0, 9)) }))
    assert.deepEqual([...y!.data], [0, 3])
    await lenient.close()
  })

  it('every operator and its derivative have the values of the CPU', async () => {
    const wrong: string[] = []
    for (const operator of differentiableCases) {
      const b = new GraphBuilder(operator.title)
      const inputs = operator.inputs.map((shape, index) => b.input(`input${index}`, shape))
      const y = b.opAll(operator.op, inputs, operator.attributes)[0]!
      const checked = operator.differentiable.map(index => inputs[index]!)
      const program = { graph: b.build([y, ...gradients(b, b.sum(b.mul(y, y)), checked)]), state: new Map() }
      const feeds = Object.fromEntries(drawInputs(operator).map((input, index) => [`input${index}`, input]))
      const [expected, found] = [await outputsOf(cpu, program, feeds), await outputsOf(gpu, program, feeds)]
      expected.forEach((values, output) => {
        const scale = Math.max(1, ...values.map(Math.abs))
        const other = found[output]!
        if (values.some((value, i) => !(Math.abs(value - other[i]!) <= 1e-4 * scale))) {
          wrong.push(`${operator.title}, output ${output}`)
        }
      })
    }
    assert.deepEqual(wrong, [])
  })
})

async function outputsOf(
  engine: Engine,
  program: Program,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Float32Array[]> {
  const executable = await engine.load(program)
  const outputs = await executable.run(feeds)
  await executable.release()
  return Object.entries(outputs).map(([name, value]) => expectF32(value, name).data)
}

it('training on CUDA equals training on the CPU up to rounding', { skip: skipCuda }, async () => {
  const cpu = await createEngine({ device: 'cpu', threads: 1 })
  const gpu = await createEngine({ device: 'cuda' })
  await expectSameTraining(cpu, gpu)
  await cpu.close()
  await gpu.close()
})

async function expectSameTraining(cpu: Engine, gpu: Engine): Promise<void> {
  const expected = await train(cpu, 3)
  const found = await train(gpu, 3)
  found.losses.forEach((loss, i) => {
    assert.ok(Math.abs(loss - expected.losses[i]!) < 1e-4, `step ${i}: ${loss} and ${expected.losses[i]}`)
  })
  for (const [name, value] of expected.state) {
    const other = expectF32(found.state.get(name), name).data
    expectF32(value, name).data.forEach((number, i) => {
      assert.ok(Math.abs(number - other[i]!) < 1e-4, `${name}[${i}]: ${other[i]} and ${number}`)
    })
  }
}
