/** Which kernel computes a step on bytes, and why. */
import type { Choice } from '../kernel.ts'
import { poolsPairsReason } from '../pair-pooling.ts'
import { sizeOf } from '../shape.ts'
import { describeZeros } from '../zeros.ts'
import { tileVectors } from './byte-layout.ts'
import { cheaperRows } from './byte-rows.ts'
import type { ByteConvolution, ByteMatrix, ByteStep } from './byte-step.ts'

export function chooseByteKernel({ operation }: ByteStep): Choice {
  switch (operation.op) {
    case 'convolution':
      return chooseConvolution(operation)
    case 'dense':
      return {
        kernel: { name: 'byte-dense' },
        reason: 'the weights are not ternary; in 8 bits two multiply at a time',
      }
    case 'matrix':
      return chooseMatrix(operation)
    case 'quantize':
      return { kernel: { name: 'quantize' }, reason: 'what follows reads bytes' }
    case 'dequantize':
      return { kernel: { name: 'dequantize' }, reason: 'what follows reads numbers' }
    case 'spread':
      return { kernel: { name: 'byte-window' }, reason: 'one plane for each tap of the window that follows' }
    case 'maximum':
      return { kernel: { name: 'byte-maximum' }, reason: 'bytes compare like the numbers they stand for' }
    case 'pair-maximum':
      return {
        kernel: { name: 'byte-pairs' },
        reason: poolsPairsReason,
      }
    case 'mean':
      return { kernel: { name: 'byte-mean' }, reason: 'a channel is summed exactly' }
    case 'move':
      return { kernel: { name: 'byte-copy' }, reason: 'bytes only move' }
    default:
      return operation satisfies never
  }
}

function chooseMatrix({ linear, layer: { assignment }, nonZeros, source, target }: ByteMatrix): Choice {
  const positions = linear.convolution === undefined ? 1 : target!.layout.width / linear.filters
  const outputs = linear.filters * positions
  const shape = { inputs: assignment.length / outputs, outputs, nonZeros, max: source.range.max }
  const name = cheaperRows(shape)
  const zeros = describeZeros(nonZeros, assignment.length)
  const reason =
    name === 'byte-gather'
      ? `${zeros}: ${nonZeros} scalar additions beat lookups of four inputs`
      : `${zeros}: lookups of four inputs for sixteen outputs beat ${nonZeros} scalar additions`
  return {
    kernel: { name, shape },
    reason:
      linear.convolution === undefined
        ? reason
        : `as a matrix, for a map of ${positions === 1 ? 'one position leaves' : `${positions} positions leaves`} lanes idle; ${reason}`,
  }
}

function chooseConvolution({ linear, source, target }: ByteConvolution): Choice {
  const count = linear.nonZeros
  const total = sizeOf(linear.weight.shape)
  const inByte = Math.floor(0xff / source.range.max)
  const group = inByte >= 4 ? 4 : inByte >= 2 ? 2 : 1
  return {
    kernel: {
      name: 'byte-lists',
      group,
      wide: source.layout.bytes > 0xffff,
      vectors: tileVectors(target.layout.height * target.layout.width),
    },
    reason:
      `${describeZeros(count, total)}: ${count} additions of bytes an output position, ` +
      (group === 1 ? 'each widened' : `${group} at a time before they are widened`),
  }
}
