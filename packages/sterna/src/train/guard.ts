/** Stops a training that has gone wrong, and says where. */
import { SternaError, type Tensor } from '../core/index.ts'

/** A loss this many times the first one counts as exploded. */
const EXPLOSION = 1e4

/** Throws when `loss` is not finite or has exploded; `inspect` fetches the tensors as they are now. */
export async function guardLoss(
  loss: number,
  firstLoss: number,
  where: string,
  inspect: () => Promise<ReadonlyMap<string, Tensor>>,
): Promise<void> {
  const finite = Number.isFinite(loss)
  if (finite && loss <= EXPLOSION * Math.max(firstLoss, 1)) return
  const suspects = worstTensors(await inspect())
  throw new SternaError(
    finite ? 'train/diverged' : 'train/non-finite',
    finite
      ? `${where}: the loss exploded to ${loss.toPrecision(3)} (first ${firstLoss.toPrecision(3)}); ${suspects}`
      : `${where}: the loss is ${loss}; ${suspects}`,
    { hint: 'a lower learning rate or a warm-up usually helps; the last checkpoint is intact' },
  )
}

/** The tensors with non-finite values, or, where all are finite, the largest. */
export function worstTensors(tensors: ReadonlyMap<string, Tensor>): string {
  const broken: string[] = []
  let largest = { name: '', size: -1 }
  for (const [name, { dtype, data }] of tensors) {
    if (dtype !== 'f32') continue
    let bad = 0
    for (const value of data as Float32Array) {
      if (!Number.isFinite(value)) bad++
      else if (Math.abs(value) > largest.size) largest = { name, size: Math.abs(value) }
    }
    if (bad > 0) broken.push(`${name} (${bad} of ${data.length})`)
  }
  if (broken.length === 0)
    return `all tensors are finite, the largest value is ${largest.size.toPrecision(3)} in ${largest.name}`
  const more = broken.length > 4 ? ` and ${broken.length - 4} more` : ''
  return `non-finite values in ${broken.slice(0, 4).join(', ')}${more}`
}
