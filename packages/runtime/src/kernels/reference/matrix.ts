import { stridesOf } from '../../plan/shape.ts'
import type { ReferenceKernel } from './kernel.ts'

/** alpha · a [M, K] · b [K, N] + beta · c (broadcast to [M, N]); transA and transB read a and b transposed. */
export const gemm: ReferenceKernel<'Gemm'> = ({ alpha, beta, transA, transB }, inputs, output) => {
  const [a, b, c] = inputs
  const [rows, columns] = output.shape as readonly [number, number]
  const inner = a!.shape[transA ? 0 : 1]!
  const [aRow, aInner] = transA ? [1, rows] : [inner, 1]
  const [bInner, bColumn] = transB ? [1, inner] : [columns, 1]
  const cRow = c !== undefined && (c.shape.at(-2) ?? 1) > 1 ? c.shape.at(-1)! : 0
  const cColumn = c !== undefined && (c.shape.at(-1) ?? 1) > 1 ? 1 : 0
  for (let m = 0; m < rows; m++) {
    for (let n = 0; n < columns; n++) {
      let sum = 0
      for (let k = 0; k < inner; k++) {
        sum += a!.data[m * aRow + k * aInner]! * b!.data[k * bInner + n * bColumn]!
      }
      const added = c === undefined ? 0 : beta * c.data[m * cRow + n * cColumn]!
      output.data[m * columns + n] = alpha * sum + added
    }
  }
}

/** a […, M, K] · b […, K, N] → […, M, N]; the leading axes broadcast */
export const matMul: ReferenceKernel<'MatMul'> = (_, inputs, output) => {
  const [a, b] = inputs
  const [rows, columns] = output.shape.slice(-2) as [number, number]
  const inner = a!.shape.at(-1)!
  const stackShape = output.shape.slice(0, -2)
  const stackStrides = stridesOf(stackShape)
  const stackSize = stackShape.reduce((size, dimension) => size * dimension, 1)
  const matrixOf = (shape: readonly number[], stack: number): number => {
    const leading = shape.slice(0, -2)
    const strides = stridesOf(leading)
    let index = 0
    for (const [axis, size] of leading.entries()) {
      const outputAxis = axis + stackShape.length - leading.length
      const coordinate = Math.floor(stack / stackStrides[outputAxis]!) % stackShape[outputAxis]!
      if (size > 1) index += coordinate * strides[axis]!
    }
    return index
  }
  for (let stack = 0; stack < stackSize; stack++) {
    const aStart = matrixOf(a!.shape, stack) * rows * inner
    const bStart = matrixOf(b!.shape, stack) * inner * columns
    const start = stack * rows * columns
    for (let m = 0; m < rows; m++) {
      for (let n = 0; n < columns; n++) {
        let sum = 0
        for (let k = 0; k < inner; k++) {
          sum += a!.data[aStart + m * inner + k]! * b!.data[bStart + k * columns + n]!
        }
        output.data[start + m * columns + n] = sum
      }
    }
  }
}
