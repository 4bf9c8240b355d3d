/** Rewrites the steps of a model so that ternary layers, and what lies between them, work on bytes. */
import type { ActivationRange, PackedModel, PackedNode } from '../../file/types.ts'
import { isAlias, isMoving, movementOf } from '../moves.ts'
import type { Window } from '../numbers/window.ts'
import { poolsPairs } from '../pair-pooling.ts'
import { type Shape, sameShape, sizeOf, stridesOf } from '../shape.ts'
import { resolveAxes } from '../shape-rules.ts'
import type { LinearStep, NodeStep, Step } from '../steps.ts'
import { type ByteLayout, keepsSize, layoutFor, plainLayout, spreadLayout } from './byte-layout.ts'
import type { ByteConvolution, ByteDense, ByteMatrix, ByteOperation, Place } from './byte-step.ts'
import { convolutionFits, denseFits, largestWindow, matrixFits } from './fit.ts'
import { mostMatrixEntries, smallMapMatrix } from './small-map.ts'

/** The steps, and for each value computed in numbers although its layer is ternary, why. */
export interface Lowered {
  readonly steps: readonly Step[]
  /** By the name of the layer's node. */
  readonly reasons: ReadonlyMap<string, string>
}

/** How a step takes part: not at all, or as this operation. */
type Role =
  | { readonly name: 'numbers' }
  | {
      readonly name: 'convolution'
      readonly fit: Pick<ByteConvolution, 'filters' | 'inPart' | 'lowest' | 'highest'>
    }
  | { readonly name: 'dense'; readonly fit: Pick<ByteDense, 'codes' | 'factors'> }
  | {
      readonly name: 'matrix'
      readonly fit: Pick<ByteMatrix, 'layer' | 'nonZeros'>
      readonly bytes: boolean
    }
  | { readonly name: 'maximum'; readonly window: Window }
  | { readonly name: 'mean' }
  | { readonly name: 'move' }

export function lowerToBytes(
  model: PackedModel,
  steps: readonly (LinearStep | NodeStep)[],
  shapes: ReadonlyMap<string, Shape>,
): Lowered {
  const ranges = new Map(model.activations)
  const reasons = new Map<string, string>()
  const inBytes = new Set<string>()
  let matrixRoom = mostMatrixEntries
  const roles = steps.map((step): Role => {
    const role = roleOf(step, ranges, inBytes, shapes, reasons, matrixRoom)
    if (role.name === 'matrix' && step.kind === 'linear' && step.convolution !== undefined)
      matrixRoom -= role.fit.layer.assignment.length
    if (role.name === 'matrix' ? role.bytes : role.name !== 'numbers' && role.name !== 'mean') {
      inBytes.add(step.output)
    }
    return role
  })

  // A value may have more planes than its own, for the windows that read it as it lies; copies write one.
  const readers = new Map<string, Window[]>()
  for (const [index, step] of steps.entries()) {
    const { name } = roles[index]!
    if (name !== 'convolution' && name !== 'dense') continue
    const { input, convolution, output } = step as LinearStep
    const { window } = convolution!
    if (!keepsSize(window, shapes.get(input)!, shapes.get(output)!)) continue
    readers.set(input, [...(readers.get(input) ?? []), window])
  }
  const writers = new Map(steps.map((step, index) => [step.output, roles[index]!.name]))
  const writesPlanes = (value: string): boolean => {
    const writer = writers.get(value)
    return writer !== 'move' && writer !== 'matrix'
  }
  const places = new Map<string, Place>()
  const placeOf = (value: string): Place => {
    const known = places.get(value)
    if (known !== undefined) return known
    const plain = plainLayout(shapes.get(value)!)
    const direct = writesPlanes(value) ? (readers.get(value) ?? []) : []
    const range = ranges.get(value)!
    const layout = direct.length === 0 ? plain : layoutFor(plain, direct)
    const place = { name: `${value}#bytes`, value, range, layout, border: range.zero }
    places.set(value, place)
    return place
  }

  /** Maps as bytes in the order of their numbers, for what reads or writes them as a vector. */
  const flats = new Map<string, Place>()
  const flatOf = (value: string): Place => {
    const shape = shapes.get(value)!
    if (shape.length !== 4) return placeOf(value)
    const range = ranges.get(value)!
    const layout = plainLayout([1, sizeOf(shape)])
    return { name: `${value}#flat`, value, range, layout, border: range.zero }
  }

  const lowered: Step[] = []
  const numbers = new Set(model.inputs.map(({ name }) => name))
  const bytes = new Set<string>()
  const push = (node: PackedNode, nodes: readonly PackedNode[], output: string, operation: ByteOperation) =>
    lowered.push({ kind: 'bytes', node, nodes, output, operation })
  /** The same bytes in another order. */
  const rearrange = (value: string, source: Place, target: Place, node: PackedNode): void => {
    const shape = shapes.get(value)!
    const side = ({ layout }: Place) => ({ start: 0, strides: physicalStrides(shape, layout) })
    const movement = { moves: [{ input: 0, shape, source: side(source), target: side(target) }] }
    push(node, [], value, { op: 'move', movement, sources: [source], target })
  }
  const needBytes = (value: string, node: PackedNode): Place => {
    const place = placeOf(value)
    if (bytes.has(value)) return place
    const flat = flats.get(value)
    if (flat === undefined) push(node, [], value, { op: 'quantize', source: value, target: place })
    else rearrange(value, flat, place, node)
    bytes.add(value)
    return place
  }
  const needFlat = (value: string, node: PackedNode): Place => {
    if (shapes.get(value)!.length !== 4) return needBytes(value, node)
    const known = flats.get(value)
    if (known !== undefined) return known
    const flat = flatOf(value)
    if (bytes.has(value)) rearrange(value, placeOf(value), flat, node)
    else push(node, [], value, { op: 'quantize', source: value, target: flat })
    flats.set(value, flat)
    return flat
  }
  const needNumbers = (value: string, node: PackedNode): void => {
    if (numbers.has(value) || model.tensors.has(value)) return
    const source = bytes.has(value) ? placeOf(value) : flats.get(value)!
    push(node, [], value, { op: 'dequantize', source, target: value })
    numbers.add(value)
  }
  /** The place where this window finds its taps, filled if need be. */
  const needWindow = (
    value: string,
    window: Window,
    output: Shape,
    node: PackedNode,
    border: number,
  ): Place => {
    const plain = needBytes(value, node)
    const layout = spreadLayout(window, plain.layout.channels, output)
    const name = `${value}#bytes ${JSON.stringify([layout, border])}`
    const known = places.get(name)
    if (known !== undefined) return known
    const target = { name, value, range: plain.range, layout, border }
    places.set(name, target)
    push(node, [], value, { op: 'spread', source: plain, target })
    return target
  }

  /** Where a convolution reads: the value as it lies, or spread over planes. */
  const needTaps = ({ input, output, node }: LinearStep, window: Window): Place => {
    const shape = shapes.get(output)!
    const direct = writesPlanes(input) && keepsSize(window, shapes.get(input)!, shape)
    return direct ? needBytes(input, node) : needWindow(input, window, shape, node, ranges.get(input)!.zero)
  }

  for (const [index, step] of steps.entries()) {
    const role = roles[index]!
    const output = step.output
    switch (role.name) {
      case 'numbers':
        for (const name of inputsOfStep(step)) needNumbers(name, step.node)
        lowered.push(step)
        numbers.add(output)
        break
      case 'convolution':
      case 'dense': {
        const linear = step as LinearStep
        const { window } = linear.convolution!
        const source = needTaps(linear, window)
        if (role.name === 'dense') {
          const target = placeOf(output)
          push(linear.node, linear.nodes, output, {
            op: 'dense',
            linear,
            window,
            source,
            target,
            ...role.fit,
          })
        } else {
          const residual = linear.residual === undefined ? undefined : needBytes(linear.residual, linear.node)
          const common = { linear, window, source, residual, target: placeOf(output) }
          push(linear.node, linear.nodes, output, { op: 'convolution', ...common, ...role.fit })
        }
        bytes.add(output)
        break
      }
      case 'matrix': {
        const linear = step as LinearStep
        const source = needFlat(linear.input, linear.node)
        const target = role.bytes ? flatOf(output) : undefined
        push(linear.node, linear.nodes, output, { op: 'matrix', linear, ...role.fit, source, target })
        if (target === undefined) numbers.add(output)
        else if (shapes.get(output)!.length === 4) flats.set(output, target)
        else bytes.add(output)
        break
      }
      case 'maximum': {
        const [input, shape] = [step.node.inputs[0]!, shapes.get(output)!]
        const operation = poolsPairs(role.window, shape)
          ? ({ op: 'pair-maximum', source: needBytes(input, step.node) } as const)
          : ({
              op: 'maximum',
              window: role.window,
              source: needWindow(input, role.window, shape, step.node, 0),
            } as const)
        push(step.node, [step.node], output, { ...operation, target: placeOf(output) })
        bytes.add(output)
        break
      }
      case 'mean':
        push(step.node, [step.node], output, {
          op: 'mean',
          source: needBytes(step.node.inputs[0]!, step.node),
          target: output,
        })
        numbers.add(output)
        break
      case 'move': {
        const sources = step.node.inputs.map(name => flats.get(name) ?? needBytes(name, step.node))
        const target = placeOf(output)
        push(step.node, [step.node], output, {
          op: 'move',
          movement: byteMovement(step.node, sources, target, shapes),
          sources,
          target,
        })
        bytes.add(output)
        break
      }
      default:
        role satisfies never
    }
  }
  const last = steps.at(-1)!.node
  for (const name of model.outputs) needNumbers(name, last)
  return { steps: lowered, reasons }
}

const inputsOfStep = (step: LinearStep | NodeStep): readonly string[] =>
  step.kind === 'linear' && step.residual !== undefined ? [step.input, step.residual] : step.node.inputs

function roleOf(
  step: LinearStep | NodeStep,
  ranges: Map<string, ActivationRange>,
  inBytes: ReadonlySet<string>,
  shapes: ReadonlyMap<string, Shape>,
  reasons: Map<string, string>,
  matrixRoom: number,
): Role {
  const numbers: Role = { name: 'numbers' }
  if (step.kind === 'linear') {
    if (step.weight.kind !== 'ternary') {
      const fit = denseFits(step, ranges, shapes.get(step.output)!)
      return fit === undefined ? numbers : { name: 'dense', fit }
    }
    if (step.convolution === undefined) {
      const layer = matrixFits(step, ranges)
      if (typeof layer !== 'string') {
        const fit = { layer, nonZeros: step.nonZeros }
        return { name: 'matrix', fit, bytes: ranges.has(step.output) }
      }
      reasons.set(step.node.name, layer)
      return numbers
    }
    const fit = convolutionFits(step, ranges)
    if (typeof fit !== 'string') {
      const matrix = smallMapMatrix(step, ranges.get(step.input)!, shapes, matrixRoom)
      return matrix === undefined
        ? { name: 'convolution', fit }
        : { name: 'matrix', fit: matrix, bytes: true }
    }
    reasons.set(step.node.name, fit)
    return numbers
  }
  const { node } = step
  const range = ranges.get(node.inputs[0]!)
  if (range === undefined || !passesThrough(node)) {
    return range !== undefined && inBytes.has(node.inputs[0]!) && isMean(step, shapes)
      ? { name: 'mean' }
      : numbers
  }
  const same = node.inputs.every(name => {
    const other = ranges.get(name)
    return other?.scale === range.scale && other.zero === range.zero && other.max === range.max
  })
  if (!same) return numbers
  ranges.set(step.output, range)
  if (!node.inputs.every(name => inBytes.has(name))) return numbers
  if (isAlias(node) && !walksAsOne(shapes.get(node.inputs[0]!)!, shapes.get(step.output)!)) return numbers
  if (node.op !== 'MaxPool') return { name: 'move' }
  const { kernel, strides, pads } = node.attributes
  const window = { kernel, strides, pads, dilations: [1, 1] as const }
  return kernel[0] * kernel[1] <= largestWindow ? { name: 'maximum', window } : numbers
}

/** Operators whose output has the range of their input: bytes only move, or one of several is chosen. */
export const passesThrough = (node: PackedNode): boolean =>
  node.op === 'MaxPool' ||
  isAlias(node) ||
  (isMoving(node) && (node.op !== 'Pad' || node.attributes.value === 0))

/** Of two feature maps of different shape neither can be walked through the other. */
const walksAsOne = (a: Shape, b: Shape): boolean => a.length !== 4 || b.length !== 4 || sameShape(a, b)

function isMean({ node }: NodeStep, shapes: ReadonlyMap<string, Shape>): boolean {
  if (node.op === 'GlobalAveragePool') return true
  if (node.op !== 'ReduceMean') return false
  const rank = shapes.get(node.inputs[0]!)!.length
  const axes = resolveAxes(node.attributes.axes, rank, node.name)
  return rank === 4 && axes.length === 2 && axes.every(axis => axis >= 2)
}

/** A movement in bytes of memory instead of elements in row-major order. */
function byteMovement(
  node: PackedNode,
  sources: readonly Place[],
  target: Place,
  shapes: ReadonlyMap<string, Shape>,
) {
  const inputs = node.inputs.map(name => shapes.get(name)!)
  const output = shapes.get(target.value)!
  const strides = {
    inputs: inputs.map((shape, i) => physicalStrides(shape, sources[i]!.layout)),
    output: physicalStrides(output, target.layout),
  }
  if (isMoving(node)) {
    const movement = movementOf(node, inputs, output, strides)
    return movement.fill === undefined ? movement : { ...movement, fill: target.range.zero }
  }
  // Only the shape changes: walk the rank-4 side, whose channels lie apart, and count through the other.
  const walked = inputs[0]!.length === 4 ? inputs[0]! : output.length === 4 ? output : [sizeOf(output)]
  const strideIn = (shape: Shape, physical: readonly number[]): readonly number[] =>
    shape.length === walked.length ? physical : stridesOf(walked)
  return {
    moves: [
      {
        input: 0,
        shape: walked,
        source: { start: 0, strides: strideIn(inputs[0]!, strides.inputs[0]!) },
        target: { start: 0, strides: strideIn(output, strides.output) },
      },
    ],
  }
}

/** Bytes from one element to the next along each axis, from the first element of the value. */
function physicalStrides(shape: Shape, layout: ByteLayout): number[] {
  const strides = stridesOf(shape)
  if (shape.length === 4 && layout.channels === shape[0]! * shape[1]!) {
    strides[1] = layout.channelBytes
    strides[0] = shape[1]! * layout.channelBytes
  }
  return strides
}
