/** Carries out a step on bytes with the reference kernels; bytes lie in the order of the value's numbers. */
import type { TernaryTensor } from '../../file/types.ts'
import type { ByteDense, ByteMatrix, ByteOperation, ByteStep, Place } from '../../plan/integer/byte-step.ts'
import { isMoving, movementOf } from '../../plan/moves.ts'
import type { Shape } from '../../plan/shape.ts'
import type { Bounds } from '../../plan/steps.ts'
import {
  averageBytes,
  connectBytes,
  convolveBytes,
  convolveDense,
  dequantizeBytes,
  quantizeBytes,
} from './integer.ts'
import { move } from './movement.ts'
import { maxPool } from './pooling.ts'

export interface ByteValues {
  /** The bytes of a value, as many as it has numbers. */
  bytes(value: string): Uint8Array
  numbers(value: string): Float32Array
  shape(value: string): Shape
}

export function runByteStep({ node, operation }: ByteStep, values: ByteValues): void {
  const bytesOf = ({ value }: Place): Uint8Array => values.bytes(value)
  switch (operation.op) {
    case 'convolution': {
      const { linear, source, residual, target, filters, inPart, lowest, highest } = operation
      const weight = linear.weight as TernaryTensor
      if (linear.node.op !== 'Conv') throw new TypeError(`${linear.node.op} is no convolution`)
      const output = convolveBytes(
        {
          attributes: linear.node.attributes,
          assignment: weight.assignment,
          weightShape: weight.shape,
          filters,
          inPart,
          inputZero: source.range.zero,
          lowest,
          highest,
          ...(residual && { residual: { bytes: bytesOf(residual), zero: residual.range.zero } }),
        },
        bytesOf(source),
        values.shape(source.value).slice(1),
        values.shape(target.value).slice(1),
      )
      bytesOf(target).set(output)
      return
    }
    case 'dense':
      runDense(operation, values)
      return
    case 'matrix':
      runMatrix(operation, values)
      return
    case 'quantize':
      bytesOf(operation.target).set(quantizeBytes(values.numbers(operation.source), operation.target.range))
      return
    case 'dequantize':
      values.numbers(operation.target).set(dequantizeBytes(bytesOf(operation.source), operation.source.range))
      return
    case 'spread':
      return
    case 'mean': {
      const { source, target } = operation
      const channels = values.shape(source.value)[1]!
      values.numbers(target).set(averageBytes(bytesOf(source), channels, source.range))
      return
    }
    case 'maximum':
    case 'pair-maximum':
    case 'move':
      moveBytes(node, operation, values)
      return
    default:
      operation satisfies never
  }
}

const inside = (numbers: Float32Array, bounds: Bounds | undefined): Float32Array =>
  bounds === undefined ? numbers : numbers.map(y => Math.min(Math.max(y, bounds.min), bounds.max))

function runDense({ linear, source, target, codes, factors }: ByteDense, values: ByteValues): void {
  const { node, weight, bias, bounds } = linear
  if (node.op !== 'Conv') throw new TypeError(`${node.op} is no convolution`)
  const numbers = convolveDense(
    {
      attributes: node.attributes,
      codes,
      weightShape: weight.shape,
      factors,
      ...(bias && { bias }),
      inputZero: source.range.zero,
    },
    values.bytes(source.value),
    values.shape(source.value).slice(1),
    values.shape(target.value).slice(1),
  )
  values.bytes(target.value).set(quantizeBytes(inside(numbers, bounds), target.range))
}

function runMatrix({ linear, layer, source, target }: ByteMatrix, values: ByteValues): void {
  const numbers = inside(connectBytes(layer, values.bytes(source.value)), linear.bounds)
  if (target === undefined) values.numbers(linear.output).set(numbers)
  else values.bytes(target.value).set(quantizeBytes(numbers, target.range))
}

/** Pooling and movements are those of numbers, which hold every byte exactly. */
function moveBytes(
  node: ByteStep['node'],
  operation: Extract<ByteOperation, { readonly op: 'maximum' | 'pair-maximum' | 'move' }>,
  values: ByteValues,
): void {
  const places = operation.op === 'move' ? operation.sources : [operation.source]
  // From one place of a value to another: here they lie in one order.
  if (places.some(({ value }) => value === operation.target.value)) return
  const views = places.map(({ value }) => ({
    shape: values.shape(value),
    data: Float32Array.from(values.bytes(value)),
  }))
  const { target } = operation
  const output = {
    shape: values.shape(target.value),
    data: new Float32Array(values.bytes(target.value).length),
  }
  if (node.op === 'MaxPool') maxPool(node.attributes, views, output)
  else if (isMoving(node)) {
    const movement = movementOf(
      node,
      views.map(view => view.shape),
      output.shape,
    )
    move({ ...movement, ...(movement.fill !== undefined && { fill: target.range.zero }) }, views, output)
  } else output.data.set(views[0]!.data)
  values.bytes(target.value).set(output.data)
}
