/** Turns planned steps into calls of kernels that work on the plan's memory. */
import type { Kernel, Tiled } from '../../plan/kernel.ts'
import { denseRunBytes } from '../../plan/numbers/dense-runs.ts'
import type { WindowLayout } from '../../plan/numbers/window.ts'
import type { Plan, PlannedStep } from '../../plan/plan.ts'
import { sizeOf } from '../../plan/shape.ts'
import type { LinearStep } from '../../plan/steps.ts'
import { type Binding, type BindingContext, bindCall } from './binding.ts'
import { bindMoves, copyPlanes, emitFill, mergeAxes } from './copies.ts'
import { emitDenseTile } from './dense-tiles.ts'
import type { Epilogue } from './epilogue.ts'
import { emitGather } from './gather.ts'
import type { KernelFunction } from './library.ts'
import { emitClip, emitCombine, emitCopy, emitNeighbourSums, emitPairMaximum, emitRowSums } from './plain.ts'
import {
  type InputOffsets,
  type Lists,
  writeDenseBlocks,
  writeDenseRun,
  writePoolLists,
  writeTernaryLists,
} from './prepare.ts'
import { emitRows } from './rows.ts'
import { emitTile, type TileSpec } from './tiles.ts'

/** Writes a step's weights and asks for its functions; undefined where no SIMD kernel was planned. */
export function bindStep(context: BindingContext): Binding | undefined {
  const { plan, planned, library, inputs } = context
  const { kernel, step } = planned
  const output = plan.addresses.get(step.output)!
  const outputBytes = 4 * sizeOf(plan.shapes.get(step.output)!)
  switch (kernel.name) {
    case 'add-lists':
    case 'dense-tiles':
    case 'pool-tiles':
      return bindTiles(context, kernel)
    case 'gather-lists':
      return bindGather(context, kernel)
    case 'dense-rows':
      return bindRows(context, kernel)
    case 'copy': {
      const copy = library.request(emitCopy, undefined)
      const { fill, moves } = kernel.movement
      const merged = moves.map(move => ({ source: inputs[move.input]!, move: mergeAxes(move) }))
      const vector =
        fill === undefined ? undefined : [...new Uint8Array(new Float32Array(4).fill(fill).buffer)]
      const filling = vector && bindCall(library.request(emitFill, vector), output, output + outputBytes)
      return bindMoves(copy, merged, output, 4, filling)
    }
    case 'clip': {
      const clip = library.request(emitClip, kernel.bounds)
      return bindCall(clip, output, output + outputBytes, inputs[0]!)
    }
    case 'combine': {
      const combine = library.request(emitCombine, kernel.op)
      return bindCall(combine, output, output + outputBytes, inputs[0]!, inputs[1]!)
    }
    case 'pool-pairs': {
      const [height, width] = plan.shapes.get(step.node.inputs[0]!)!.slice(2) as [number, number]
      const columns = plan.shapes.get(step.output)![3]!
      const maximum = library.request(emitPairMaximum, { columns, rowBytes: 4 * width, height })
      return bindCall(maximum, output, output + outputBytes, inputs[0]!)
    }
    case 'row-sums': {
      const sums = library.request(emitRowSums, undefined)
      const { length, scale } = kernel
      return bindCall(sums, output, output + outputBytes, inputs[0]!, 4 * length, scale)
    }
    case 'alias':
    case 'reference':
      return undefined
    case 'byte-lists':
    case 'byte-dense':
    case 'byte-lookup':
    case 'byte-gather':
    case 'quantize':
    case 'dequantize':
    case 'byte-window':
    case 'byte-maximum':
    case 'byte-pairs':
    case 'byte-mean':
    case 'byte-copy':
      throw new TypeError(`${step.node.name}: ${kernel.name} needs a step on bytes`)
    case 'map':
    case 'broadcast':
    case 'normalize':
    case 'softmax':
    case 'fold':
    case 'window':
    case 'product':
      throw new TypeError(`${step.node.name}: ${kernel.name} is bound elsewhere`)
    default:
      return kernel satisfies never
  }
}

/** The copy into padded planes that goes before a window's kernel, and where that kernel reads. */
function bindWindow(
  { planned, buffer, library, inputs }: BindingContext,
  layout: WindowLayout | undefined,
  border: number,
): { readonly prepare: Binding | undefined; readonly address: number } {
  const source = inputs[0]!
  const scratch = layout?.scratch
  const address = planned.scratchAddress
  if (scratch === undefined || address === undefined) return { prepare: undefined, address: source }
  new Float32Array(buffer, address, scratch.floats).fill(border)
  const copy = library.request(emitCopy, undefined)
  const { sums, rowStep } = layout!
  const { sumsAddress } = planned
  if (sums === undefined || sumsAddress === undefined) {
    return { prepare: () => copyPlanes.bind(null, copy(), scratch, source, address), address }
  }
  const addNeighbours = library.request(emitNeighbourSums, undefined)
  const { planes, floats } = scratch
  const prepare: Binding = () => {
    const [copying, adding] = [copy(), addNeighbours()]
    return () => {
      copyPlanes(copying, scratch, source, address)
      const end = address + 4 * floats
      adding(address, end, (4 * floats) / planes, 4 * rowStep, sumsAddress, 4 * sums.planeFloats)
    }
  }
  return { prepare, address }
}

const epilogueOf = ({ residual, bounds }: LinearStep): Epilogue => ({
  residual: residual !== undefined,
  bounds,
})

function residualAddress(plan: Plan, step: PlannedStep['step']): number {
  const name = step.kind === 'linear' ? step.residual : undefined
  return name === undefined ? 0 : plan.addresses.get(name)!
}

/** A fully connected layer reads its inputs in order; a window reads where its layout says. */
export function inputOffsets(planned: PlannedStep, layout: WindowLayout | undefined): InputOffsets {
  const { depth, filters, convolution } = planned.step as LinearStep
  const ofWeights = new Uint32Array(depth)
  if (convolution === undefined || layout === undefined) {
    for (let k = 0; k < depth; k++) ofWeights[k] = 4 * k
    return { ofWeights, groupStep: 0, filtersPerGroup: filters }
  }
  const [height, width] = convolution.window.kernel
  const channels = depth / (height * width)
  let k = 0
  for (let c = 0; c < channels; c++) {
    for (let ky = 0; ky < height; ky++) {
      for (let kx = 0; kx < width; kx++) ofWeights[k++] = 4 * layout.offsetOf(c, ky, kx)
    }
  }
  const groupStep = 4 * layout.offsetOf(channels, 0, 0)
  const sums = layout.sums && {
    kernel: convolution.window.kernel,
    first: planned.sumsAddress! - planned.scratchAddress!,
    planeStep: 4 * layout.sums.planeFloats,
    channelStep: 4 * layout.offsetOf(1, 0, 0),
    channelsPerGroup: channels,
  }
  const filtersPerGroup = filters / convolution.groups
  return { ofWeights, groupStep, filtersPerGroup, ...(sums && { sums }) }
}

type TileKernel = Extract<Kernel, { readonly name: 'add-lists' | 'dense-tiles' | 'pool-tiles' }>

/** A function for one tile, the lists it walks, and the first output channel it writes. */
interface TilePart {
  readonly run: () => KernelFunction
  readonly lists: Lists
  readonly firstChannel: number
}

function bindTiles(context: BindingContext, kernel: TileKernel): Binding {
  const { plan, planned } = context
  const { step } = planned
  const { layout, tiling }: Tiled = kernel
  const [height, width] = layout.output
  const places = (rowStep: number) =>
    Array.from({ length: tiling.rows }, (_, row) =>
      tiling.vectors.map(column => 4 * (row * rowStep + column)),
    ).flat()
  const border = kernel.name === 'pool-tiles' && kernel.pool === 'max' ? -Infinity : 0
  const window = bindWindow(context, layout, border)
  const bound = bindTileParts(context, kernel, {
    inputOffsets: places(layout.rowStep),
    outputOffsets: places(width),
    lanes: tiling.lanes,
    ...(step.kind === 'linear' ? epilogueOf(step) : { residual: false, bounds: undefined }),
  })

  const output = plan.addresses.get(step.output)!
  const residual = residualAddress(plan, step)
  const planeBytes = 4 * sizeOf(layout.output)
  return () => {
    const parts = bound.map(({ run, lists, firstChannel }) => ({
      run: run(),
      lists,
      firstByte: firstChannel * planeBytes,
    }))
    const prepare = window.prepare?.()
    return () => {
      prepare?.()
      for (let top = 0; top < height; top += tiling.rows) {
        const row = Math.min(top, height - tiling.rows)
        for (let left = 0; left < width; left += tiling.columns) {
          const column = Math.min(left, width - tiling.columns)
          const input = window.address + 4 * (row * layout.rowStep + column)
          const place = 4 * (row * width + column)
          for (const { run, lists, firstByte } of parts) {
            run(
              input,
              output + firstByte + place,
              residual + firstByte + place,
              lists.records,
              lists.recordsEnd,
              lists.entries,
              planeBytes,
            )
          }
        }
      }
    }
  }
}

function bindTileParts(
  { planned, plan, buffer, library }: BindingContext,
  kernel: TileKernel,
  spec: Omit<TileSpec, 'mode'>,
): readonly TilePart[] {
  const { step, weights } = planned
  const { layout } = kernel
  if (kernel.name === 'pool-tiles') {
    const channels = plan.shapes.get(step.output)![1]!
    const { pool, window } = kernel
    const lists = writePoolLists(buffer, weights.address, pool, channels, window, layout.offsetOf)
    const mode = pool === 'max' ? 'max' : 'equal'
    return [{ run: library.request(emitTile, { ...spec, mode }), lists, firstChannel: 0 }]
  }
  const linear = step as LinearStep
  const offsets = inputOffsets(planned, layout)
  if (kernel.name === 'add-lists') {
    const { magnitudes } = kernel
    const lists = writeTernaryLists(buffer, weights.address, linear, magnitudes, offsets)
    return [{ run: library.request(emitTile, { ...spec, mode: magnitudes }), lists, firstChannel: 0 }]
  }
  let { address } = weights
  return kernel.runs.map(run => {
    const lists = writeDenseRun(buffer, address, linear, run, offsets)
    address += denseRunBytes(run, linear.depth)
    const { filters, firstFilter } = run
    return { run: library.request(emitDenseTile, { ...spec, filters }), lists, firstChannel: firstFilter }
  })
}

function bindGather(
  context: BindingContext,
  { magnitudes, layout }: Extract<Kernel, { readonly name: 'gather-lists' }>,
): Binding {
  const { plan, planned, buffer, library } = context
  const step = planned.step as LinearStep
  const { rows, filters, depth } = step
  const offsets = inputOffsets(planned, layout)
  const { records, recordsEnd, entries } = writeTernaryLists(
    buffer,
    planned.weights.address,
    step,
    magnitudes,
    offsets,
  )
  const window = bindWindow(context, layout, 0)
  const gather = library.request(emitGather, { magnitudes, ...epilogueOf(step) })
  const output = plan.addresses.get(step.output)!
  const residual = residualAddress(plan, step)
  return () => {
    const run = gather()
    const prepare = window.prepare?.()
    return () => {
      prepare?.()
      for (let row = 0; row < rows; row++) {
        const place = 4 * row * filters
        run(window.address + 4 * row * depth, output + place, residual + place, records, recordsEnd, entries)
      }
    }
  }
}

function bindRows(
  context: BindingContext,
  { layout }: Extract<Kernel, { readonly name: 'dense-rows' }>,
): Binding {
  const { plan, planned, buffer, library } = context
  const step = planned.step as LinearStep
  const { rows, filters, depth } = step
  const window = bindWindow(context, layout, 0)
  const epilogue = epilogueOf(step)
  const blocks = writeDenseBlocks(buffer, planned.weights.address, step).map(block => ({
    ...block,
    multiply: library.request(emitRows, { vectors: block.vectors, ...epilogue }),
  }))
  const output = plan.addresses.get(step.output)!
  const residual = residualAddress(plan, step)
  return () => {
    const calls = blocks.map(block => ({ ...block, multiply: block.multiply() }))
    const prepare = window.prepare?.()
    return () => {
      prepare?.()
      // Row after row: the last vector of a row may reach into the next one, which then overwrites it.
      for (let row = 0; row < rows; row++) {
        const input = window.address + 4 * row * depth
        for (const { address, firstOutput, multiply } of calls) {
          const place = 4 * (row * filters + firstOutput)
          multiply(input, input + 4 * depth, address, output + place, residual + place)
        }
      }
    }
  }
}
