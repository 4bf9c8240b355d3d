/** Random changes of training images, as plain data that goes into a run's configuration. */
import { SternaError } from '../core/index.ts'

export interface Augmentation {
  /**
   * Black pixels added on every side before a window of the image's own size is cut out at a random
   * place, i.e. a shift by up to `pad` pixels each way. 0 leaves images where they are.
   */
  readonly pad: number
  /** Mirrors left and right with probability ½. */
  readonly flip: boolean
}

/** `crop-flip` is the CIFAR protocol of TWN (Li et al., 2016, section 3) and most later papers. */
export const augmentations = {
  none: { pad: 0, flip: false },
  shift: { pad: 2, flip: false },
  'crop-flip': { pad: 4, flip: true },
} as const satisfies Record<string, Augmentation>

export type AugmentationName = keyof typeof augmentations

/** The augmentation of a name, e.g. `crop-flip`. */
export function augmentationNamed(name: string): Augmentation {
  if (Object.hasOwn(augmentations, name)) return augmentations[name as AugmentationName]
  throw new SternaError('usage/option', `augmentation "${name}" is unknown`, {
    hint: `known: ${Object.keys(augmentations).join(', ')}`,
  })
}
