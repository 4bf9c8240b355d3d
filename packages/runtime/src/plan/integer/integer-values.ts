/** What a packer has to calibrate for a network to run on bytes. */
import type { PackedModel } from '../../file/types.ts'
import { inferShapes } from '../shapes.ts'
import { fuseSteps, type LinearStep } from '../steps.ts'
import { isByteDense, structureProblem } from './fit.ts'
import { passesThrough } from './lower.ts'
import { maxSum } from './requantize.ts'

export interface IntegerValue {
  readonly name: string
  /**
   * The largest byte worth having, 127 to 255: with larger ones, whatever the activations are, a sum of a filter that reads
   * them could leave 16 bits and would be computed in parts.
   */
  readonly maxLevel: number
  /**
   * The largest byte that costs no speed: 127 where ternary convolutions add up bytes two by two, 63 where only fully
   * connected layers look up sums of four, else 255.
   */
  readonly fastLevel: number
}

const listLevel = 127
const lookupLevel = 63

/**
 * The values that need a range (`PackedModel.activations`) for every ternary layer that can work on bytes to do so:
 * inputs, outputs and residuals of those layers. Values that only pass through pooling, slices and the like have the
 * range of where they come from.
 * @throws SternaError as `inferShapes` does
 */
export function integerValues(model: PackedModel): readonly IntegerValue[] {
  const shapes = inferShapes(model)
  const steps = fuseSteps(model, shapes)
  const origins = new Map<string, string>()
  const originOf = (name: string): string => origins.get(name) ?? name
  const values = new Map<string, IntegerValue & { readonly byLists: boolean }>()
  const ask = (value: string, maxLevel: number, fastLevel: number): void => {
    const name = originOf(value)
    const known = values.get(name) ?? { maxLevel: 0xff, fastLevel: 0xff, byLists: false }
    const byLists = known.byLists || fastLevel === listLevel
    values.set(name, {
      name,
      maxLevel: Math.min(known.maxLevel, maxLevel),
      fastLevel: byLists ? listLevel : Math.min(known.fastLevel, fastLevel),
      byLists,
    })
  }
  for (const step of steps) {
    if (step.kind === 'node' && passesThrough(step.node)) {
      origins.set(step.output, originOf(step.node.inputs[0]!))
    }
    if (step.kind !== 'linear') continue
    if (step.weight.kind !== 'ternary') {
      if (!isByteDense(step, shapes.get(step.output)!)) continue
      ask(step.input, 0xff, 0xff)
      ask(step.output, 0xff, 0xff)
      continue
    }
    if (structureProblem(step) !== undefined) continue
    if (step.convolution === undefined) {
      // What a fully connected layer writes gets a range where a ternary layer reads it, else it stays numbers.
      ask(step.input, 0xff, lookupLevel)
      continue
    }
    ask(step.input, levelsOf(step), listLevel)
    ask(step.output, 0xff, 0xff)
    if (step.residual !== undefined) ask(step.residual, 0xff, 0xff)
  }
  return [...values.values()].map(({ name, maxLevel, fastLevel }) => ({
    name,
    maxLevel,
    fastLevel: Math.min(fastLevel, maxLevel),
  }))
}

function levelsOf({ lists }: LinearStep): number {
  const { ends } = lists!
  const most = ends.reduce((most, end, list) => Math.max(most, end - (ends[list - 1] ?? 0)), 1)
  return Math.max(listLevel, Math.min(0xff, Math.floor(maxSum / most)))
}
