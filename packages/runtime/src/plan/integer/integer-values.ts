/** What a packer has to calibrate for a network to run on bytes. */
import type { PackedModel, TernaryTensor } from '../../file/types.ts'
import { inferShapes } from '../shapes.ts'
import { fuseSteps, type LinearStep } from '../steps.ts'
import { structureProblem } from './fit.ts'
import { passesThrough } from './lower.ts'
import { countSigns, maxSum } from './requantize.ts'

export interface IntegerValue {
  readonly name: string
  /** The largest byte with which no sum over it leaves 16 bits, whatever the activations are; at most 255. */
  readonly maxLevel: number
}

/** With fewer levels than this a layer is better computed in numbers. */
const fewestLevels = 63

/**
 * The values that need a range (`PackedModel.activations`) for every ternary layer that can work on bytes to do so:
 * inputs, outputs and residuals of those layers. Values that only pass through pooling, slices and the like have the
 * range of where they come from.
 * @throws SternaError as `inferShapes` does
 */
export function integerValues(model: PackedModel): readonly IntegerValue[] {
  const steps = fuseSteps(model, inferShapes(model))
  const origins = new Map<string, string>()
  const originOf = (name: string): string => origins.get(name) ?? name
  const levels = new Map<string, number>()
  const ask = (name: string, maxLevel: number): void => {
    const origin = originOf(name)
    levels.set(origin, Math.min(levels.get(origin) ?? 0xff, maxLevel))
  }
  for (const step of steps) {
    if (step.kind === 'node' && passesThrough(step.node)) {
      origins.set(step.output, originOf(step.node.inputs[0]!))
    }
    if (step.kind !== 'linear' || step.weight.kind !== 'ternary') continue
    if (structureProblem(step) !== undefined) continue
    if (step.convolution === undefined) {
      // What a fully connected layer writes gets a range where a ternary layer reads it, else it stays numbers.
      ask(step.input, 0xff)
      continue
    }
    const maxLevel = levelsOf(step)
    if (maxLevel < fewestLevels) continue
    ask(step.input, maxLevel)
    ask(step.output, 0xff)
    if (step.residual !== undefined) ask(step.residual, 0xff)
  }
  return [...levels].map(([name, maxLevel]) => ({ name, maxLevel }))
}

function levelsOf({ weight, filters, depth }: LinearStep): number {
  const counts = countSigns(weight as TernaryTensor, filters, depth)
  const most = counts.reduce((most, { plus, minus }) => Math.max(most, plus, minus), 1)
  return Math.min(0xff, Math.floor(maxSum / most))
}
