/** Some images of a view, chosen by a seed. */
import { Random } from '../core/index.ts'
import type { ImageView } from './dataset.ts'

/** `count` images, or all where there are fewer, in the order of the view; the same seed chooses the same. */
export function sampleImages(view: ImageView, count: number, seed: number): ImageView {
  const random = new Random(seed).fork('sample')
  const chosen: number[] = []
  // Each image is taken with the probability that makes every choice of `count` images equally likely.
  for (let index = 0; index < view.count; index++) {
    const missing = Math.min(count, view.count) - chosen.length
    if (random.below(view.count - index) < missing) chosen.push(view.indices[index]!)
  }
  return { source: view.source, indices: Uint32Array.from(chosen), count: chosen.length }
}
