/** The first steps of LeNet-5 as PyTorch takes them (`test/fixtures/lenet5-step`), under the zoo's names. */
import assert from 'node:assert/strict'
import { f32, type Tensor } from '../../core/index.ts'
import { type Generated, generate, readFixture } from '../../graph/testing/pytorch.node.ts'
import type { LossName } from '../loss.ts'

/** What is stored of a tensor. */
export interface Summary {
  readonly l2: number
  readonly l1: number
  readonly sum: number
  readonly first: readonly number[]
}

type Summaries = Readonly<Record<string, Summary>>

interface Run {
  readonly options: Readonly<Record<string, number>>
  readonly losses: readonly number[]
  readonly parametersAfterStep3: Summaries
  readonly runningAfterStep3: Summaries
  readonly float32Deviation: Readonly<Record<string, number>>
}

interface Head {
  readonly loss: number
  readonly logits: readonly number[]
  readonly logitsGradient: readonly number[]
}

interface Fixture {
  readonly batch: number
  readonly batchNorm: { readonly epsilon: number; readonly momentum: number }
  readonly zeroGradient: readonly string[]
  readonly parameters: readonly (Generated & { readonly name: string })[]
  readonly inputs: readonly Generated[]
  readonly labels: readonly (readonly number[])[]
  readonly heads: Readonly<Record<'crossEntropy' | 'hinge' | 'squaredHinge', Head>>
  readonly step1: { readonly gradients: Summaries; readonly running: Summaries }
  readonly runs: { readonly sgd: Run; readonly adam: Run }
}

export const fixture = readFixture<Fixture>('lenet5-step')

export const heads: readonly (readonly [LossName, Head])[] = [
  ['cross-entropy', fixture.heads.crossEntropy],
  ['hinge', fixture.heads.hinge],
  ['squared-hinge', fixture.heads.squaredHinge],
]

/** `norm2.scale` → `bn2.weight`; weights and biases have the same names in both. */
export function zooName(name: string): string {
  return name
    .replace(/^norm/, 'bn')
    .replace(/\.scale$/, '.weight')
    .replace(/\.mean$/, '.running_mean')
    .replace(/\.variance$/, '.running_var')
}

/** The fixture's initial parameters and running statistics. */
export function initialParameters(): Map<string, Tensor> {
  const parameters = new Map<string, Tensor>()
  for (const spec of fixture.parameters) parameters.set(zooName(spec.name), generate(spec))
  for (const [name, channels] of [
    ['bn1', 32],
    ['bn2', 64],
    ['bn3', 512],
  ] as const) {
    parameters.set(`${name}.running_mean`, f32([channels]))
    parameters.set(`${name}.running_var`, f32([channels], new Float32Array(channels).fill(1)))
  }
  return parameters
}

/** [N, 10] of a step's labels. */
export function oneHotLabels(labels: readonly number[]): Tensor<'f32'> {
  const data = new Float32Array(labels.length * 10)
  labels.forEach((label, row) => {
    data[row * 10 + label] = 1
  })
  return f32([labels.length, 10], data)
}

/**
 * Holds a tensor against its summary. With a relative L2 error of at most `tolerance`, the sums over n elements
 * differ by at most √n · tolerance · l2; single elements are allowed a few times their share of it.
 */
export function assertSummary(value: Tensor, expected: Summary, tolerance: number, what: string): void {
  const data = value.data as Float32Array
  let squares = 0
  let l1 = 0
  let sum = 0
  for (const element of data) {
    squares += element * element
    l1 += Math.abs(element)
    sum += element
  }
  const within = (found: number, wanted: number, allowed: number, part: string) =>
    assert.ok(
      Math.abs(found - wanted) <= allowed,
      `${what}, ${part}: expected ${wanted} ± ${allowed.toExponential(1)}, found ${found}`,
    )
  const error = tolerance * expected.l2
  const root = Math.sqrt(data.length)
  within(Math.sqrt(squares), expected.l2, error, 'l2')
  within(l1, expected.l1, root * error, 'l1')
  within(sum, expected.sum, root * error, 'sum')
  expected.first.forEach((element, index) => {
    within(data[index]!, element, (10 * error) / root, `element ${index}`)
  })
}
