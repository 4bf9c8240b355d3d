/** What `sterna train` does with a parent that is ternary already: keep its assignments, train activations as bytes. */
import { SternaError } from '../core/index.ts'
import { type Dataset, splitDataset } from '../data/index.ts'
import type { Engine } from '../engine/index.ts'
import type { Model } from '../graph/index.ts'
import { detectTernary } from '../pack/index.ts'
import { weightNames } from '../ternary/index.ts'
import type { TrainConfig } from '../train/index.ts'
import { type RangeOptions, rangesToTrainWith, refuseRangeOptions } from './calibration.ts'
import type { FloatSource } from './load-model.ts'
import type { Output } from './output.ts'

/** A method with latent weights goes on from the parent's; weights that are to stay as they are, from those. */
export function chooseStart({ method }: TrainConfig, parent: FloatSource | undefined): Model | undefined {
  return method === 'fixed' ? parent?.model : parent?.latent
}

/** Method `fixed` on layers that are ternary, float for the others; layers that were asked for stay so. */
export function keepTernaryLayers(config: TrainConfig, parent: FloatSource | undefined): TrainConfig {
  if (config.method !== 'fixed' || config.layers !== undefined || parent === undefined) return config
  const { model, ternary, path } = parent
  const names = weightNames(model.graph)
  const others = names.filter(name => !ternary.has(name) && !detectTernary(model.parameters.get(name)!))
  if (others.length === names.length) {
    throw new SternaError('usage/option', `--method fixed: no layer of ${path} is ternary`, {
      hint: 'train it with a method that ternarizes first',
    })
  }
  return others.length === 0 ? config : { ...config, layers: others.map(name => ({ name, method: 'float' })) }
}

export function expectTernaryParent(
  options: RangeOptions,
  { method }: TrainConfig,
  from: string | undefined,
): void {
  const isForBytes = options.activationLevels !== undefined
  if (!isForBytes) {
    refuseRangeOptions(
      options,
      ['calibration', 'calibrationImages'],
      'belongs to --activation-levels',
      'add --activation-levels 127 to train with activations as bytes',
    )
  }
  if (from !== undefined || (method !== 'fixed' && !isForBytes)) return
  throw new SternaError(
    'usage/option',
    `${isForBytes ? '--activation-levels' : '--method fixed'}: needs --from, a network that is ternary already`,
    { hint: 'train a ternary network first, then fine-tune it with this option' },
  )
}

/** With ranges that the parent has on training images, where activations are to be trained as bytes. */
export async function withRanges(
  output: Output,
  options: RangeOptions,
  config: TrainConfig,
  parent: FloatSource,
  dataset: Dataset,
  engine: Engine,
): Promise<TrainConfig> {
  if (options.activationLevels === undefined) return config
  const { train: images } = splitDataset(dataset, config)
  const set = { images, imageShape: dataset.imageShape, normalization: config.normalization }
  return { ...config, activations: await rangesToTrainWith(output, parent, engine, set, options) }
}
