/** Everything that is decided about a model before memory is taken: steps, kernels, addresses. */
import { SternaError } from '../errors.ts'
import type { PackedModel } from '../file/types.ts'
import { align, alignment, type Lifetime, planArena } from './arena.ts'
import { describeSteps, type ModelDescription } from './describe.ts'
import type { Places } from './integer/places.ts'
import { type Choice, reference } from './kernel.ts'
import { planLimits } from './limits.ts'
import { isAlias } from './moves.ts'
import type { Scratch } from './numbers/scratch.ts'
import { type Shape, sizeOf } from './shape.ts'
import { inferShapes } from './shapes.ts'
import { fuseSteps, type Step, singleStep } from './steps.ts'
import { checkWork } from './work.ts'

export interface PlannedStep extends Choice, Scratch {
  readonly step: Step
  /** Where the step's prepared weights lie, and how many bytes they take. */
  readonly weights: { readonly address: number; readonly bytes: number }
}

/** Which kernels a session may use, and why those. */
export interface KernelSet {
  readonly name: 'simd128' | 'reference'
  readonly reason: string
}

/** In what ternary layers compute, and why. */
export interface ArithmeticChoice {
  readonly name: 'f32' | 'int'
  readonly reason: string
}

export interface Plan {
  readonly model: PackedModel
  readonly kernels: KernelSet
  /** Whether some steps need kernels of the part `general`. */
  readonly general: boolean
  /** With batch size 1. */
  readonly shapes: ReadonlyMap<string, Shape>
  readonly steps: readonly PlannedStep[]
  /** Byte address of every value that is computed or given; stored tensors have none. */
  readonly addresses: ReadonlyMap<string, number>
  /** Where values lie as bytes. */
  readonly places: Places
  readonly memory: MemoryUse
  readonly description: ModelDescription
}

export interface MemoryUse {
  /** Lists and matrices made from the weights, and stored operands. */
  readonly weightBytes: number
  /** Padded copies of inputs, which layers of equal geometry share, and what kernels keep for a while. */
  readonly scratchBytes: number
  /** Inputs, outputs and everything between, laid over each other as their lifetimes allow. */
  readonly arenaBytes: number
  readonly totalBytes: number
}

/** The parts of the planner that not every model needs. */
export interface PlanParts {
  bytes(): Promise<typeof import('./integer/index.ts')>
  numbers(): Promise<typeof import('./numbers/index.ts')>
  general(): Promise<typeof import('./general/index.ts')>
}

/** Vector loads may reach this far beyond the last value. */
const slackBytes = 4 * alignment

/**
 * Plans a model for one image at a time.
 * @throws SternaError as `inferShapes` does, and `file/limit` where the model asks for more memory or work than
 *   `planLimits` allows
 */
export async function planModel(
  model: PackedModel,
  kernels: KernelSet,
  arithmetic: ArithmeticChoice,
  parts: PlanParts,
): Promise<Plan> {
  const simd = kernels.name === 'simd128'
  const shapes = inferShapes(model)
  checkWork(model, shapes)
  const onBytes = arithmetic.name === 'int'
  const inNumbers = simd || onBytes ? fuseSteps(model, shapes) : model.nodes.map(singleStep)
  // What is likely to be needed is loaded at the same time.
  const staysInNumbers = (step: Step): boolean => step.kind === 'linear' && step.weight.kind === 'dense'
  const [bytes, early] = await Promise.all([
    onBytes ? parts.bytes() : undefined,
    simd && (!onBytes || inNumbers.some(staysInNumbers)) ? parts.numbers() : undefined,
  ])
  const lowered = bytes?.lowerToBytes(model, inNumbers, shapes)
  // Plain JavaScript has no fused layers in numbers.
  const separate = (step: Step): Step | Step[] => (step.kind === 'linear' ? step.nodes.map(singleStep) : step)
  const steps = simd ? (lowered?.steps ?? inNumbers) : (lowered?.steps ?? inNumbers).flatMap(separate)
  const isRenaming = (step: Step): boolean =>
    step.kind === 'node' && isAlias(step.node) && !model.tensors.has(step.node.inputs[0]!)
  const needsNumbers = (step: Step): boolean => simd && step.kind !== 'bytes' && !isRenaming(step)
  const numbers = early ?? (steps.some(needsNumbers) ? await parts.numbers() : undefined)

  const choose = (step: Step): Choice | undefined => {
    if (isRenaming(step)) return { kernel: { name: 'alias' }, reason: 'only the shape changes' }
    if (!simd) return reference('this session has no SIMD kernels')
    return step.kind === 'bytes' ? bytes!.chooseByteKernel(step) : numbers!.chooseNumberKernel(step, shapes)
  }
  const common = steps.map(choose)
  const general = common.includes(undefined) ? await parts.general() : undefined
  const withReason = (step: Step, index: number): Choice => {
    const choice = common[index] ?? general!.chooseGeneralKernel(step.node, shapes)
    const inBytes = step.kind === 'bytes' ? undefined : lowered?.reasons.get(step.node.name)
    return inBytes === undefined
      ? choice
      : { ...choice, reason: `${choice.reason}; not in bytes: ${inBytes}` }
  }
  /** Bytes of a step's weights in the form its kernel reads. */
  const weightBytesOf = (step: Step, { kernel }: Choice): number => {
    if (step.kind === 'bytes') return kernel.name === 'reference' ? 0 : bytes!.preparedBytes(step, kernel)
    const prepared = numbers?.preparedBytes(step, kernel, shapes) ?? 0
    if (step.kind === 'linear') return prepared
    const stored = step.node.inputs.filter(name => model.tensors.has(name))
    return stored.reduce((sum, name) => sum + 4 * sizeOf(shapes.get(name)!), prepared)
  }

  let address = alignment
  const take = (size: number): number => {
    const start = address
    address = align(address + size)
    return start
  }
  const choices = steps.map(withReason)
  const weights = steps.map((step, index) => {
    const size = weightBytesOf(step, choices[index]!)
    return { address: take(size), bytes: size }
  })
  const weightBytes = address - alignment
  const scratch = numbers?.assignScratch(choices, take)
  const scratchBytes = address - alignment - weightBytes
  const places = bytes?.assignPlaces(steps, take) ?? noPlaces
  const placeBytes = address - alignment - weightBytes - scratchBytes
  const planned = steps.map(
    (step, index): PlannedStep => ({
      step,
      ...choices[index]!,
      weights: weights[index]!,
      ...scratch?.[index],
    }),
  )

  const { lifetimes, roots } = trackLifetimes(model, shapes, planned)
  const arena = planArena(lifetimes)
  const totalBytes = address + arena.bytes + slackBytes
  if (totalBytes > planLimits.memoryBytes) {
    throw new SternaError(
      'file/limit',
      `${model.name}: needs ${totalBytes} bytes of memory, at most ${planLimits.memoryBytes} are allowed`,
    )
  }
  const addresses = new Map([...roots].map(([name, root]) => [name, address + arena.offsets.get(root)!]))
  const arenaBytes = arena.bytes + placeBytes
  const memory = { weightBytes, scratchBytes, arenaBytes, totalBytes }
  const description = {
    name: model.name,
    kernels: kernels.name,
    reason: kernels.reason,
    arithmetic: arithmetic.name,
    arithmeticReason: arithmetic.reason,
    memory,
    ...describeSteps(planned, model, shapes),
  }
  return {
    model,
    kernels,
    general: general !== undefined,
    shapes,
    steps: planned,
    addresses,
    places,
    memory,
    description,
  }
}

const noPlaces: Places = { table: 0, addresses: new Map(), slots: [], masks: new Map() }

/** When each value is written and last read; an alias lives in the value it renames, its root. */
function trackLifetimes(
  model: PackedModel,
  shapes: ReadonlyMap<string, Shape>,
  steps: readonly PlannedStep[],
): { lifetimes: Lifetime[]; roots: ReadonlyMap<string, string> } {
  const roots = new Map<string, string>()
  const lives = new Map<string, { first: number; last: number }>()
  const begin = (name: string, first: number): void => {
    roots.set(name, name)
    lives.set(name, { first, last: first })
  }
  const extend = (name: string, last: number): void => {
    const life = lives.get(roots.get(name) ?? '')
    if (life !== undefined) life.last = Math.max(life.last, last)
  }
  for (const { name } of model.inputs) begin(name, -1)
  for (const [index, { step, kernel }] of steps.entries()) {
    for (const name of inputsOf(step)) extend(name, index)
    if (kernel.name === 'alias') roots.set(step.output, roots.get(step.node.inputs[0]!)!)
    else if (writesNumbers(step)) begin(step.output, index)
  }
  for (const name of model.outputs) extend(name, Number.POSITIVE_INFINITY)
  const lifetimes = [...lives].map(([name, life]) => ({
    name,
    bytes: 4 * sizeOf(shapes.get(name)!),
    ...life,
  }))
  return { lifetimes, roots }
}

/** Names of the values a step reads that are not stored tensors it has prepared. */
export function inputsOf(step: Step): readonly string[] {
  if (step.kind === 'node') return step.node.inputs
  if (step.kind === 'bytes') return step.operation.op === 'quantize' ? [step.operation.source] : []
  return step.residual === undefined ? [step.input] : [step.input, step.residual]
}

/** Whether a step writes its output as ordinary numbers. */
function writesNumbers(step: Step): boolean {
  if (step.kind !== 'bytes') return true
  const { operation } = step
  return (
    operation.op === 'dequantize' ||
    operation.op === 'mean' ||
    (operation.op === 'matrix' && operation.target === undefined)
  )
}
