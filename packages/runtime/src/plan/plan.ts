/** Everything that is decided about a model before memory is taken: steps, kernels, addresses. */
import { SternaError } from '../errors.ts'
import type { PackedModel } from '../file/types.ts'
import { align, alignment, type Lifetime, planArena } from './arena.ts'
import { type Choice, chooseKernel } from './choose.ts'
import { type ByteLayout, maskBytes, maskKey, needsMasks } from './integer/byte-layout.ts'
import { numbersRead, placesOf, writesNumbers } from './integer/byte-step.ts'
import { lowerToBytes } from './integer/lower.ts'
import { assignSlots, type Slots } from './integer/slots.ts'
import { planLimits } from './limits.ts'
import { preparedBytes } from './prepared-bytes.ts'
import { type Shape, sizeOf } from './shape.ts'
import { inferShapes } from './shapes.ts'
import { fuseSteps, type LinearStep, type NodeStep, type Step } from './steps.ts'
import type { WindowLayout } from './window.ts'
import { checkWork } from './work.ts'

export interface PlannedStep extends Choice {
  readonly step: Step
  /** Where the step's prepared weights lie, and how many bytes they take. */
  readonly weights: { readonly address: number; readonly bytes: number }
  /** Where the padded copy of the input lies, if the kernel needs one. */
  readonly scratchAddress: number | undefined
  /** Where the sums of neighbouring inputs lie that all layers share which have some. */
  readonly sumsAddress?: number
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
  readonly arithmetic: ArithmeticChoice
  /** With batch size 1. */
  readonly shapes: ReadonlyMap<string, Shape>
  readonly steps: readonly PlannedStep[]
  /** Byte address of every value that is computed or given; stored tensors have none. */
  readonly addresses: ReadonlyMap<string, number>
  /** Where values lie as bytes. */
  readonly places: Slots
  /** Where the masks of shifted planes begin, by `maskKey`, and a layout that needs them. */
  readonly masks: ReadonlyMap<string, { readonly address: number; readonly layout: ByteLayout }>
  readonly memory: MemoryUse
}

export interface MemoryUse {
  /** Lists and matrices made from the weights. */
  readonly weightBytes: number
  /** Padded copies of inputs; layers of equal geometry share theirs. */
  readonly scratchBytes: number
  /** Inputs, outputs and everything between, laid over each other as their lifetimes allow. */
  readonly arenaBytes: number
  readonly totalBytes: number
}

/** Vector loads may reach this far beyond the last value. */
const slackBytes = 4 * alignment

/**
 * Plans a model for one image at a time.
 * @throws SternaError as `inferShapes` does, and `file/limit` where the model asks for more memory or work than
 *   `planLimits` allows
 */
export function planModel(
  model: PackedModel,
  kernels: KernelSet,
  arithmetic: ArithmeticChoice = { name: 'f32', reason: 'asked for' },
): Plan {
  const simd = kernels.name === 'simd128'
  const shapes = inferShapes(model)
  checkWork(model, shapes)
  const inNumbers = (): (LinearStep | NodeStep)[] =>
    simd || arithmetic.name === 'int'
      ? fuseSteps(model, shapes)
      : model.nodes.map(node => ({ kind: 'node', node, output: node.outputs[0]! }))
  const { steps, reasons } =
    arithmetic.name === 'int'
      ? lowerToBytes(model, inNumbers(), shapes, simd)
      : { steps: inNumbers(), reasons: new Map<string, string>() }
  const choices = steps.map(step => {
    const choice = chooseKernel(step, model, shapes, simd)
    const inBytes = reasons.get(step.node.name)
    return inBytes === undefined
      ? choice
      : { ...choice, reason: `${choice.reason}; not in bytes: ${inBytes}` }
  })

  let address = alignment
  const take = (bytes: number): number => {
    const start = address
    address = align(address + bytes)
    return start
  }
  const planned = steps.map((step, index) => {
    const choice = choices[index]!
    const bytes = preparedBytes(step, choice.kernel, model, shapes)
    return { ...choice, step, weights: { address: take(bytes), bytes } }
  })
  const weightBytes = address - alignment

  const layoutOf = ({ kernel }: Choice): WindowLayout | undefined =>
    'layout' in kernel ? kernel.layout : undefined
  // A border of −∞ is not one of zeros.
  const scratchKey = ({ kernel }: Choice, key: string): string =>
    `${key} ${kernel.name === 'pool-tiles' ? kernel.pool : ''}`
  const scratchFloats = new Map<string, number>()
  let sumFloats = 0
  for (const choice of planned) {
    const { scratch, sums } = layoutOf(choice) ?? {}
    sumFloats = Math.max(sumFloats, sums?.floats ?? 0)
    if (scratch === undefined) continue
    const key = scratchKey(choice, scratch.key)
    scratchFloats.set(key, Math.max(scratch.floats, scratchFloats.get(key) ?? 0))
  }
  const scratchAddresses = new Map([...scratchFloats].map(([key, floats]) => [key, take(4 * floats)]))
  const sumsAddress = take(4 * sumFloats)
  const withScratch = planned.map((entry): PlannedStep => {
    const { scratch, sums } = layoutOf(entry) ?? {}
    const scratchAddress = scratch && scratchAddresses.get(scratchKey(entry, scratch.key))
    return { ...entry, scratchAddress, ...(sums && { sumsAddress }) }
  })
  const masks = new Map<string, { readonly address: number; readonly layout: ByteLayout }>()
  for (const step of steps) {
    const layout = step.kind === 'bytes' ? placesOf(step).writes?.layout : undefined
    if (layout === undefined || !needsMasks(layout)) continue
    const key = maskKey(layout)
    if (!masks.has(key)) masks.set(key, { address: take(maskBytes(layout)), layout })
  }
  const scratchBytes = address - alignment - weightBytes
  const places = assignSlots(steps, take)
  const placeBytes = address - alignment - weightBytes - scratchBytes

  const { lifetimes, roots } = trackLifetimes(model, shapes, withScratch)
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
  return { model, kernels, arithmetic, shapes, steps: withScratch, addresses, places, masks, memory }
}

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
    else if (step.kind !== 'bytes' || writesNumbers(step)) begin(step.output, index)
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
  if (step.kind === 'bytes') return numbersRead(step)
  return step.residual === undefined ? [step.input] : [step.input, step.residual]
}
