/** Decides how an engine writes its graphs, and says why: the fast lowering is used where it has been found to work. */
import { SternaError, type Tensor } from '../core/index.ts'
import { writeOnnx } from '../formats/onnx/index.ts'
import { createFastLowering } from './fast/index.ts'
import { blockInput, blockModel, blockOf, type TestStep, testBatches, testStep } from './fast/probe.ts'
import type { LoweredProgram, Lowering } from './lowering.ts'
import type { EngineSetup } from './program-engine.ts'
import { standardLowering } from './standard/index.ts'
import type { EngineDevice, LoweringName } from './types.ts'
import type { EngineCalls } from './worker-protocol.ts'

export type LoweringChoice = Pick<EngineSetup, 'lowering' | 'loweringReason'>

type Found = { readonly lowering: Lowering } | { readonly failure: string }

/** Largest difference of a tensor's elements, in units of its largest: rounding gives about a thousandth of this. */
const tolerance = 1e-3

/** The same for all engines of this process. */
let found: Promise<Found> | undefined

export async function chooseLowering(
  wanted: LoweringName | 'auto',
  device: EngineDevice,
  client: EngineCalls,
): Promise<LoweringChoice> {
  if (wanted === 'standard') return { lowering: standardLowering, loweringReason: 'as asked' }
  if (device !== 'cpu') {
    if (wanted === 'auto')
      return { lowering: standardLowering, loweringReason: 'the fast lowering is made for the CPU' }
    throw new SternaError(
      'engine/unavailable',
      `lowering fast: it is made for the CPU, the device is ${device}`,
      {
        hint: 'use the device cpu, or the lowering standard',
      },
    )
  }
  found ??= findFast(client)
  const result = await found
  if ('lowering' in result) {
    return {
      lowering: result.lowering,
      loweringReason: wanted === 'fast' ? 'as asked' : 'the fast lowering agrees with the standard one',
    }
  }
  if (wanted === 'auto')
    return { lowering: standardLowering, loweringReason: `no fast lowering: ${result.failure}` }
  throw new SternaError('engine/unavailable', `lowering fast: ${result.failure}`, {
    hint: 'use the lowering standard',
  })
}

/** Finds the block, then compares a training step with the standard lowering's. */
async function findFast(client: EngineCalls): Promise<Found> {
  try {
    const block = await findBlock(client)
    if (block === undefined) return { failure: 'the blocks of this CPU’s kernels are of no known size' }
    const lowering = createFastLowering(block)
    for (const batch of testBatches(block)) {
      const step = testStep(block, batch)
      const expected = await runStep(client, step, standardLowering)
      const difference = firstDifference(expected, await runStep(client, step, lowering))
      if (difference !== undefined) return { failure: difference }
    }
    return { lowering }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { failure: `the blocked kernels do not run: ${message}` }
  }
}

/** Executables of this client that engines do not count. */
let probes = -1

async function findBlock(client: EngineCalls): Promise<number | undefined> {
  const model = { model: blockModel, outputs: new Map([['y', 'y']]), state: new Map(), orders: new Map() }
  const { y } = await runOnce(client, model, [], new Map(), { x: blockInput })
  return blockOf(y!.data as Float32Array)
}

async function runStep(
  client: EngineCalls,
  step: TestStep,
  lowering: Lowering,
): Promise<Map<string, Tensor>> {
  const parameters = step.program.graph.parameters.map(({ name }) => name)
  const lowered = lowering.lower(step.program, 'cpu')
  const results = await runOnce(client, lowered, parameters, step.state, step.inputs)
  return new Map(Object.entries(results))
}

/** Outputs, and parameters under their names as they are afterwards. */
async function runOnce(
  client: EngineCalls,
  { model, outputs, state, orders }: LoweredProgram,
  parameters: readonly string[],
  tensors: ReadonlyMap<string, Tensor>,
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const where = 'self-test of the fast lowering'
  const executable = probes--
  const inPlace = new Set<string>()
  const program = {
    name: model.graph.name,
    model: writeOnnx(model),
    parameters,
    outputs,
    state,
    orders,
    inPlace,
  }
  await client.call('load', { executable, program }, where)
  await client.call('setState', { executable, tensors }, where)
  const { outputs: results } = await client.call('run', { executable, inputs }, where)
  const after = await client.call('getState', { executable, names: parameters }, where)
  await client.call('release', { executable }, where)
  return { ...results, ...Object.fromEntries(after) }
}

function firstDifference(
  expected: ReadonlyMap<string, Tensor>,
  found: ReadonlyMap<string, Tensor>,
): string | undefined {
  for (const [name, { data }] of expected) {
    const other = found.get(name)!.data as Float32Array
    const values = data as Float32Array
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const at = values.findIndex((value, index) => !(Math.abs(value - other[index]!) <= tolerance * scale))
    if (at >= 0) return `its self-test found ${other[at]} in place of ${values[at]} (${name}, element ${at})`
  }
  return undefined
}
