/** Whether a data set's images are what a network takes. */
import { SternaError, sameShape } from '../core/index.ts'
import type { Dataset } from '../data/index.ts'

export function expectImages(expected: readonly number[], dataset: Dataset, model: string): void {
  if (sameShape(expected, dataset.imageShape)) return
  throw new SternaError(
    'usage/input',
    `${model} takes images of [${expected}], ${dataset.name} has [${dataset.imageShape}]`,
  )
}
