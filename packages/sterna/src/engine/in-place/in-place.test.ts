import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32, Random, scalar, type Tensor } from '../../core/index.ts'
import { GraphBuilder, type Value } from '../../graph/index.ts'
import type { Lowering } from '../lowering.ts'
import { ProgramEngine } from '../program-engine.ts'
import { standardLowering } from '../standard/index.ts'
import { trainingStep } from '../testing/training-step.ts'
import type { Program } from '../types.ts'
import { WorkerClient } from '../worker-client.node.ts'
import { withStateInPlace } from './index.ts'

const overwriting = withStateInPlace(standardLowering, 0)
const client = new WorkerClient()
await client.call('open', { device: 'cpu', threads: 2, spin: false, strict: false }, 'engine')
const setup = { device: 'cpu', reason: '', threads: 2, loweringReason: '' } as const
after(() => client.close())

const size = 12
const shape = [size, size]

/** A graph with a parameter "p", from which `build` computes its next value and another output. */
function stepOf(
  build: (b: GraphBuilder, p: Value, x: Value, rate: Value) => readonly [Value, Value],
): Program {
  const b = new GraphBuilder('step')
  const [x, rate] = [b.input('x', shape), b.input('rate', [])]
  const [next, output] = build(b, b.parameter('p', shape), x, rate)
  return { graph: b.build([next, output]), state: new Map([['p', next.name]]) }
}

const overwritten = (program: Program) => [...overwriting.lower(program, 'cpu').inPlace!]

describe('parameters are overwritten', () => {
  it('where all that reads them leads to what is written', () => {
    const program = stepOf((b, p, x, rate) => {
      const y = b.matMul(x, p)
      return [b.sub(p, b.mul(y, rate)), b.sum(y)]
    })
    assert.deepEqual(overwritten(program), ['p'])
    assert.equal(overwriting.lower(program, 'cpu').model.graph.nodes.length, 4)
  })

  it('where another reader can be made to run first', () => {
    const program = stepOf((b, p, x, rate) => [
      b.sub(p, b.mul(x, rate)),
      b.sum(b.matMul(x, b.transpose(p, [1, 0]))),
    ])
    const { model, inPlace } = overwriting.lower(program, 'cpu')
    assert.deepEqual([...inPlace!], ['p'])
    const position = (op: string) => model.graph.nodes.findIndex(({ opType }) => opType === op)
    assert.ok(position('MatMul') < position('Mul') && position('Mul') < position('Sub'))
  })

  it('when they are large, as momenta are that nothing but their update reads', () => {
    const { program, state } = trainingStep()
    const found = new Set(overwritten(program))
    for (const name of state.keys()) assert.ok(found.has(name) || !name.endsWith('.momentum'), name)
    assert.equal(withStateInPlace(standardLowering).lower(program, 'cpu').inPlace!.size, 0)
  })
})

describe('parameters are not overwritten', () => {
  const cases: readonly [string, Parameters<typeof stepOf>[0]][] = [
    [
      'where something reads the old value and the new one',
      (b, p, x, rate) => {
        const next = b.sub(p, b.mul(x, rate))
        return [next, b.sum(b.mul(p, next))]
      },
    ],
    ['where no scalar can hold up what is written', (b, p, x) => [b.sub(p, x), b.sum(b.matMul(x, p))]],
    ['where elements change places', (b, p, _x, rate) => [b.transpose(p, [1, 0]), b.sum(rate)]],
    ['where each new element needs many old ones', (b, p, x, rate) => [b.matMul(x, p), b.sum(rate)]],
    [
      'where the writer could be merged with such a one',
      (b, p, x, rate) => [b.relu(b.matMul(x, p)), b.sum(rate)],
    ],
  ]
  for (const [title, build] of cases) {
    it(title, () => assert.deepEqual(overwritten(stepOf(build)), []))
  }
})

/** Parameters, updates and readers at random; most updates are steps of a gradient's kind. */
function randomProgram(random: Random): Program {
  const b = new GraphBuilder('random')
  const pick = <T>(list: readonly T[]) => list[random.below(list.length)]!
  const rate = b.input('rate', [])
  const parameters = ['p0', 'p1', 'p2'].map(name => b.parameter(name, shape))
  const values = [b.input('x', shape), ...parameters]
  for (let i = 0; i < 14; i++) {
    const [first, second] = [pick(values), pick(values)]
    values.push(
      pick([
        () => b.add(first, second),
        () => b.mul(b.sub(first, second), rate),
        () => b.op('Tanh', [b.matMul(first, second)], {}),
        () => b.relu(b.matMul(first, b.transpose(second, [1, 0]))),
        () => b.transpose(first, [1, 0]),
        () => b.reshape(b.reshape(first, [size * size]), shape),
        () => b.mul(first, 1),
      ])(),
    )
  }
  const state = new Map<string, string>()
  const outputs: Value[] = []
  for (const parameter of parameters) {
    const next = random.below(4) === 0 ? pick(values) : b.sub(parameter, b.mul(pick(values), rate))
    state.set(parameter.name, next.name)
    outputs.push(next)
  }
  const rest = values.slice(-6).map(value => b.sum(b.mul(value, rate)))
  return { graph: b.build([...outputs, ...rest]), state }
}

/** Outputs of three runs and the parameters after them, as bytes. */
async function trajectory(program: Program, lowering: Lowering): Promise<Record<string, readonly number[]>> {
  const engine = new ProgramEngine(client, { ...setup, lowering })
  const executable = await engine.load(program)
  const random = new Random(1)
  const drawn = () =>
    f32(
      shape,
      Float32Array.from({ length: size * size }, () => random.normal()),
    )
  await executable.setState(new Map(program.graph.parameters.map(({ name }) => [name, drawn()])))
  const found: Record<string, readonly number[]> = {}
  const note = (name: string, { data }: Tensor) => {
    found[name] = [...new Uint32Array((data as Float32Array).slice().buffer)]
  }
  for (let run = 0; run < 3; run++) {
    const outputs = await executable.run({ x: drawn(), rate: scalar(0.1) })
    for (const [name, value] of Object.entries(outputs)) note(`${name} of run ${run}`, value)
  }
  for (const [name, value] of await executable.getState()) note(name, value)
  await executable.release()
  return found
}

describe('a program whose parameters are overwritten', () => {
  it('computes what it computes with two buffers for each, bit for bit', async () => {
    const random = new Random(11)
    const counts = { overwritten: 0, kept: 0, held: 0 }
    for (let i = 0; i < 60; i++) {
      const program = randomProgram(random)
      const { inPlace, model } = overwriting.lower(program, 'cpu')
      counts.overwritten += inPlace!.size
      counts.kept += 3 - inPlace!.size
      counts.held += model.graph.nodes.some(({ opType }) => opType === 'Concat') ? 1 : 0
      const expected = await trajectory(program, standardLowering)
      assert.deepEqual(await trajectory(program, overwriting), expected, `program ${i}`)
    }
    for (const [what, count] of Object.entries(counts)) assert.ok(count >= 15, `${count} ${what}`)
  })
})
